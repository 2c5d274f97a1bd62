"""Writes the tables of ``docs/performance.md`` from ``benchmarks/results``.

    python -m benchmarks.performance_page

A table stands between two comments that bear its name; everything else on the page is written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.results import FOLDER

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
Result = Mapping[str, Any]


def shared_prefix(result: Result) -> str:
    """Ways to compute a group: seconds of the processor and megabytes, each beside the plain way's."""
    rows = []
    for group, ways in result["figures"].items():
        plain = ways["plain"]
        for way, found in ways.items():
            faster, less = (plain[key] / found[key] for key in ("processor", "megabytes"))
            rows.append(
                [group, way, f"{found['processor']:.2f}", f"{faster:.1f} ×",
                 f"{found['megabytes']:,.0f}", f"{less:.1f} ×"]
            )  # fmt: skip
    return table(("group", "way", "seconds", "faster", "MB", "less"), rows)


def grpo_step(result: Result) -> str:
    """TRL against ours."""
    figures = result["figures"]
    rows = [
        [
            part, kind,
            *(spread(figures["seconds"][side][kind][part], 2) for side in ("theirs", "ours")),
            spread(ratio, 1, "×"),
        ]
        for kind, parts in figures["ratios"].items()
        for part, ratio in parts.items()
    ]  # fmt: skip
    return table(("part of the step", "seconds of the", "TRL", "ours", "faster"), rows)


def weight_sync(result: Result) -> str:
    """Copies in host memory and seconds."""
    rows = [
        [way, spread(found["copies"], 2), spread(found["seconds"], 1)]
        for way, found in result["figures"].items()
    ]
    return table(("way", "copies in host memory", "seconds"), rows)


def rates(result: Result) -> str:
    """Figures that ``benchmarks.results.publish`` wrote."""
    rows = [[label, spread(figure, 0)] for label, figure in result["figures"].items()]
    return table(("", result["unit"]), rows)


TABLES: dict[str, Callable[[Result], str]] = {
    "shared_prefix": shared_prefix,
    "grpo_step": grpo_step,
    "grpo_step_vllm": grpo_step,
    "grpo_step_vllm_336_pixels": grpo_step,
    "grpo_step_vllm_2_threads_overlapped": grpo_step,
    "grpo_step_vllm_2_threads_overlapped_336_pixels": grpo_step,
    "weight_sync": weight_sync,
    "env_throughput": rates,
    "rewriting": rates,
}


def spread(figure: Mapping[str, float], digits: int, unit: str = "") -> str:
    """Median (least–most).

    >>> spread({"median": 7.14, "min": 6.7, "max": 7.5}, 1, "×")
    '7.1 × (6.7–7.5)'
    """
    median, least, most = (f"{figure[key]:,.{digits}f}" for key in ("median", "min", "max"))
    return f"{median}{' ' + unit if unit else ''} ({least}–{most})"


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def section(name: str, folder: Path = FOLDER) -> str:
    """A result's table with its command and machine."""
    result = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    where = result["machine"]
    measured = f"`{result['command']}`, {where['processor']}, {where['cores']} cores, Python {where['python']}:"
    return f"{measured}\n\n{TABLES[name](result)}"


def filled(page: str, folder: Path = FOLDER) -> str:
    """The page with its tables made anew."""

    def replaced(found: re.Match) -> str:
        name = found["name"]
        return f"<!-- {name} -->\n{section(name, folder)}\n<!-- end -->"

    return re.sub(r"<!-- (?P<name>\w+) -->\n.*?<!-- end -->", replaced, page, flags=re.DOTALL)


def main() -> None:
    """Write the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
