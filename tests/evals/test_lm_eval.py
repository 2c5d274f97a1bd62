"""The tasks inside lm-eval: its real model classes, its real command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agents.engines import Prompt, SamplingParams, make_engine
from agents.model_folder import EMBEDDED_MODEL
from agents.processing import PromptProcessor
from evals import metrics
from evals.harness import evaluate
from evals.lm_eval_tasks import TASKS_PATH
from evals.lm_eval_tasks.documents import Documents
from evals.lm_eval_tasks.scores import METRICS
from perl_env.errors import InputError
from perl_env.prompts import question_text
from perl_env.question import Question
from perl_env.questions import QuestionList
from perl_env.registration import load_questions
from perl_env.tasks.folder import write_folder
from tests.evals.policies import picture, unrewritable, which_image
from tests.perl_env.benchmark_fixtures import fixture_path

pytestmark = [
    pytest.mark.slow,
    # What lm-eval and its libraries warn of; nothing of ours is under these names.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning:transformers"),
]

TOKENS = 48
HOSTILE = Question(
    (picture("red"), picture("blue")),
    "Which word stands for a picture? <|image_pad|> <|vision_start|>",
    "A",
    options=("<image>", "<image_9> <|image_pad|>"),
    key="hostile",
)


def command(*arguments, code=0):
    """Run ``lm_eval`` in a fresh process, offline; returns all that it printed."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    path = subprocess.run(
        [sys.executable, "-m", "evals.cli", "tasks-path"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    done = subprocess.run(
        [sys.executable, "-m", "lm_eval", "run", "--include_path", path, *map(str, arguments)],
        capture_output=True, text=True, timeout=550, stdin=subprocess.DEVNULL, env=environment,
    )  # fmt: skip
    assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def asking(out, tasks, metadata, limit, generation="", model="hf-multimodal", model_args="dtype=float32"):  # fmt: skip
    """The arguments of a small run of the embedded model, whose results are written into ``out``."""
    return [
        "--tasks", tasks, "--model", model,
        "--model_args", f"pretrained={EMBEDDED_MODEL},{model_args}",
        "--apply_chat_template", "--limit", limit, "--batch_size", 8,
        "--gen_kwargs", f"max_gen_toks={TOKENS}{generation}",
        "--metadata", json.dumps({"instruction": ""} | metadata),
        "--output_path", out, "--log_samples",
    ]  # fmt: skip


def written(out):
    """The results and the samples by task that a run has written."""
    (results,) = Path(out).rglob("results_*.json")
    samples = {}
    for path in Path(out).rglob("samples_*.jsonl"):
        task = path.name.removeprefix("samples_").rsplit("_", 1)[0]
        samples[task] = [json.loads(line) for line in path.read_text().splitlines()]
    return json.loads(results.read_text()), samples


def check_against_our_harness(samples, results, task, questions, orders):
    """The same prompts, greedy replies and metrics as ``evals.evaluate`` of the same questions."""
    engine, processor = make_engine("embedded"), PromptProcessor("embedded")
    own = evaluate(engine, questions, orders=orders, repeats=1, instruction="",
                   sampling=SamplingParams(temperature=0, max_new_tokens=TOKENS))  # fmt: skip
    per_question = metrics.per_question(own.table)
    assert len(samples[task]) == len(own.questions)
    for sample in samples[task]:
        rows = own.table[own.table["question"] == sample["doc"]["key"]]
        canonical = own.questions[sample["doc"]["key"]]
        assert sample["doc"]["orders"] == list(rows["order"])
        text = question_text(canonical, "")
        assert sample["arguments"]["gen_args_0"]["arg_0"] == processor.chat_text(Prompt(canonical.images, text))  # fmt: skip
        assert sample["filtered_resps"] == list(rows["reply"])
        for name in sample["metrics"]:
            if name in METRICS:
                expected = per_question.at[sample["doc"]["key"], METRICS[name].name]
                assert sample[name] == pytest.approx(expected)
    found = results["results"][task]
    for name in ("acc_canonical", "acc_mean", "acc_worst"):
        values = per_question[METRICS[name].name]
        assert found[f"{name},none"] == pytest.approx(values.mean())
        assert found[f"{name}_stderr,none"] == pytest.approx(values.sem(), abs=1e-12)


# In this process: a real model class of lm-eval over the embedded model


@pytest.fixture(scope="module")
def manager():
    from lm_eval.tasks import TaskManager

    return TaskManager(include_path=TASKS_PATH, include_defaults=False, metadata={"orders": 3, "instruction": ""})  # fmt: skip


@pytest.fixture(scope="module")
def model():
    from lm_eval.models.hf_vlms import HFMultimodalLM

    return HFMultimodalLM(str(EMBEDDED_MODEL), device="cpu", dtype="float32")


@pytest.fixture
def task(manager):
    """perl_shapes, whose questions a test may exchange."""
    made = manager.load("perl_shapes")["tasks"]["perl_shapes"]
    made.set_fewshot_seed(0)
    made.config.num_fewshot = 0
    made.config.generation_kwargs["max_gen_toks"] = TOKENS
    return made


def over(task, questions):
    task.documents = Documents(QuestionList(questions), task.settings)
    return task


def requests_of(task, model, **arguments):
    arguments = {
        "apply_chat_template": True,
        "chat_template": model.apply_chat_template,
    } | arguments
    task.build_all_requests(**arguments)
    return task.instances


def test_token_ids_and_pixels_are_those_of_our_own_engines(task, model):
    questions = [
        *load_questions("perl/Shapes-v0", limit=6),
        Question((picture("red"),), "What colour is it?", "red", key="one", order_class="single"),
        HOSTILE,
    ]
    requests = requests_of(over(task, questions), model)
    asked = [q for i in range(len(questions)) for q in task.documents.asked(i).in_orders]
    assert len(requests) == len(asked) > 2 * len(questions)
    processor = PromptProcessor("embedded")
    for request, question in zip(requests, asked, strict=True):
        context, _, others = request.args
        found = model.tok_batch_multimodal_encode([context], [others["visual"]])
        own = processor.encode(Prompt(question.images, question_text(question, "")))
        np.testing.assert_array_equal(found["input_ids"][0].numpy(), own.input_ids)
        np.testing.assert_array_equal(found["image_grid_thw"].numpy(), own.image_grid_thw)
        np.testing.assert_allclose(found["pixel_values"].numpy(), own.pixel_values, atol=1e-6)
        assert context.count("<|image_pad|>") == len(question.images)


def test_an_unsound_question_is_counted_and_has_no_other_metric(task, model):
    from lm_eval import evaluate as lm_eval_evaluate

    task = over(task, [which_image("a"), unrewritable("b"), which_image("c"), which_image("d")])
    done = lm_eval_evaluate(model, {"tasks": {"perl_shapes": task}}, apply_chat_template=True)
    found = done["results"]["perl_shapes"]
    assert found["excluded,none"] == 0.25
    samples = {sample["doc"]["key"]: sample for sample in done["samples"]["perl_shapes"]}
    assert samples["b"]["metrics"] == ["excluded"]
    assert len(samples["b"]["resps"]) == 1
    assert len(samples["a"]["resps"]) == 3
    means = [samples[key]["acc_mean"] for key in "acd"]
    assert found["acc_mean,none"] == pytest.approx(np.mean(means))
    assert done["configs"]["perl_shapes"]["metadata"]["orders"] == 3


def test_pictures_that_would_be_cut_are_an_error(task, model, monkeypatch):
    monkeypatch.setattr(model, "max_images", 2)
    with pytest.raises(InputError, match="max_images=3 or more, got 2"):
        requests_of(task, model, limit=1)


def test_pictures_apart_from_their_place_are_an_error(task, model, monkeypatch):
    monkeypatch.setattr(model, "interleave", False)
    with pytest.raises(InputError, match="HFMultimodalLM, interleave=False"):
        requests_of(task, model, limit=1)


def test_an_api_model_of_lm_eval_is_an_error(task):
    from lm_eval.models.openai_completions import LocalChatCompletion

    # Not initialised, which would want packages that only a server's clients need.
    server = LocalChatCompletion.__new__(LocalChatCompletion)
    with pytest.raises(InputError, match=r"before the text .* got LocalChatCompletion"):
        requests_of(task, model=server, limit=1)


def test_what_would_spoil_a_run_is_an_error(task, model, monkeypatch):
    with pytest.raises(InputError, match="--apply_chat_template"):
        requests_of(task, model, limit=1, apply_chat_template=False, chat_template=None)
    with pytest.raises(InputError, match="--cache_requests"):
        requests_of(task, model, limit=1, cache_requests=True)
    with monkeypatch.context() as patch:
        patch.setitem(task.config.generation_kwargs, "max_gen_toks", 9999)
        with pytest.raises(InputError, match="max_gen_toks=1024"):
            requests_of(task, model, limit=1)
    task.config.num_fewshot = 2
    with pytest.raises(InputError, match="--num_fewshot 0"):
        requests_of(task, model, limit=1)


def test_a_temperature_draws_from_the_whole_distribution(task, model):
    task.config.generation_kwargs["temperature"] = 0.7
    task.settings = type(task.settings)(orders=2, repeats=3, instruction="")
    requests = requests_of(over(task, load_questions("perl/Shapes-v0", limit=1)), model)
    assert [request.args[2]["repeat"] for request in requests] == [0, 1, 2, 0, 1, 2]
    assert [request.idx for request in requests] == list(range(6))
    for request in requests:
        wanted = {"do_sample": True, "top_p": 1.0, "top_k": 0, "temperature": 0.7}
        assert wanted.items() <= request.args[1].items()


# Through the command


def test_hf_multimodal_says_what_our_own_harness_says(tmp_path):
    data = tmp_path / "questions"
    questions = load_questions("perl/Shapes-v0", limit=40, seed=9)
    questions = [question for question in questions if question.kind in ("largest", "most", "left-right")][:4]  # fmt: skip
    write_folder(questions, data)
    with (data / "questions.jsonl").open("a") as file:
        file.write("not json\n")
    arguments = asking(tmp_path / "out", "perl_shapes,perl_digits,perl_folder",
                       {"orders": 4, "paths": {"perl_folder": str(data)}}, limit=4)  # fmt: skip
    printed = command(*arguments)
    assert "perl_folder: 1 rows of the data are no questions" in printed
    results, samples = written(tmp_path / "out")
    for task, asked in {
        "perl_shapes": load_questions("perl/Shapes-v0", limit=4),
        "perl_digits": load_questions("perl/Digits-v0", limit=4),
        "perl_folder": questions,
    }.items():
        check_against_our_harness(samples, results, task, asked, orders=4)
        assert results["n-samples"][task]["effective"] == 4
    assert results["configs"]["perl_folder"]["metadata"]["rows_left_out"] == 1


def test_the_benchmarks_run_on_local_copies(tmp_path):
    from tests.evals.test_lm_eval_tasks import BENCHMARKS

    paths = {name: fixture_path(task) for name, task in BENCHMARKS.items()}
    metadata = {"orders": 2, "paths": paths, "scoring": "official"}
    command(*asking(tmp_path, "perl_benchmarks", metadata, 2))
    results, samples = written(tmp_path)
    assert set(samples) == set(BENCHMARKS)
    for name, task in BENCHMARKS.items():
        questions = load_questions(task, limit=2, path=paths[name], scoring="official")
        assert [s["doc"]["key"] for s in samples[name]] == [q.key for q in questions]
        assert 0 <= results["results"][name]["acc_mean,none"] <= 1


def test_a_group_with_repeats_has_the_noise_floor(tmp_path):
    metadata = {"orders": 2, "repeats": 2}
    command(*asking(tmp_path, "perl_procedural", metadata, 3, ",temperature=1.0"))
    results, samples = written(tmp_path)
    assert {len(sample["resps"]) for sample in samples["perl_shapes"]} == {4}
    assert all(len(reply) == 1 for sample in samples["perl_shapes"] for reply in sample["resps"])
    group = results["groups"]["perl_procedural"]
    for name in ("acc_mean", "noise_floor", "order_effect"):
        parts = [results["results"][task][f"{name},none"] for task in ("perl_shapes", "perl_digits")]  # fmt: skip
        assert group[f"{name},none"] == pytest.approx(np.mean(parts))
    assert group["noise_floor,none"] > 0


@pytest.mark.vllm
def test_vllm_vlm_says_what_our_own_harness_says(tmp_path):
    arguments = asking(tmp_path, "perl_procedural", {"orders": 3}, 2, model="vllm-vlm",
                       model_args="dtype=float32,max_images=8,max_model_len=1024,gpu_memory_utilization=0.2,enforce_eager=True")  # fmt: skip
    command(*arguments)
    results, samples = written(tmp_path)
    for task, name in {"perl_shapes": "perl/Shapes-v0", "perl_digits": "perl/Digits-v0"}.items():
        check_against_our_harness(samples, results, task, load_questions(name, limit=2), orders=3)


@pytest.mark.vllm
def test_vllm_vlm_with_too_few_images_is_refused(tmp_path):
    printed = command(
        *asking(tmp_path, "perl_shapes", {}, 2, model="vllm-vlm",
                model_args="dtype=float32,max_images=2,max_model_len=1024,gpu_memory_utilization=0.2,enforce_eager=True"),
        code=1,
    )  # fmt: skip
    assert "max_images=3 or more, got 2" in printed
