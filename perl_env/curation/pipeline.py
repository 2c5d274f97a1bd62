"""The whole preparation: four stages and a data set, each of which is done once.

A stage's outcome is a file that names the settings which it followed from, those of the stages before it
included. The same command therefore goes on after a kill, and a changed configuration redoes the stages
that it concerns and those behind them; what models answered is kept in either case.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perl_env.curation import output, rephrase, rollout_filter, semantic_label
from perl_env.curation.accounts import StageAccount, account, difficulties, histograms
from perl_env.curation.asking import Answers, Model
from perl_env.curation.outcome import Outcome, changed
from perl_env.curation.rule_filter import filter_by_rules
from perl_env.curation.settings import ModelSettings, Settings
from perl_env.curation.sources import Sources
from perl_env.curation.stage_input import StageInput
from perl_env.curation.survey import Facts, Progress, gold_place, survey
from perl_env.curation.workspace import Workspace, fingerprint
from perl_env.errors import InputError
from perl_env.question import Question

#: Makes whoever a stage asks; called only where answers may be missing.
MakeModel = Callable[[ModelSettings], Model]


@dataclass(frozen=True)
class Report:
    """What a preparation did.

    Attributes:
        stages: in their order.
        left_out_by_loaders: rows that were never questions.
        before: histograms of the questions that entered; of accuracies, of those that were measured.
        after: of those in the data set.
        waiting: how many questions wait for a person in ``labels.jsonl``.
        redone: stages that were done again since the configuration or a label changed.
        dataset: the folder with the questions, or ``None`` where none was left.
    """

    stages: tuple[StageAccount, ...]
    left_out_by_loaders: int
    before: dict[str, dict[str, int]]
    after: dict[str, dict[str, int]]
    waiting: int
    redone: tuple[str, ...]
    dataset: str | None


def prepare(
    settings: Settings,
    out: str | Path,
    make_model: MakeModel,
    progress: Progress | None = None,
) -> Report:
    """Filter, rephrase, measure and label questions, and write them as a data set.

    Args:
        settings: what is done.
        out: the folder; nothing is written elsewhere.
        make_model: makes the models that stages ask; a model with ``close`` is closed.
        progress: told the stage, how much is done, and how much there is.

    Raises:
        InputError: the folder is in use, a source cannot be loaded, or a label is not usable.
        Exception: whatever a model raises; what it answered before is kept, and the same call goes on.
    """
    with Workspace(out) as workspace:
        return _Preparation(settings, workspace, make_model, progress).run()


class _Preparation:
    def __init__(self, settings: Settings, workspace: Workspace, make_model: MakeModel, progress: Progress | None):  # fmt: skip
        self.settings, self.workspace = settings, workspace
        self.make_model, self.progress = make_model, progress
        self.sources = Sources(settings.sources)
        self.changes: dict[str, dict[str, Any]] = {}
        self.notes: dict[str, dict[str, Any]] = {}
        self.accounts: list[StageAccount] = []
        self.redone: list[str] = []
        self.mark = ""

    def run(self) -> Report:
        settings = self.settings
        self.workspace.write_json("config.json", dataclasses.asdict(settings))
        self.facts = self._facts()
        keys = self._stage("rules", settings.rules, self._benchmark_states(), self._by_rules)
        if settings.rephrase:
            keys = self._stage("rephrase", settings.rephrase, settings.seed, self._rephrased(keys))
        if settings.rollouts:
            keys = self._stage("rollouts", settings.rollouts, settings.seed, self._by_rollouts(keys))  # fmt: skip
        waiting = 0
        if settings.labels:
            labels = semantic_label.read_labels(self.workspace.path / semantic_label.FILE)
            keys = self._stage("labels", settings.labels, labels.decided, self._labelled(keys, labels))  # fmt: skip
            waiting = semantic_label.write_labels(self.workspace, self.outcomes, self.load, labels)
        report = self._finished(keys, waiting)
        self.workspace.write_json("report.json", dataclasses.asdict(report))
        return report

    def load(self, key: str) -> Question:
        """A question as the stages so far have left it."""
        return changed(self.sources[self.facts[key].index], self.changes.get(key, {}))

    def _facts(self) -> dict[str, Facts]:
        facts = survey(self.sources, self.workspace.path / "survey.jsonl", self.progress)
        by_key = {one.key: one for one in facts}
        if len(by_key) < len(facts):
            raise InputError("two questions have one key", where="sources", expected="each question a key of its own",
                             got=f"{len(facts)} questions, {len(by_key)} keys")  # fmt: skip
        return by_key

    def _benchmark_states(self) -> list[Any]:
        self.benchmarks = Sources(self.settings.benchmarks)
        return [self.sources.state(), self.benchmarks.state()]

    def _stage(self, name: str, *described_and_work: Any) -> list[str]:
        """Do a stage, or take what it decided; the keys that go on."""
        *described, work = described_and_work
        self.mark = fingerprint(self.mark, name, described)
        found = self.workspace.stage(name, self.mark)
        if found is None:
            if self.workspace.stage_path(name).exists():
                self.redone.append(name)
            found = work()
            self.workspace.write_stage(name, self.mark, found)
        self.outcomes: Sequence[Outcome] = found
        for one in found:
            self.changes.setdefault(one.key, {}).update(_restored(one.changes))
            self.notes.setdefault(one.key, {}).update(one.note)
        self.accounts.append(account(name, found))
        return [one.key for one in found if one.kept]

    def _by_rules(self) -> list[Outcome]:
        path = self.workspace.path / "benchmarks.jsonl"
        known = survey(self.benchmarks, path, self.progress, "benchmarks")
        return filter_by_rules(list(self.facts.values()), known, self.settings.rules)

    def _rephrased(self, keys: list[str]) -> Callable[[], list[Outcome]]:
        stage = self.settings.rephrase
        assert stage is not None
        return self._asking(keys, stage.model, lambda given: rephrase.rephrase(given, stage))

    def _by_rollouts(self, keys: list[str]) -> Callable[[], list[Outcome]]:
        stage = self.settings.rollouts
        assert stage is not None
        return self._asking(
            keys, stage.model, lambda given: rollout_filter.filter_by_rollouts(given, stage)
        )

    def _labelled(
        self, keys: list[str], labels: semantic_label.Labels
    ) -> Callable[[], list[Outcome]]:
        stage = self.settings.labels
        assert stage is not None
        return self._asking(
            keys, stage.model, lambda given: semantic_label.label(given, stage, labels)
        )

    def _asking(
        self,
        keys: list[str],
        described: ModelSettings | None,
        work: Callable[[StageInput], list[Outcome]],
    ) -> Callable[[], list[Outcome]]:
        """``work`` with the model and the answers that there are; both are closed after it."""

        def run() -> list[Outcome]:
            answers = Answers(self.workspace.path / "answers.jsonl")
            model = None
            try:
                model = self.make_model(described) if described else None
                pixels = {key: one.pixels for key, one in self.facts.items()}
                seed = self.settings.seed
                return work(
                    StageInput(keys, self.load, pixels, model, answers, seed, self.progress)
                )
            finally:
                answers.close()
                if hasattr(model, "close"):
                    model.close()  # type: ignore[union-attr]

        return run

    def _finished(self, keys: list[str], waiting: int) -> Report:
        """Write the data set, unless it is there."""
        path = self.workspace.path / output.FOLDER
        mark = fingerprint(self.mark, "output", self.settings.split)
        found = self.workspace.path / "dataset.json"
        accuracies = {k: n["accuracy"] for k, n in self.notes.items() if "accuracy" in n}
        if _read_json(found).get("fingerprint") != mark or bool(keys) != path.exists():
            output.write_dataset(keys, self.load, accuracies, path, self.settings.split, mark)
            self.workspace.write_json("dataset.json", {"fingerprint": mark, "questions": len(keys)})
        before = histograms(self.facts.values())
        after = histograms(self._portrait(key) for key in keys)
        if accuracies:
            before["accuracy"] = difficulties(accuracies.values())
            after["accuracy"] = difficulties(accuracies[key] for key in keys)
        return Report(
            tuple(self.accounts), self.sources.left_out, before, after, waiting, tuple(self.redone),
            str(path) if keys else None,
        )  # fmt: skip

    def _portrait(self, key: str) -> Facts:
        """The facts of a question, as the stages have left it; nothing is decoded for most."""
        facts = self.facts[key]
        if not self.changes.get(key):
            return facts
        question = self.load(key)
        return dataclasses.replace(
            facts, order_class=str(question.order_class), gold=gold_place(question)
        )


def _restored(changes: Any) -> dict[str, Any]:
    """Changes as they were before they were written: JSON knows no tuples."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in changes.items()}


def _read_json(path: Path) -> dict[str, Any]:
    import json

    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
