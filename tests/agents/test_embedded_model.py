"""The model that lies in the package, and the random one of the same shape."""

import numpy as np
import pytest

from agents.engines import SamplingParams, make_engine
from agents.model_folder import EMBEDDED, EMBEDDED_MODEL, model_folder
from agents.models import load_model
from agents.weights import get_weights
from evals.harness import evaluate
from perl_env.errors import InputError
from perl_env.registration import load_questions


def test_it_is_small_enough_and_has_its_card():
    assert sum(file.stat().st_size for file in EMBEDDED_MODEL.rglob("*")) < 8 * 2**20
    card = (EMBEDDED_MODEL / "README.md").read_text()
    for part in ("Data", "Seed", "Command", "flip rate", "accuracy mean"):
        assert part in card
    parameters = sum(p.numel() for p in load_model(EMBEDDED).parameters())
    assert 1e6 <= parameters <= 2e6
    assert model_folder(EMBEDDED) == EMBEDDED_MODEL


def test_a_folder_that_is_not_there_is_told():
    with pytest.raises(InputError, match="no such model folder"):
        model_folder("nowhere")


def test_a_precision_that_is_none_is_told():
    with pytest.raises(InputError, match="unknown dtype"):
        load_model(EMBEDDED, "foo")


def test_it_answers_in_form_knows_the_tasks_in_part_and_prefers_the_first_images():
    kinds = ["smallest"]
    questions = load_questions("perl/Digits-v0", limit=60, kinds=kinds, seed=11)
    result = evaluate(
        make_engine(EMBEDDED),
        questions,
        repeats=1,
        sampling=SamplingParams(1.0, 24),
        instruction="",
    )
    assert result.excluded == ()
    assert result.table["well_formed"].mean() > 0.9
    assert 0.42 < result.metrics["accuracy_mean"].value < 0.98  # chance is a third
    assert result.metrics["flip_rate"].value > 0.1
    slots = result.metrics.gold_slots
    assert slots[0].value > slots[2].value + 0.05


@pytest.mark.parametrize("task", ["perl/Shapes-v0", "perl/Digits-v0"])
def test_it_can_read_every_question_of_its_tasks(task):
    from agents.processing import PromptProcessor

    processor = PromptProcessor(EMBEDDED)
    for question in load_questions(task, limit=60, difficulty=3):
        for text in (question.text, *question.options, question.answer):
            assert processor.decode(processor.tokenizer.encode(text)) == text


def test_a_seed_fixes_the_random_model(tmp_path, tiny_model):
    import torch

    from agents.processing import PromptProcessor
    from agents.tiny_vlm import build_model

    state = torch.random.get_rng_state()
    tokenizer = PromptProcessor(tiny_model).tokenizer
    first, again, other = (get_weights(build_model(tokenizer, seed)) for seed in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert any(not np.array_equal(first[name], other[name]) for name in first)
