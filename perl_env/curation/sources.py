"""The questions that are prepared: several tasks or folders as one, each question with a key of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from perl_env.question import Question
from perl_env.registration import load_source

_LAST_FILES = ("questions.jsonl", "state.json", "dataset_info.json", "dataset_dict.json")


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
        state: list[Any] = []
        for arguments, source in zip(self._described, self._sources, strict=True):
            folder = Path(arguments.get("path") or arguments["task"])
            files = [folder / name for name in _LAST_FILES] if folder.is_dir() else []
            stamps = [(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.exists()]
            state.append([arguments, len(source), stamps])
        return state
