"""Episodes, permutations and rewritten texts a second, on one core.

python -m benchmarks.env_throughput
"""

from __future__ import annotations

import itertools

import gymnasium
import numpy as np

import perl_env
from benchmarks.results import publish, rate
from perl_env.permutation import permute, random_order
from perl_env.tasks.shapes_drawing import draw

REPLY = "<think>so</think>\\boxed{A}"


def episodes(prepared: bool):
    """A hundred resets and steps of Shapes; drawing every picture anew unless they are prepared."""
    size = 500 if prepared else 10**9
    env = gymnasium.make("perl/Shapes-v0", size=size)
    env.reset(seed=0)
    for index in range(size if prepared else 0):
        env.reset(options={"index": index})

    def work() -> int:
        for _ in range(100):
            if not prepared:
                draw.cache_clear()
            env.reset()
            env.step(REPLY)
        return 100

    return work


def permutations():
    """A thousand questions of every kind, each in a random order."""
    rng = np.random.default_rng(0)
    questions = perl_env.load_questions("perl/Shapes-v0", limit=1000)
    cases = [(question, random_order(question, rng)) for question in questions]

    def work() -> int:
        for question, order in cases:
            permute(question, order)
        return len(cases)

    return work


def fresh_rewrites():
    """Texts that were never seen before, so that no parse is remembered."""
    numbers = itertools.count()

    def work() -> int:
        for _ in range(100):
            text = f"Question {next(numbers)}: does image 2 show more shapes than the first image of these?"
            perl_env.rewrite_references(text, (2, 0, 1))
        return 100

    return work


def main() -> None:
    """Measure and publish."""
    publish(
        "env_throughput",
        {
            "episodes, prepared pictures": rate(episodes(prepared=True)),
            "episodes, pictures drawn anew": rate(episodes(prepared=False)),
            "permutations": rate(permutations()),
            "rewritten texts, never seen before": rate(fresh_rewrites()),
        },
        "a second",
    )


if __name__ == "__main__":
    main()
