"""Draw the README's picture: one question in two orders of its images.

python scripts/draw_example.py docs/example.png
"""

from __future__ import annotations

import sys

import gymnasium
import numpy as np
from PIL import Image

import perl_env  # noqa: F401 - registers the environments


def main(path: str) -> None:
    """Two contact sheets of the same question, side by side."""
    env = gymnasium.make("perl/Shapes-v0", kinds=["match-reference"], render_mode="rgb_array")
    sheets = []
    for order in ((0, 1, 2), (2, 0, 1)):
        env.reset(options={"index": 1, "order": order})
        sheets.append(np.asarray(env.render()))
    gap = np.full((sheets[0].shape[0], 12, 3), 200, np.uint8)
    Image.fromarray(np.concatenate([sheets[0], gap, sheets[1]], axis=1)).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
