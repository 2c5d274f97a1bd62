"""The questions that are prepared: several tasks or folders as one, each question with a key of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from perl_env.question import Question
from perl_env.registration import load_source


class Sources:
    """Questions of several sources by index, in canonical order.

    Args:
        described: what each source is loaded with: ``task`` and the arguments of its loader, of which
            ``limit`` takes the first ones only.

    Attributes:
        left_out: how many rows the loaders themselves left out.
    """

    def __init__(self, described: Sequence[Mapping[str, Any]]):
        self._described = [dict(one) for one in described]
        self._sources = []
        self._places: list[tuple[int, int]] = []
        self.left_out = 0
        self._lock = threading.Lock()  # a loader's cache of pictures serves one reader at a time
        for number, arguments in enumerate(self._described):
            arguments = dict(arguments)
            limit = arguments.pop("limit", None)
            source = load_source(**arguments)
            self._sources.append(source)
            self.left_out += sum(
                len(getattr(source, name, ())) for name in ("excluded", "malformed")
            )
            count = len(source) if limit is None else min(int(limit), len(source))
            self._places += [(number, index) for index in range(count)]

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Question:
        """The question, with a key that no other question of these sources has."""
        number, place = self._places[index]
        with self._lock:
            question = self._sources[number][place]
        key = question.key or str(place)
        return replace(question, key=key if len(self._sources) == 1 else f"{number + 1}/{key}")

    def state(self) -> list[Any]:
        """What tells these questions from others, without reading them: their number, their files."""
        return [
            [arguments, len(source), _stamps(Path(arguments.get("path") or arguments["task"]))]
            for arguments, source in zip(self._described, self._sources, strict=True)
        ]


def _stamps(path: Path) -> list[tuple[str, int, int]]:
    """Name, size and time of a file, or of the files that lie in a folder."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    stats = [(file.name, file.stat()) for file in files if file.is_file()]
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
