from __future__ import annotations

from evals.cost import estimated_tokens, expected_cost, processor_count
from evals.harness import evaluate
from evals.plan import make_plan

from .policies import PolicyEngine, how_many, look, unrewritable, which_image

QUESTIONS = [
    *(which_image(f"w{i}", i % 3) for i in range(4)),
    how_many("many"),
    unrewritable("bad"),
]


def test_the_cost_is_what_is_then_asked() -> None:
    plan = make_plan(QUESTIONS, orders=4, repeats=3, seed=0)
    cost = expected_cost(plan, max_new_tokens=7, instruction="Answer.")
    engine = PolicyEngine(look)
    evaluate(engine, QUESTIONS, 4, 3, instruction="Answer.")
    assert (cost.questions, cost.excluded) == (5, 1)
    assert cost.requests == len(engine.prompts) == 20
    assert cost.replies == engine.replies_asked == 60
    assert cost.pictures == sum(len(prompt.images) for prompt in engine.prompts) * 3
    assert cost.prompt_tokens == 3 * sum(map(estimated_tokens, engine.prompts))
    assert cost.reply_tokens == 60 * 7
    assert "estimated" in cost.counted


def test_tokens_are_counted_by_the_processor_where_there_is_one(monkeypatch) -> None:
    plan = make_plan(QUESTIONS, orders=4, repeats=3, seed=0)
    count = processor_count("embedded")
    cost = expected_cost(plan, 7, "Answer.", count)
    engine = PolicyEngine(look)
    evaluate(engine, QUESTIONS, 4, 3, instruction="Answer.")
    assert cost.prompt_tokens == 3 * sum(map(count, engine.prompts))
    assert cost.counted == "counted by the model's processor"
    monkeypatch.setattr("evals.cost.COUNTED_QUESTIONS", 2)
    some = expected_cost(plan, 7, "Answer.", count)
    assert "on 2 of 5 questions" in some.counted
    assert abs(some.prompt_tokens / cost.prompt_tokens - 1) < 0.1
