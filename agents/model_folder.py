"""Where a model lies: a Hugging Face folder, or the one in this package."""

from __future__ import annotations

from pathlib import Path

from perl_env.errors import InputError

#: The name under which the model in the package is known everywhere a folder is asked for.
EMBEDDED = "embedded"
EMBEDDED_MODEL = Path(__file__).parent / "embedded_model"


def model_folder(path: str | Path) -> Path:
    """The folder of a model; "embedded" is the one in this package.

    Raises:
        InputError: there is no such folder.
    """
    folder = EMBEDDED_MODEL if str(path) == EMBEDDED else Path(path)
    if not folder.is_dir():
        raise InputError("no such model folder", where=str(path),
                         expected=f"a Hugging Face folder with model and processor, or {EMBEDDED!r}",
                         got="nothing there")  # fmt: skip
    return folder
