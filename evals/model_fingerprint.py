"""A fingerprint of a model folder, by which a run knows whether it still asks the same model."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agents.model_folder import model_folder
from perl_env.errors import InputError

_BLOCK = 1 << 16
_BLOCKS = 64  # a file of up to 4 MiB is read whole, of a larger one as many blocks, evenly spread


def model_fingerprint(model: str | Path) -> str | None:
    """A fingerprint of the files in a model folder; ``None`` where ``model`` is no folder.

    Large files are sampled, so that even a model of many gigabytes takes a moment: training changes
    all of its weights, so blocks spread over the file tell.
    """
    try:
        folder = model_folder(model)
    except InputError:
        return None
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
            _add_blocks(digest, path)
    return digest.hexdigest()[:16]


def _add_blocks(digest, path: Path) -> None:
    size = path.stat().st_size
    blocks = -(-size // _BLOCK)
    with path.open("rb") as file:
        for i in range(min(blocks, _BLOCKS)):
            file.seek(i * _BLOCK if blocks <= _BLOCKS else i * (size - _BLOCK) // (_BLOCKS - 1))
            digest.update(file.read(_BLOCK))
