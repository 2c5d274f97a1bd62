"""The section on order-robustness of a model's card, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence

from evals.metrics import METRICS
from evals.named_run import NamedRun
from evals.report_page import arrow, cell, head
from evals.run_settings import settings_text, settings_warnings

#: What a card tells; the report and its CSV files hold all.
CARD_METRICS = (
    "accuracy_canonical", "accuracy_mean", "accuracy_worst", "consistent_accuracy", "flip_rate",
    "cross_order_disagreement", "noise_floor", "order_effect", "unparsable_rate",
)  # fmt: skip


def model_card_section(runs: Sequence[NamedRun]) -> str:
    """Verdicts, the main metrics with their intervals, and how they were measured."""
    lines = ["## Order-robustness", ""]
    for index, run in enumerate(runs):
        told = head(index, run)
        part = f"{run.unfinished[0].upper()}{run.unfinished[1:]}. " if run.unfinished else ""
        lines += [f"{part}**{plain(run.name)}: {told['judgement']}.** {plain(told['verdict'])}", ""]
    lines += [
        "| Metric, with 95 % interval | " + " | ".join(plain(run.name) for run in runs) + " |",
        "|---|" + "---:|" * len(runs),
    ]
    for name in CARD_METRICS:
        cells = [cell(name, run.metrics[name]) for run in runs]
        texts = [f"{c['value']} ({c['span']})" if c["span"] else c["value"] for c in cells]
        lines.append(f"| {METRICS[name].title}{arrow(METRICS[name])} | " + " | ".join(texts) + " |")
    lines += ["", "↑ more is better, ↓ less is better. Intervals are bootstrapped over questions. The order "
              "effect is the disagreement across orders less that between replies to the same order.", ""]  # fmt: skip
    for index, run in enumerate(runs):
        lines.append(f"- {plain(run.name)}: {plain('; '.join(_circumstances(index, run)))}.")
    lines += [f"- {plain(warning)}" for warning in settings_warnings(runs)]
    return "\n".join(lines) + "\n"


def _circumstances(index: int, run: NamedRun) -> list[str]:
    """How a run was measured, as far as it is known."""
    settings = settings_text(run)
    return [head(index, run)["facts"], *([settings] if settings else [])]


def plain(text: str) -> str:
    r"""Text that Markdown shows as it is, on one line and inside a table's cell.

    >>> plain("a|b <i>*x*</i>")
    'a\\|b \\<i\\>\\*x\\*\\</i\\>'
    """
    return re.sub(r"([\\`*_{}\[\]<>|#~!&])", r"\\\1", " ".join(text.split()))
