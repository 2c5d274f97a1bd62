"""The one command, as a user types it: what it does, its exit codes, its one line of complaint."""

import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from evals import cli
from perl_env.errors import InputError

CONFIGS = Path(__file__).parents[2] / "configs"


def perl_env(*arguments, code=0):
    """Run the command in a fresh process; returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "evals.cli", *map(str, arguments)],
        capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stderr


def test_every_subcommand_has_help():
    shown = perl_env("--help")
    for command in ("demo", "train", "eval", "report", "list"):
        assert command in shown
        assert "--help" in perl_env(command, "--help")


def test_the_tasks_are_listed():
    shown = perl_env("list")
    for task in ("perl/Shapes-v0", "perl/Digits-v0", "perl/Folder-v0"):
        assert task in shown
    assert "which-image" in perl_env("list", "--task", "perl/Digits-v0")


def folder_with_bad_rows(path):
    from perl_env.registration import load_questions
    from perl_env.tasks.folder import write_folder

    write_folder(load_questions("perl/Shapes-v0", limit=4, kinds=["which-image"]), path)
    with (path / "questions.jsonl").open("a") as file:
        file.write(
            '{"images": ["nowhere.png"], "question": "?", "answer": "x", "order_class": "single"}\n'
        )
        file.write("not json\n")


def test_bad_rows_of_a_folder_are_counted_and_listed(tmp_path):
    folder_with_bad_rows(tmp_path)
    shown = perl_env("list", "--task", tmp_path)
    assert "4 questions" in shown
    assert "2 rows left out" in shown
    assert "line 5" in shown
    assert "line 6" in shown


@pytest.mark.slow  # each is a process of its own, as users run it
@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["list", "--task", "perl/Shpes-v0"], "'perl/Shapes-v0' (the nearest)"),
        (["list", "--task", "perl/Shapes-v0", "--split", "val"], "unknown split"),
        (["list", "--task", "BAD_FOLDER", "--strict"], "questions.jsonl"),
        (
            ["eval", "--model", "nowhere", "--task", "perl/Shapes-v0", "--out", "OUT"],
            "no such model folder",
        ),
        (
            ["eval", "--model", "EMPTY", "--task", "perl/Shapes-v0", "--out", "OUT"],
            "without a usable processor",
        ),
        (["train", "nowhere.yaml", "--out", "OUT"], "no such configuration"),
        (
            ["train", "TINY", "--set", "training.clip_hi=1", "--out", "OUT"],
            "'clip_high' (the nearest)",
        ),
        (["train", "TINY", "--set", "training.lr", "--out", "OUT"], "section.key=value"),
        (
            ["train", "TINY", "--set", "environment.env=perl_env:perl/Shpes-v0", "--out", "OUT"],
            "Shapes-v0",
        ),
        (
            [
                "train",
                "TINY",
                "--set",
                "evaluation.evaluation_interval=1",
                "--set",
                "evaluation.evaluation_config.env_config.splt=test",
                "--out",
                "OUT",
            ],
            "'split' (the nearest)",
        ),
        (["train", "TINY", "--out", "FULL"], "folder is not empty"),
        (["report", "EMPTY", "--out", "OUT"], "no run directory"),
    ],
    ids=lambda value: " ".join(value[:3]) if isinstance(value, list) else "",
)
def test_wrong_input_is_told_in_one_line_with_exit_code_2(tmp_path, arguments, complaint):
    (tmp_path / "empty").mkdir()
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").write_text("mine")
    (tmp_path / "bad").mkdir()
    folder_with_bad_rows(tmp_path / "bad")
    places = {
        "OUT": tmp_path / "out", "EMPTY": tmp_path / "empty", "FULL": tmp_path / "full",
        "BAD_FOLDER": tmp_path / "bad", "TINY": CONFIGS / "tiny_shapes.yaml",
    }  # fmt: skip
    shown = perl_env(*(places.get(argument, argument) for argument in arguments), code=2)
    assert shown.startswith("error: ")
    assert complaint in shown
    assert len(shown.strip().splitlines()) == 1
    assert (tmp_path / "full" / "precious.txt").read_text() == "mine"


@pytest.mark.slow
def test_rows_left_out_of_an_evaluation_are_on_record(tmp_path):
    folder_with_bad_rows(tmp_path / "data")
    perl_env(
        "eval", "--model", "embedded", "--task", tmp_path / "data", "--out", tmp_path / "run",
        "--orders", 1, "--repeats", 1, "--max-new-tokens", 4,
    )  # fmt: skip
    left_out = json.loads((tmp_path / "run" / "results.json").read_text())["rows_left_out"]
    assert sum(left_out.values()) == 2
    assert any("nowhere.png" in reason for reason in left_out)


@pytest.mark.slow
def test_evaluation_writes_its_folder_and_is_continued_by_the_same_command(tmp_path):
    command = (
        "eval", "--model", "embedded", "--task", "perl/Shapes-v0", "--limit", 6, "--orders", 3,
        "--max-new-tokens", 16, "--instruction", "", "--out", tmp_path / "run",
    )  # fmt: skip
    shown = perl_env(*command)
    assert "flip rate" in shown.lower()
    replies = pd.read_json(tmp_path / "run" / "replies.jsonl", lines=True)
    assert set(replies["repeat"]) == {0, 1}
    assert json.loads((tmp_path / "run" / "results.json").read_text())["task"] == "perl/Shapes-v0"
    before = (tmp_path / "run" / "replies.jsonl").read_bytes()
    lines = before.splitlines(keepends=True)
    (tmp_path / "run" / "replies.jsonl").write_bytes(b"".join(lines[:10]) + lines[10][:20])
    perl_env(*command)
    assert sorted((tmp_path / "run" / "replies.jsonl").read_bytes().splitlines()) == sorted(
        before.splitlines()
    )
    perl_env("report", tmp_path / "run", "--out", tmp_path / "both.html")
    assert "<html" in (tmp_path / "both.html").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["both.html", "run"]


def test_the_papers_table_is_printed_and_written(tmp_path, capsys):
    cli.report(runs=None, out=tmp_path / "table.md", table=True)
    shown = capsys.readouterr().out
    for word in ("Qwen2.5-VL-7B", "76.39", "MV-MATH", "PeRL, table 1"):
        assert word in shown
    assert "| PeRL | 76.39 | 58.53 |" in (tmp_path / "table.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"runs": None, "out": Path("x.html")}, "nothing to report"),
        ({"runs": [Path("run")], "out": None}, "no file to write"),
        ({"runs": None, "out": Path("x.html"), "table": True}, r"ends in \.md or \.csv"),
    ],
)
def test_a_report_says_what_it_lacks(arguments, message):
    with pytest.raises(InputError, match=message):
        cli.report(**arguments)


@pytest.mark.slow
def test_a_mixture_is_evaluated_task_by_task_beside_the_papers_rows(tmp_path):
    import dataclasses

    from perl_env.registration import load_questions
    from perl_env.tasks.folder import write_folder

    benchmark = [
        dataclasses.replace(question, scoring="mantis-eval", key=f"m{i}")
        for i, question in enumerate(
            load_questions("perl/Digits-v0", limit=3, kinds=["which-image"])
        )
    ]
    write_folder(benchmark, tmp_path / "mantis")
    shown = perl_env(
        "eval", "--model", "embedded", "--task", f"perl/Shapes-v0: 1, {tmp_path / 'mantis'}: 3",
        "--limit", 5, "--orders", 2, "--max-new-tokens", 16, "--instruction", "", "--out", tmp_path / "run",
    )  # fmt: skip
    assert "perl/Shapes-v0" in shown
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert set(results["by"]["task"]) == {"perl/Shapes-v0", str(tmp_path / "mantis")}
    replies = pd.read_json(tmp_path / "run" / "replies.jsonl", lines=True)
    assert set(replies["scoring"]) == {"strict", "mantis-eval"}
    shown = perl_env("report", "--table", tmp_path / "run", "--out", tmp_path / "table.csv")
    assert "embedded: Mantis-Eval: 3 questions" in shown
    assert "embedded,Mantis-Eval," in (tmp_path / "table.csv").read_text()
    perl_env(
        "report", tmp_path / "run", "--out", tmp_path / "report.html"
    )  # its questions load again
    assert "<html" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_the_cost_is_told_beforehand_and_nothing_is_written(tmp_path):
    command = ("eval", "--task", "perl/Shapes-v0", "--limit", 6, "--orders", 3, "--repeats", 2,
               "--max-new-tokens", 10, "--dry-run", "--out", tmp_path / "run", "--model")  # fmt: skip
    local, remote = perl_env(*command, "embedded"), perl_env(*command, "https://localhost/v1")
    assert "6 questions" in local
    assert "counted by the model's processor" in local
    assert "estimated" in remote
    assert "reply tokens at most" in remote
    assert list(tmp_path.iterdir()) == []


def test_an_address_is_not_copied_over_ray():
    from evals.eval_command import evaluation_engine

    with (
        pytest.raises(InputError, match=r"--ray: expected a model folder, or --engine-set concurr"),
        evaluation_engine("http://localhost:1/v1", 2, "transformers", {}),
    ):
        pass


@pytest.mark.slow
def test_evaluation_over_ray_gives_the_same_replies(tmp_path):
    command = (
        "eval", "--model", "embedded", "--task", "perl/Shapes-v0", "--limit", 30, "--orders", 3,
        "--max-new-tokens", 16,
    )  # fmt: skip
    perl_env(*command, "--out", tmp_path / "alone")
    perl_env(*command, "--out", tmp_path / "shared", "--ray", 2)
    lines = [(tmp_path / run / "replies.jsonl").read_text().splitlines() for run in ("alone", "shared")]  # fmt: skip
    assert sorted(lines[0]) == sorted(lines[1])
    perl_env(*command, "--out", tmp_path / "shared")  # which is done, alone or not
    assert len((tmp_path / "shared" / "replies.jsonl").read_text().splitlines()) == len(lines[1])


@pytest.mark.slow
def test_training_writes_a_model_and_goes_on_where_it_was_stopped(tmp_path):
    def command(out, steps):
        return (
            "train", CONFIGS / "tiny_shapes.yaml", "--out", tmp_path / out, "--set", "run.steps=2",
            "--set", "training.questions_per_step=2", "--set", "training.rollouts_per_order=2",
            "--set", "run.checkpoint_every=1", "--set", f"env_runners.max_new_tokens={steps}",
        )  # fmt: skip

    shown = perl_env(*command("run", 12))
    assert "step 2 of 2" in shown
    lines = [
        json.loads(line) for line in (tmp_path / "run" / "progress.jsonl").read_text().splitlines()
    ]
    assert [line["step"] for line in lines] == [1, 2]
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "checkpoint", "config.yaml", "model", "progress.jsonl", "tensorboard",
    }  # fmt: skip
    from agents.engines import Prompt, SamplingParams, make_engine
    from perl_env.registration import load_questions

    engine = make_engine(tmp_path / "run" / "model")
    (question,) = load_questions("perl/Shapes-v0", limit=1)
    assert engine.generate([Prompt(question.images, question.text)], 1, SamplingParams(0, 4))
    assert "folder holds a run of another configuration" in perl_env(*command("run", 13), code=2)
    assert "step" not in perl_env(*command("run", 12))  # nothing is left to do


@pytest.mark.slow
def test_training_shows_order_robustness_as_it_goes(tmp_path):
    """The last step's figures are those of the model that the run leaves."""
    perl_env(
        "train", CONFIGS / "tiny_shapes.yaml", "--out", tmp_path / "run", "--set", "run.steps=4",
        "--set", "training.questions_per_step=2", "--set", "training.rollouts_per_order=2",
        "--set", "evaluation.evaluation_interval=2",
        "--set", "evaluation.evaluation_config.env_config={split: test, gold_slot_decay: 1.0}",
        "--set", "evaluation.order_robustness={limit: 8, orders: 3, repeats: 2, seed: 5, instruction: ''}",
    )  # fmt: skip
    lines = [
        json.loads(line) for line in (tmp_path / "run" / "progress.jsonl").read_text().splitlines()
    ]
    curve = "evaluation/order_robustness/"
    assert [f"{curve}order_effect" in line for line in lines] == [False, True, False, True]
    found = {name.removeprefix(curve): value for name, value in lines[-1].items() if name.startswith(curve)}  # fmt: skip
    assert {"consistent_accuracy", "order_effect", "noise_floor"} <= found.keys()
    from agents.engines import SamplingParams, make_engine
    from evals.harness import evaluate
    from perl_env.registration import load_questions

    questions = load_questions("perl/Shapes-v0", split="test", limit=8)
    engine = make_engine(tmp_path / "run" / "model")
    alone = evaluate(engine, questions, 3, 2, SamplingParams(1.0, 20, 5), "", seed=5)
    assert found == pytest.approx({name: alone.metrics[name].value for name in found})
    written = tmp_path / "page.html"
    perl_env("report", tmp_path / "run", "--out", written)
    assert "Order effect" in written.read_text()


