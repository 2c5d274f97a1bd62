"""What a report leaves as files: plots, tables, the section for a model card."""

from __future__ import annotations

import dataclasses
import io
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import evals
from evals import cli
from evals.chart_style import LIGHT, png_of, standalone_svg
from evals.charts import drawing, element
from evals.comparison import compare
from evals.report import NamedRun, report_directories, write_report
from evals.report_exports import csv_text
from evals.report_tables import differences_frame, unpaired_notes
from evals.training_curves import TrainingRun
from perl_env.errors import InputError

from .policies import PolicyEngine, first_slot, guess, how_many, which_image
from .test_training_curves import steps_of

QUESTIONS = [*(which_image(f"which-{i}", i % 3) for i in range(9)), how_many("many")]


def run_of(policy, name: str, questions=QUESTIONS) -> NamedRun:
    return evals.evaluate(PolicyEngine(policy), questions, name=name).as_run()


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> tuple[Path, list[NamedRun]]:
    runs = [run_of(first_slot, "first|<b>slot"), run_of(guess, "=guess & \x07more")]
    folder = tmp_path_factory.mktemp("export")
    training = [TrainingRun("arm", steps_of(12, 0))]
    write_report(runs, {}, folder / "report.html", training=training, exports=folder / "files")
    return folder / "files", runs


@pytest.mark.slow
def test_every_plot_is_a_png_and_an_svg_file(exported) -> None:
    folder, _ = exported
    names = {path.stem for path in folder.glob("*.svg")}
    assert names == {path.stem for path in folder.glob("*.png")}
    assert names >= {"order_effect_against_noise_floor", "accuracy_by_slot_of_the_gold", "reward",
                     "differences_from_the_baseline"}  # fmt: skip
    for name in names:
        text = (folder / f"{name}.svg").read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in text
        picture = Image.open(folder / f"{name}.png").convert("RGB")
        assert picture.width == 3 * int(root.get("width"))
        assert len(picture.getcolors(100_000)) > 20
    text = (folder / "accuracy_by_slot_of_the_gold.svg").read_text(encoding="utf-8")
    shown = "".join(ElementTree.fromstring(text).itertext())
    assert "first|<b>slot" in shown
    assert "=guess & \N{REPLACEMENT CHARACTER}more" in shown


@pytest.mark.slow
def test_every_table_is_a_csv_file_with_the_numbers_of_the_summary(exported) -> None:
    folder, runs = exported
    tables = {path.stem: pd.read_csv(path) for path in folder.glob("*.csv")}
    assert set(tables) == {
        "metrics",
        "differences",
        "parts",
        "bias",
        "slots",
        "letters",
        "training",
    }
    metrics = tables["metrics"].set_index(["run", "metric"])
    for run, name in zip(runs, ["first|<b>slot", "'=guess & \x07more"], strict=True):
        for metric, estimate in run.metrics.items():
            found = metrics.loc[(name, metric)]
            np.testing.assert_allclose(found[["value", "low", "high"]].astype(float),
                                       [estimate.value, estimate.low, estimate.high])  # fmt: skip
            assert found["questions"] == estimate.questions
    differences = tables["differences"].set_index("metric")
    compared = evals.compare_panel({"a": runs[0].table, "b": runs[1].table}, "a").loc["b"]
    for column in ("difference", "low", "high", "p_value", "mcnemar_p", "q_value"):
        np.testing.assert_allclose(differences[column], compared.loc[differences.index, column])
    assert list(tables["slots"]["slot"]) == [1, 2, 3] * 2


@pytest.mark.slow
def test_the_model_card_shows_names_as_they_are(exported) -> None:
    folder, _ = exported
    text = (folder / "model_card.md").read_text(encoding="utf-8")
    assert text.startswith("## Order-robustness\n")
    assert r"first\|\<b\>slot" in text
    assert "<b>" not in text
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len({line.replace(r"\|", "").count("|") for line in rows}) == 1
    assert any("Order effect" in line for line in rows)


def test_a_png_has_its_letters_also_where_there_are_no_fonts() -> None:
    plot = drawing([element("text", "", x=5, y=5)], 40, "x")
    with_title, without = (
        np.asarray(Image.open(io.BytesIO(png_of(standalone_svg(plot, title)))).convert("L"))
        for title in ("Accuracy", "")
    )
    assert (with_title < 128).sum() > 200
    assert (without < 128).sum() == 0
    assert LIGHT["card"] == "#ffffff"
    assert (without == 255).all()


def test_formulas_stay_text() -> None:
    frame = pd.DataFrame({"kind": ["=1+1", "+x", "-y", "@z", "plain"], "value": [-1.0] * 5})
    found = pd.read_csv(io.StringIO(csv_text(frame)))
    assert list(found["kind"]) == ["'=1+1", "'+x", "'-y", "'@z", "plain"]
    assert (found["value"] == -1).all()


