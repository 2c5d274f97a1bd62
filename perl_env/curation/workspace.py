"""The folder of one preparation: every file in it is whole, whenever the process is killed."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from perl_env.curation.outcome import Outcome
from perl_env.errors import InputError

#: The folder with a file for each stage.
STAGES = "stages"


def fingerprint(*parts: Any) -> str:
    """A short digest of plain data; the same in every process."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=_plain)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, Mapping):
        return {str(k): v for k, v in value.items()}
    raise TypeError(f"no plain data: {type(value).__name__}")


class Workspace:
    """The folder, locked against a second process while it is open.

    Raises:
        InputError: the path is no folder, another process works there, or something else lies there.
    """

    def __init__(self, path: str | Path):
        import filelock

        self.path = Path(path)
        if self.path.is_dir() and any(self.path.iterdir()) and not (self.path / STAGES).is_dir():
            raise InputError("folder holds something else", where=str(self.path),
                             expected="a new or empty folder, or an earlier preparation",
                             got=", ".join(sorted(p.name for p in self.path.iterdir())[:5]))  # fmt: skip
        try:
            (self.path / STAGES).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise InputError("no folder", where="out", expected="a folder", got=self.path) from None
        self._lock = filelock.FileLock(self.path / ".lock", timeout=0)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise InputError("folder is in use", where=str(self.path), expected="no other preparation in it",
                             got="another process writing") from None  # fmt: skip

    def __enter__(self) -> Workspace:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def stage_path(self, name: str) -> Path:
        """The file with what a stage decided."""
        return self.path / STAGES / f"{name}.jsonl"

    def stage(self, name: str, mark: str) -> list[Outcome] | None:
        """The outcomes of a stage that was finished with these settings; else ``None``."""
        path = self.stage_path(name)
        if not path.exists():
            return None
        with path.open(encoding="utf-8") as file:
            if json.loads(next(file, "{}")).get("fingerprint") != mark:
                return None
            return [Outcome(**json.loads(line)) for line in file]

    def write_stage(self, name: str, mark: str, outcomes: Iterable[Outcome]) -> None:
        """Write what a finished stage decided."""
        with self.replacing(f"{STAGES}/{name}.jsonl") as file:
            file.write(json.dumps({"stage": name, "fingerprint": mark}) + "\n")
            for outcome in outcomes:
                file.write(json.dumps(dataclasses.asdict(outcome), ensure_ascii=False) + "\n")

    def write_json(self, name: str, value: Any) -> None:
        """Write a file of plain data."""
        with self.replacing(name) as file:
            file.write(json.dumps(value, indent=2, ensure_ascii=False, default=_plain) + "\n")

    @contextlib.contextmanager
    def replacing(self, name: str) -> Iterator[Any]:
        """A file for writing that takes its place when it is complete and on the disk."""
        target = self.path / name
        unfinished = target.with_name(target.name + ".new")
        with unfinished.open("w", encoding="utf-8") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, target)


class Journal:
    """Lines of JSON that outlive the process from the moment they are added.

    What a killed process left of its last line is cut off.

    Args:
        path: the file; made where it does not exist.
        mark: the first line's ``fingerprint``; a file with another one is begun anew.
    """

    def __init__(self, path: Path, mark: str | None = None):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.lines, good = _whole_lines(path)
        if mark is not None and (not self.lines or self.lines[0].get("fingerprint") != mark):
            self.lines, good = [], 0
        self._file = path.open("ab")
        self._file.truncate(good)
        if mark is not None:
            if good == 0:
                self.add({"fingerprint": mark})
            else:
                self.lines = self.lines[1:]

    def add(self, line: Mapping[str, Any], sync: bool = True) -> None:
        """Write one line; ``sync`` waits until it is on the disk."""
        self._file.write((json.dumps(line, ensure_ascii=False) + "\n").encode("utf-8", "surrogatepass"))  # fmt: skip
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _whole_lines(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The lines of a file that are whole, and how many bytes they take."""
    lines: list[dict[str, Any]] = []
    good = 0
    if path.exists():
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    break
                try:
                    lines.append(json.loads(line))
                except ValueError:
                    raise InputError("line cannot be read", where=f"{path}, line {number}", expected="JSON",
                                     got=line[:100]) from None  # fmt: skip
                good += len(line)
    return lines, good