@pytest.mark.slow
def test_a_model_behind_an_address_is_measured_and_a_failed_run_goes_on(tmp_path, monkeypatch):
    """The server answers some requests and refuses the next; the same command asks only the others."""
    from tests.agents.fault_server import FaultServer

    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    out = tmp_path / "run"
    with FaultServer(reply=lambda body, index: "<think>a</think>\\boxed{1}") as server:
        arguments = (
            "eval", "--model", f"{server.url}#tiny", "--task", "perl/Shapes-v0", "--limit", "4",
            "--orders", "2", "--repeats", "1", "--out", out, "--engine-set", "concurrency=1",
        )  # fmt: skip
        server.faults.extend([None, None, None, 401])
        complaint = perl_env(*arguments, code=2)
        assert len(complaint.strip().splitlines()) == 1
        answered = len(server.answered)
        left = perl_env(*arguments, "--dry-run")
        assert f"3 replies lie in {out} already" in left
        assert "5 questions in an order, 5 replies" in left
        assert "report:" in perl_env(*arguments)
        assert len(server.answered) == 8
        assert answered == 3
        assert set(server.keys) == {"Bearer sk-secret"}
    rows = pd.read_json(out / "replies.jsonl", lines=True, dtype=False)
    assert len(rows) == 8
    written = "".join(f.read_text() for f in out.iterdir() if f.suffix in (".json", ".jsonl"))
    assert "sk-secret" not in written + complaint