@pytest.mark.slow
def test_exports_take_the_place_of_earlier_ones_and_of_nothing_else(tmp_path: Path) -> None:
    run = run_of(first_slot, "one")
    for _ in range(2):
        write_report([run], {}, tmp_path / "report.html", exports=tmp_path / "files")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "metrics.csv").write_text("precious")
    with pytest.raises(InputError, match="folder is not empty"):
        write_report([run], {}, tmp_path / "report.html", exports=tmp_path / "mine")
    assert (tmp_path / "mine" / "metrics.csv").read_text() == "precious"
    with pytest.raises(InputError, match="a folder"):
        write_report([run], {}, tmp_path / "x.html", exports=tmp_path / "report.html")
    assert not (tmp_path / "x.html").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files", "mine", "report.html"]


def test_a_file_that_is_no_report_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "replies.jsonl").write_text("{}\n")
    with pytest.raises(InputError, match="file is no report"):
        write_report([run_of(first_slot, "one")], {}, tmp_path / "replies.jsonl")
    with pytest.raises(InputError, match="no file to write"):
        write_report([run_of(first_slot, "one")], {}, tmp_path)
    assert (tmp_path / "replies.jsonl").read_text() == "{}\n"


def test_a_key_that_names_another_question_is_not_compared() -> None:
    other = [how_many("which-0"), *QUESTIONS[1:5]]
    runs = [run_of(first_slot, "a"), run_of(first_slot, "b", other)]
    assert differences_frame(runs)["questions"].max() == 4
    assert not len(differences_frame([runs[0], run_of(first_slot, "c", [how_many("new")])]))


def test_a_key_that_names_other_pictures_is_not_compared_and_the_page_says_so(tmp_path) -> None:
    """Keys of a folder are numbers of lines: two folders share them all."""
    one = [which_image(f"line-{i}", i % 3) for i in range(4)]
    other = [which_image(f"line-{i}", (i + 1) % 3) for i in range(4)]
    mixed = [*one[:3], other[3]]
    folders = {name: tmp_path / name for name in ("one", "other", "mixed")}
    for (name, folder), questions in zip(folders.items(), (one, other, mixed), strict=True):
        evals.run_evaluation(PolicyEngine(first_slot), questions, folder, name=name, report=False)
    runs = [NamedRun.load(folder) for folder in folders.values()]
    with pytest.raises(InputError, match=r"share no question.*4 keys that name another question"):
        compare(runs[0].table, runs[1].table)
    assert set(differences_frame(runs)["run"]) == {"mixed"}
    assert differences_frame(runs)["questions"].max() == 3
    page = report_directories(folders.values(), tmp_path / "r.html").read_text()
    assert "other is not compared with one" in page
    assert "Of the keys in both, 4 name other questions in each" in page
    assert "mixed and one: of the keys in both, 1 name other questions" in page


def test_the_same_questions_stay_comparable_with_fewer_of_them_and_with_older_runs(
    tmp_path,
) -> None:
    evals.run_evaluation(PolicyEngine(first_slot), QUESTIONS, tmp_path / "all", name="all")
    evals.run_evaluation(PolicyEngine(guess), QUESTIONS[:4], tmp_path / "few", name="few")
    runs = [NamedRun.load(tmp_path / name) for name in ("all", "few")]
    assert differences_frame(runs)["questions"].max() == 4
    old = dataclasses.replace(runs[1], table=runs[1].table.assign(question_digest=""))
    assert differences_frame([runs[0], old])["questions"].max() == 4
    assert unpaired_notes([runs[0], old], differences_frame([runs[0], old])) == []


def test_runs_without_a_common_question_are_told_not_dropped(tmp_path: Path) -> None:
    runs = [run_of(first_slot, "a"), run_of(first_slot, "b", [how_many("new")])]
    page = write_report(runs, {}, tmp_path / "r.html").read_text()
    assert "<h2>Differences</h2>" in page
    assert "b is not compared with a: no question was asked in the same order in both" in page
    assert "differences.csv" not in page


def test_the_command_writes_both(tmp_path: Path, capsys) -> None:
    import perl_env

    source = {"task": "perl/Digits-v0", "limit": 4}
    evals.run_evaluation(PolicyEngine(first_slot), perl_env.load_questions(**source), tmp_path / "run",
                         orders=3, questions_from=source, report=False)  # fmt: skip
    cli.report([tmp_path / "run"], tmp_path / "new" / "r.html", tmp_path / "files", table=False)
    assert "exports: " in capsys.readouterr().out
    assert "gallery-data" in (tmp_path / "new" / "r.html").read_text(encoding="utf-8")
    assert (tmp_path / "files" / "metrics.csv").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["files", "new", "run"]
