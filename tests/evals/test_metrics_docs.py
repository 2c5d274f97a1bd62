from __future__ import annotations

import importlib.util
from pathlib import Path

import evals

from .policies import PolicyEngine, look, which_image

ROOT = Path(__file__).parents[2]


def test_the_page_says_what_the_metrics_are() -> None:
    path = ROOT / "scripts" / "write_metrics_docs.py"
    spec = importlib.util.spec_from_file_location("write_metrics_docs", path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.PAGE.read_text(encoding="utf-8")
    assert script.with_tables(page) == page, "run python scripts/write_metrics_docs.py"
    result = evals.evaluate(PolicyEngine(look), [which_image("q")])
    for name in (*result.metrics, *result.metrics.bias, "rstd_letter", "ckld_letter"):
        assert f"`{name}`" in page
