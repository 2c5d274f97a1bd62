"""Write the budgets of the large configurations into docs/scaling.md.

python scripts/write_scaling_docs.py
"""

from __future__ import annotations

from pathlib import Path

from agents.memory_budget import GIB, Item, total_bytes
from agents.run_budget import Budget, Workload, count_budget
from agents.run_config import load_run

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "scaling.md"
START, END = "<!-- budgets: written by scripts/write_scaling_docs.py -->", "<!-- end of budgets -->"
#: Configuration, and the sizes of its model.
RUNS = {
    "configs/qwen2_5_vl_7b_perl.yaml": "configs/model_shapes/Qwen2.5-VL-7B",
    "configs/qwen2_5_vl_3b_lora_1gpu.yaml": "configs/model_shapes/Qwen2.5-VL-3B",
}
#: Four pictures, as large as the configurations let them be.
WORKLOAD = Workload(images=4, pixels=262_144)


def budgets() -> dict[str, Budget]:
    """The budget of each configuration."""
    return {
        config: count_budget(
            load_run(ROOT / config, [f"pretrained.path={ROOT / shape}"]).config, WORKLOAD
        )
        for config, shape in RUNS.items()
    }


def tables() -> str:
    """Both budgets as Markdown."""
    return "\n".join(
        line for config, budget in budgets().items() for line in _table(config, budget)
    )


def _table(config: str, budget: Budget) -> list[str]:
    step, flops = budget.step, budget.flops
    return [
        f"\n### `{config}`\n",
        f"{budget.model.name}, {budget.model.total_parameters / 1e9:.2f} billion parameters. A step at most: "
        f"{step.questions} questions × {step.orders} orders × {step.rollouts_per_order} rollouts, prompts of "
        f"{step.prompt_tokens} tokens ({step.images} pictures of {step.image_tokens}), replies of "
        f"{step.reply_tokens}.\n",
        "| operations a step | 10¹⁵ |",
        "|---|---|",
        f"| rollouts | {flops.rollouts / 1e15:.1f} |",
        f"| update, prompts and pictures shared | {flops.shared_update / 1e15:.1f} |",
        f"| update, a prompt and its pictures with every reply | {flops.plain_update / 1e15:.1f} |",
        "",
        *_memory(f"each of {budget.learners} learners", budget.learner),
        *_memory(f"each of {budget.engines} rollout engines", budget.engine),
    ]


def _memory(title: str, items: list[Item]) -> list[str]:
    rows = [f"| {item.what} | {item.bytes / GIB:.1f} | {item.how} |" for item in items]
    total = f"| **together** | **{total_bytes(items) / GIB:.1f}** | |"
    return [f"| {title} | GiB | counted as |", "|---|---|---|", *rows, total, ""]


def main() -> None:
    """Replace what stands between the marks."""
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(START)
    _, after = rest.split(END)
    PAGE.write_text(f"{before}{START}\n{tables()}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
