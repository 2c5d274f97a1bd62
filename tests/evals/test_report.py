from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

import evals
from agents.engines.base import SamplingParams
from evals.gallery import find_flips, flipped_questions
from evals.gallery_data import data_uri, embedded_json, make_gallery
from evals.metrics import per_question
from evals.report import NamedRun, report_directories, summary_table, write_report
from evals.run_names import distinct_names
from evals.run_settings import settings_warnings
from evals.summary import summarize
from evals.verdict import judge, verdict
from perl_env.errors import InputError

from .policies import PolicyEngine, boxed, first_slot, guess, how_many, look, silent, which_image
from .tables import make_table, reply_tables

QUESTIONS = [*(which_image(f"which-{i}", i % 3) for i in range(9)), how_many("many")]
BY_KEY = {question.key: question for question in QUESTIONS}
NEVER_CLOSED = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """Reads a page strictly: tags must nest, and what it refers to is remembered."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.embedded: dict[str, str] = {}
        self.script_types: list[str] = []
        self._into = ""
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [
            value for name, value in attrs if name in ("src", "href", "srcset", "action", "data")
        ]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag == "script":
            self._into = dict(attrs).get("id", "")
            self.script_types.append(dict(attrs).get("type", ""))
        if tag not in NEVER_CLOSED:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.embedded[self._into] = self.embedded.get(self._into, "") + data
        elif not self.open or self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def gallery(self) -> dict:
        return json.loads(self.embedded.get("gallery-data", '{"cards": []}'))


def run_of(policy, name: str = "", questions=QUESTIONS, **arguments) -> NamedRun:
    return evals.evaluate(
        PolicyEngine(policy), questions, name=name or policy.__name__, **arguments
    ).as_run()


def page_of(runs, tmp_path: Path, questions=BY_KEY, **arguments) -> Page:
    path = write_report(runs, questions, tmp_path / "report.html", **arguments)
    return Page(path.read_text(encoding="utf-8"))


def test_the_report_needs_nothing_outside_the_file(tmp_path: Path) -> None:
    page = page_of([run_of(look), run_of(first_slot), run_of(guess)], tmp_path)
    assert page.references
    assert all(reference.startswith("data:") for reference in page.references)
    assert page.script_types == ["application/json", "application/json", ""]
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    files = json.loads(page.embedded["file-data"])  # SVG files name their format by an address
    names = {name for text in files.values() for name in re.findall(r'https?://[^"]+', text)}
    assert names == {"http://www.w3.org/2000/svg"}
    outside = html.replace(page.embedded["file-data"], "")
    assert not re.search(r"https?://|url\(|@import|innerHTML|eval\(", outside)
    assert "prefers-color-scheme: dark" in html
    assert 'name="viewport"' in html
    assert len(html) < 300_000


def test_the_report_shows_every_run_with_its_verdict_and_numbers(tmp_path: Path) -> None:
    runs = [run_of(look), run_of(first_slot)]
    page = page_of(runs, tmp_path)
    for run in runs:
        assert verdict(run.name, run.metrics) in page.text
    for words in ("Flip rate ↓", "Consistent accuracy ↑", "Order effect ↓", "first_slot minus look",
                  "Accuracy by slot of the gold", "Order effect against noise floor", "equivariant"):  # fmt: skip
        assert words in page.text
    assert page.tags.count("svg") == 5


def test_replies_and_names_are_escaped(tmp_path: Path) -> None:
    attack = "<script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}"

    def hostile(prompt, rng):
        return attack + first_slot(prompt)

    question = dataclasses.replace(
        which_image("key<b>"), text="Which image is <i>red</i>?", kind="<u>"
    )
    page = page_of(
        [run_of(hostile, name="</title><b>", questions=[question])], tmp_path, {"key<b>": question}
    )
    assert len(page.script_types) == 3
    assert not {"b", "i", "u"} & set(page.tags)
    assert "</title><b>" in page.text
    panel = page.gallery["cards"][0]["panels"][0]
    assert panel["reply"].startswith(attack)
    assert panel["text"] == "Which image is <i>red</i>?"
    assert all(reference.startswith("data:") for reference in page.references)


def test_the_gallery_shows_flipped_questions_in_two_orders(tmp_path: Path) -> None:
    run = run_of(first_slot)
    page = page_of([run], tmp_path, gallery_limit=4)
    assert "first_slot: 4 of 9 flipped questions" in page.text
    cards, uris = page.gallery["cards"], page.gallery["pictures"]
    assert len(cards) == 4
    assert len(uris) == len(set(uris)) <= 12
    for card in cards:
        right, wrong = card["panels"]
        assert right["correct"]
        assert not wrong["correct"]
        assert right["canonical"] != wrong["canonical"]
        assert [p["letter"] for p in wrong["pictures"]] == [
            "abc"[int(slot)] for slot in wrong["order"].split("-")
        ]
        shown, again = (
            {p["letter"]: p["picture"] for p in panel["pictures"]} for panel in (right, wrong)
        )
        assert shown == again
        images = BY_KEY[card["key"]].images
        assert [uris[shown[letter]] for letter in "abc"] == [data_uri(image) for image in images]
        assert [p["letter"] for p in right["pictures"] if p["gold"]] == [
            p["letter"] for p in wrong["pictures"] if p["gold"]
        ]
        assert [p["chosen"] for p in wrong["pictures"]] == [True, False, False]


def test_runs_take_turns_in_the_gallery_until_its_room_is_used_up() -> None:
    tables = [run_of(first_slot).table, run_of(guess).table]
    runs = [(str(i), table, BY_KEY) for i, table in enumerate(tables)]
    whole = make_gallery(runs, limit=100)
    assert whole.shown == whole.flips
    limit = len(embedded_json(whole.data)) // 2
    half = make_gallery(runs, limit=100, size_limit=limit)
    assert 0 < len(half.data["cards"]) < len(whole.data["cards"])
    assert half.flips == whole.flips
    assert abs(half.shown[0] - half.shown[1]) <= 1
    assert len(embedded_json(half.data)) < limit + 200
    used = {
        p["picture"] for c in half.data["cards"] for panel in c["panels"] for p in panel["pictures"]
    }
    assert used == set(range(len(half.data["pictures"])))


@given(st.text() | st.sampled_from(["</script>", "<!--<script>", "\u2028\u2029", "\ud800", "]]>"]))
def test_embedded_json_holds_any_text_and_nothing_that_ends_a_script(text: str) -> None:
    embedded = embedded_json({"text": text})
    assert json.loads(embedded) == {"text": text}
    assert embedded.isascii()
    assert not set("<>&") & set(embedded)


def test_the_gallery_prefers_flips_that_are_not_noise() -> None:
    table = make_table(
        {
            "noisy": {"0-1-2": ["a", "b"], "1-0-2": ["b", "a"]},
            "steady": {"0-1-2": ["a", "a"], "1-0-2": ["b", "b"], "2-1-0": ["a", "a"]},
            "silent": {"0-1-2": ["a", "a"], "1-0-2": [None, None]},
            "same": {"0-1-2": ["a", "a"], "1-0-2": ["a", "a"]},
            "mute": {"0-1-2": [None], "1-0-2": [None]},
        },
        dict.fromkeys(["noisy", "steady", "silent", "same", "mute"], "a"),
    )
    flips = find_flips(table)
    assert [flip.question for flip in flips] == ["steady", "noisy", "silent"]
    assert flips[0].orders == ("0-1-2", "1-0-2")
    assert [flip.steady for flip in flips] == [True, False, False]
    assert [flip.outcome for flip in flips] == ["right-wrong", "right-wrong", "unreadable"]


@given(reply_tables())
def test_the_flip_rate_counts_what_the_gallery_finds_and_what_cannot_be_read(table) -> None:
    counts = flipped_questions(table)
    assert counts.readable == {flip.question for flip in find_flips(table)}
    flips = per_question(table)["flip_rate"]
    assert counts.readable | counts.unreadable == set(flips.index[flips == 1])


def test_the_caption_explains_why_the_flip_rate_counts_more(tmp_path: Path) -> None:
    def half(prompt, rng):
        return silent(prompt) if "How many" in prompt.text else first_slot(prompt)

    page = page_of([run_of(half)], tmp_path)
    assert (
        "half: 9 of 9 flipped questions; the flip rate counts 10, also 1 without any answer"
        in page.text
    )
    page = page_of([run_of(silent)], tmp_path)
    assert "silent: 0 of 0 flipped questions; the flip rate counts 10, also 10 without" in page.text
    page = page_of([run_of(first_slot)], tmp_path, dict(list(BY_KEY.items())[:4]))
    assert (
        "first_slot: 4 of 4 flipped questions; the flip rate counts 9, also 5 without pictures"
        in page.text
    )


def test_kinds_take_turns_in_the_gallery() -> None:
    replies = {key: {"0-1": ["a"], "1-0": ["b"]} for key in ("p1", "p2", "p3", "q1")}
    table = make_table(replies, dict.fromkeys(replies, "a"))
    table["kind"] = table["question"].str[0]
    assert [flip.question for flip in find_flips(table)] == ["p1", "q1", "p2", "p3"]


def picture_in(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.split(",")[1])))


def test_a_picture_becomes_small_and_a_drawing_stays_exact() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (100, 400, 3), dtype=np.uint8)
    uri = data_uri(photo)
    assert uri.startswith("data:image/webp;base64,")
    assert picture_in(uri).size == (192, 48)
    drawing = np.kron(
        np.arange(27, dtype=np.uint8).reshape(3, 3, 3), np.ones((40, 40, 1), np.uint8)
    )
    uri = data_uri(drawing)
    assert uri.startswith("data:image/png;base64,")
    np.testing.assert_array_equal(np.asarray(picture_in(uri)), drawing)


def test_long_replies_are_cut_and_options_shown(tmp_path: Path) -> None:
    def verbose(prompt, rng):
        return "word " * 5000 + boxed("A" if prompt.seed % 2 else "B")

    page = page_of([run_of(verbose, questions=[QUESTIONS[-1]])], tmp_path)
    (card,) = page.gallery["cards"]
    assert card["panels"][0]["reply"].endswith("characters more)")
    options = card["panels"][0]["options"]
    assert [option["line"] for option in options if option["gold"]] == ["B. two"]
    assert (tmp_path / "report.html").stat().st_size < 100_000


@pytest.mark.parametrize("arguments", [{"orders": 1, "repeats": 1}, {"orders": 1}, {"repeats": 1}])
def test_reports_of_runs_that_leave_metrics_undefined(tmp_path: Path, arguments: dict) -> None:
    page = page_of([run_of(first_slot, **arguments), run_of(silent, **arguments)], tmp_path)
    assert "nan" not in page.text.lower()


def test_without_pictures_the_report_has_no_gallery(tmp_path: Path) -> None:
    page = page_of([run_of(first_slot)], tmp_path, questions={})
    assert "gallery-data" not in page.embedded
    assert "changed with the order" not in page.text


def test_nothing_to_report_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to report"):
        write_report([], {}, tmp_path / "report.html")


@pytest.mark.parametrize(
    ("policy", "arguments", "judgement"),
    [
        (look, {}, "no order effect shown"),  # 10 questions prove nothing
        (first_slot, {}, "order-sensitive"),
        (first_slot, {"repeats": 1}, "noise not measured"),
        (first_slot, {"orders": 1}, "order not tested"),
    ],
)
def test_the_verdict_says_what_the_intervals_allow(policy, arguments: dict, judgement: str) -> None:
    run = run_of(policy, **arguments)
    assert judge(run.metrics) == judgement
    sentence = verdict("M", run.metrics)
    assert sentence.startswith("M answers")
    assert sentence.endswith(".")
    assert sentence.count(". ") == 0
    assert "nan" not in sentence


def test_many_questions_without_an_effect_are_called_robust() -> None:
    replies = {f"q{i}": {"0-1": ["a", "a"], "1-0": ["a", "a"]} for i in range(300)}
    assert judge(summarize(make_table(replies, dict.fromkeys(replies, "a")))) == "order-robust"


def test_the_verdict_tells_of_unparsable_replies() -> None:
    assert "100.0 % of its replies could not be read" in verdict("M", run_of(silent).metrics)


def test_the_terminal_table_has_runs_side_by_side() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(summary_table([run_of(look), run_of(first_slot)], title="Shapes"))
    text = console.export_text()
    (line,) = [line for line in text.splitlines() if "Flip rate" in line]
    assert "0.0 %" in line
    assert "90.0 %" in line
    assert "look" in text
    assert "first_slot" in text
    assert "10 / 120" in text


def test_directories_give_the_same_report_as_their_runs(tmp_path: Path) -> None:
    source = {"task": "perl/Digits-v0", "limit": 6}
    import perl_env

    questions = perl_env.load_questions(**source)
    for name in ("one", "two"):
        evals.run_evaluation(PolicyEngine(first_slot), questions, tmp_path / name, orders=3, model=name,
                             questions_from=source)  # fmt: skip
    path = report_directories([tmp_path / "one", tmp_path / "two"], tmp_path / "both.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert "two minus one" in page.text
    assert len(page.gallery["cards"]) > 2
    with pytest.raises(InputError, match="no run directory"):
        report_directories([tmp_path], tmp_path / "x.html")


def test_the_report_says_how_runs_were_made_and_warns_where_settings_differ(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("a", "b", "c")]
    for folder, tokens, instruction in zip(
        folders, (64, 128, 64), (None, "Answer.", None), strict=True
    ):
        evals.run_evaluation(
            PolicyEngine(first_slot), QUESTIONS, folder, name=folder.name, task="perl/Shapes-v0", seed=3,
            sampling=SamplingParams(0.5, tokens, 3), instruction=instruction,
        )  # fmt: skip
    page = Page(report_directories(folders, tmp_path / "r.html", tmp_path / "files").read_text())
    card = (tmp_path / "files" / "model_card.md").read_text().replace("\\", "")
    own = Page((folders[0] / "report.html").read_text())
    for text in (page.text, card, own.text):
        for words in ("task perl/Shapes-v0", "questions 10", "orders 6", "repeats 2", "temperature 0.5",
                      "max new tokens 64", "instruction by default", "scoring strict", "seed 3",
                      "engine policy", "perl-env 0", "git commit"):  # fmt: skip
            assert words in text
    for text in (page.text, card):
        assert "b and a were measured with different settings" in text
        assert "max new tokens (128 and 64), instruction ('Answer.' and by default)" in text
        assert "c and a were measured" not in text


def test_scoring_and_engine_are_settings_that_have_to_agree() -> None:
    run = run_of(first_slot, "a")
    other = dataclasses.replace(run, name="b", table=run.table.assign(scoring="blink"))
    (warning,) = settings_warnings([run, other])
    assert "scoring (blink and strict)" in warning
    engines = [
        dataclasses.replace(run, config={"engine": name}) for name in ("vllm", "transformers")
    ]
    assert "engine (transformers and vllm)" in settings_warnings(engines)[0]


def test_runs_of_one_name_can_be_told_apart(tmp_path: Path) -> None:
    for folder, policy in (("q1", first_slot), ("q2", guess)):
        evals.run_evaluation(PolicyEngine(policy), QUESTIONS, tmp_path / folder, name="embedded")
    folders = [tmp_path / "q1", tmp_path / "q2"]
    page = Page(report_directories(folders, tmp_path / "r.html", tmp_path / "files").read_text())
    assert "embedded (q2) minus embedded (q1)" in page.text
    differences = pd.read_csv(tmp_path / "files" / "differences.csv")
    assert {*differences["run"], *differences["other"]} == {"embedded (q1)", "embedded (q2)"}
    page = page_of([run_of(first_slot, "same"), run_of(guess, "same")], tmp_path)
    assert "same (#2) minus same (#1)" in page.text
    assert page.gallery["runs"] == ["same (#1)", "same (#2)"]


@pytest.mark.parametrize(
    ("names", "folders"),
    [(["a", "a", "a (x)"], ["x", "y", "z"]), (["a", "a"], ["x", "x"]), (["a", "a", "a (#1)"], [])],
)
def test_distinct_names_are_distinct(names: list[str], folders: list[str]) -> None:
    assert len(set(distinct_names(names, folders))) == len(names)


def test_an_unfinished_run_is_called_so_everywhere(tmp_path: Path) -> None:
    out = tmp_path / "run"
    evals.run_evaluation(PolicyEngine(first_slot), QUESTIONS, out, name="one", report=False)
    assert NamedRun.load(out).finished
    lines = (out / "replies.jsonl").read_text().splitlines(keepends=True)
    (out / "results.json").unlink()
    (out / "replies.jsonl").write_text("".join(lines[:70]))
    told = "nfinished: 70 of 120 replies"
    run = NamedRun.load(out)
    page = Page(report_directories([out], tmp_path / "r.html", tmp_path / "files").read_text())
    assert told in page.text
    assert told in (tmp_path / "files" / "model_card.md").read_text()
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(summary_table([run]))
    assert told in console.export_text()
    config = json.loads((out / "config.json").read_text())
    del config["planned_replies"]  # as folders were before
    (out / "config.json").write_text(json.dumps(config))
    assert NamedRun.load(out).unfinished == "unfinished: 70 replies"
    evals.run_evaluation(PolicyEngine(first_slot), QUESTIONS, out, name="one", report=False)
    assert NamedRun.load(out).finished


def test_pictures_of_changed_questions_are_not_shown(tmp_path: Path) -> None:
    evals.run_evaluation(PolicyEngine(first_slot), QUESTIONS, tmp_path / "run",
                         questions_from={"task": "perl/Digits-v0", "limit": 10})  # fmt: skip
    path = report_directories([tmp_path / "run"], tmp_path / "report.html")
    assert "gallery-data" not in Page(path.read_text(encoding="utf-8")).embedded
