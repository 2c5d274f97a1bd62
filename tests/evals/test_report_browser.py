"""The report in a real browser: nothing leaves the file, nothing in it runs but its own script."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import evals
from evals.report import NamedRun, write_report
from evals.training_curves import TrainingRun

from .browser import opened, started_chromium
from .policies import PolicyEngine, boxed, first_slot, guess, how_many, which_image
from .test_training_curves import steps_of

pytestmark = pytest.mark.slow

ATTACKS = (
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "</script><script>window.hacked = 1</script>",
    "<!--<script>",
    "line\u2028separator\u2029{{ 7 * 7 }}",
    "javascript:window.hacked=1",
    "W" * 500,
)


@pytest.fixture(scope="module")
def browser():
    with started_chromium() as started:
        yield started


def run_of(policy, questions, name: str) -> NamedRun:
    return evals.evaluate(PolicyEngine(policy), questions, name=name).as_run()


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    """Two runs over forty questions of two kinds, and two training runs."""
    questions = [*(which_image(f"which-{i}", i % 3) for i in range(30)),
                 *(how_many(f"many-{i}") for i in range(10))]  # fmt: skip
    runs = [run_of(first_slot, questions, "first slot"), run_of(guess, questions, "guess")]
    training = [TrainingRun(name, steps_of(30, seed)) for seed, name in enumerate(["one", "two"])]
    path = tmp_path_factory.mktemp("report") / "report.html"
    return write_report(runs, {q.key: q for q in questions}, path, training=training)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Path:
    """Everything that comes from data or models is an attack."""
    questions = [
        dataclasses.replace(
            which_image(f"{i} {attack}"), text=f"Which image? {attack}", kind=attack
        )
        for i, attack in enumerate(ATTACKS)
    ]

    def policy(prompt, rng):
        return prompt.text.split("?", 1)[1] + first_slot(prompt)

    runs = [run_of(policy, questions, ATTACKS[i]) for i in (1, 2, 6)]
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    training = [TrainingRun(ATTACKS[0], steps_of(3, 0))]
    return write_report(runs, {q.key: q for q in questions}, path, ATTACKS[2], training=training)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["report", "hostile"])
def test_it_opens_without_a_complaint_and_asks_for_nothing(browser, request, which, scheme) -> None:
    path = request.getfixturevalue(which)
    with opened(browser, path, color_scheme=scheme) as found:
        found.page.wait_for_selector("article")
        assert found.page.locator("svg.chart").count() >= 5
        assert all(
            found.page.locator("img").evaluate_all("all => all.map(each => each.naturalWidth > 0)")
        )
        assert found.requests == [path.resolve().as_uri()]
        assert found.complaints == []


def test_attacks_are_shown_and_not_run(browser, hostile) -> None:
    with opened(browser, hostile) as found:
        page = found.page
        shown = page.locator("pre").all_text_contents()
        for attack in ATTACKS[:6]:
            assert any(text.strip().startswith(attack) for text in shown), attack
        assert page.title() == ATTACKS[2]
        assert ATTACKS[2] in page.locator("h1").text_content()
        assert ATTACKS[1] in page.locator(".verdict").first.text_content()
        assert page.locator("script").count() == 3
        assert page.locator("img[onerror], img[src='x']").count() == 0
        for each in page.locator("select:visible").all():
            for option in each.locator("option").all():
                each.select_option(option.get_attribute("value"))
            each.select_option("")
        assert page.evaluate("window.hacked") is None
        assert found.complaints == []


def test_the_policy_stops_what_would_be_injected(browser, report) -> None:
    with opened(browser, report) as found:
        found.page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "window.hacked = 1";
                const image = document.createElement("img");
                image.src = "http://127.0.0.1:9/x.png";
                image.setAttribute("onerror", "window.hacked = 1");
                document.body.append(script, image);
            }"""
        )
        blocked = found.page.evaluate("fetch('http://127.0.0.1:9/').catch(error => error.name)")
        assert blocked == "TypeError"
        assert found.page.evaluate("window.hacked") is None
        assert len([text for text in found.complaints if "Content Security Policy" in text]) >= 3


def cards(page) -> list[str]:
    return page.locator("article header").all_text_contents()


def test_filters_choose_what_is_shown(browser, report) -> None:
    with opened(browser, report) as found:
        page = found.page
        assert len(cards(page)) == 20
        whole = page.locator("#count").text_content()
        page.select_option("select[name=run]", label=option_of(page, "run", "guess"))
        assert cards(page)
        assert all("guess" in text for text in cards(page))
        page.select_option("select[name=kind]", index=1)
        kind = page.locator("select[name=kind] option").nth(1).get_attribute("value")
        assert cards(page)
        assert all(kind in text and "guess" in text for text in cards(page))
        page.select_option("select[name=outcome]", "wrong-wrong")
        assert page.locator("article .result .good").count() == 0
        for name in ("run", "kind", "outcome"):
            page.select_option(f"select[name={name}]", "")
        assert page.locator("#count").text_content() == whole
        page.fill("input[name=text]", "WHICH-7")
        assert cards(page)
        assert all("which-7" in text for text in cards(page))
        page.fill("input[name=text]", "no such text anywhere")
        assert cards(page) == []
        assert page.locator("#count").text_content() == "0 of 0 shown"
        page.fill("input[name=text]", "")
        page.check("input[name=steady]")
        steady = page.locator("#count").text_content()
        assert steady != whole
        assert found.complaints == []


def option_of(page, name: str, start: str) -> str:
    labels = page.locator(f"select[name={name}] option").all_text_contents()
    return next(label for label in labels if label.startswith(start))


def test_more_cards_come_on_demand(browser, report) -> None:
    with opened(browser, report) as found:
        page = found.page
        total = int(page.locator("#count").text_content().split()[2])
        assert total > 20
        while page.locator("#more").is_visible():
            page.click("#more")
        assert page.locator("article").count() == total
        assert page.locator("#count").text_content() == f"{total} of {total} shown"


@pytest.mark.parametrize("which", ["report", "hostile"])
def test_a_phone_does_not_scroll_sideways(browser, request, which) -> None:
    path = request.getfixturevalue(which)
    with opened(browser, path, viewport={"width": 375, "height": 700}) as found:
        found.page.evaluate(
            "document.querySelectorAll('details').forEach(each => each.open = true)"
        )
        assert found.page.evaluate("document.documentElement.scrollWidth") <= 375


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_follows_the_system_and_the_button(browser, report, scheme) -> None:
    other = {"light": "Dark", "dark": "Light"}[scheme]
    with opened(browser, report, color_scheme=scheme) as found:
        colours = "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('.chart .marker')).fill]"
        before = found.page.evaluate(colours)
        assert (sum(map(int, before[0][4:-1].split(","))) > 380) == (scheme == "light")
        assert found.page.locator("#theme").text_content() == other
        found.page.click("#theme")
        after = found.page.evaluate(colours)
        assert after[0] != before[0]
        assert after[1] != before[1]
        found.page.click("#theme")
        assert found.page.evaluate(colours) == before


def test_tables_and_plots_are_saved_from_the_page(browser, report, tmp_path) -> None:
    with opened(browser, report, accept_downloads=True) as found:
        saved = {}
        for name in ("metrics.csv", "reward.svg", "reward.png", "model_card.md"):
            with found.page.expect_download() as download:
                found.page.click(f"button[data-file='{name}']")
            assert download.value.suggested_filename == name
            download.value.save_as(tmp_path / name)
            saved[name] = (tmp_path / name).read_bytes()
        assert saved["metrics.csv"].startswith(b"run,metric,value,low,high,questions\n")
        assert saved["reward.svg"].startswith(b"<svg")
        assert saved["reward.png"].startswith(b"\x89PNG")
        assert saved["model_card.md"].startswith(b"## Order-robustness")
        assert found.requests == [report.resolve().as_uri()]
        assert found.complaints == []


def test_print_hides_what_paper_cannot_use(browser, report) -> None:
    with opened(browser, report) as found:
        found.page.emulate_media(media="print")
        assert not found.page.locator("#filters").is_visible()
        assert not found.page.locator("#theme").is_visible()
        assert found.page.locator("article").first.is_visible()


def test_without_scripts_the_numbers_are_there_and_the_gallery_says_what_it_needs(
    browser, report
) -> None:
    with opened(browser, report, java_script_enabled=False) as found:
        assert found.page.locator("table").first.is_visible()
        assert "needs JavaScript" in found.page.locator("noscript").inner_text()
        assert not found.page.locator("#filters").is_visible()


def test_a_gallery_of_one_run_has_no_choice_of_runs(browser, tmp_path) -> None:
    questions = [which_image(f"q{i}", i % 3) for i in range(6)]

    def second(prompt, rng):
        return boxed("Image 2")

    run = run_of(second, questions, "second")
    path = write_report([run], {q.key: q for q in questions}, tmp_path / "report.html")
    with opened(browser, path) as found:
        assert found.page.locator("article").count() > 0
        assert not found.page.locator("select[name=run]").is_visible()
        assert not found.page.locator("select[name=kind]").is_visible()
        assert found.complaints == []
