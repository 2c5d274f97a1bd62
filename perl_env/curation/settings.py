"""What ``perl-env prepare`` is told: one section a stage, checked before anything is done."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from perl_env.errors import InputError, nearest
from perl_env.order_class import OrderClass


@dataclass(frozen=True)
class ModelSettings:
    """Who is asked: a folder, "embedded" or an address, and the engine's own settings.

    The model's name and not its address names its answers in the cache: a server that moves is asked
    nothing again.
    """

    model: str
    engine: str = "transformers"
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RuleSettings:
    """Which questions the rules keep.

    Attributes:
        form: "any", "options" (multiple choice) or "open".
        kinds: only these sub-tasks; empty for all.
        order_classes: only these; empty for all but malformed.
        min_images: at least so many pictures.
        max_images: at most so many.
        min_side: no side of a picture is shorter, in pixels.
        max_side: none is longer.
        max_characters: of text and options together.
        duplicate_distance: bits, of 64, by which perceptual hashes of one picture may differ.
        duplicates: whether a question that comes again is left out.
    """

    form: Literal["any", "options", "open"] = "any"
    kinds: tuple[str, ...] = ()
    order_classes: tuple[str, ...] = ()
    min_images: int = 1
    max_images: int = 16
    min_side: int = 1
    max_side: int = 16384
    max_characters: int = 8000
    duplicate_distance: int = 4
    duplicates: bool = True

    def __post_init__(self) -> None:
        _one_of("rules.form", self.form, ("any", "options", "open"))
        for name in self.order_classes:
            _one_of("rules.order_classes", name, [str(c) for c in OrderClass])
        if not 1 <= self.min_images <= self.max_images:
            raise InputError("no number of images is left", where="rules", expected="1 ≤ min_images ≤ max_images",
                             got=(self.min_images, self.max_images))  # fmt: skip
        if not 0 <= self.duplicate_distance <= 16:
            raise InputError("distance that means nothing", where="rules.duplicate_distance",
                             expected="0 to 16 bits of 64", got=self.duplicate_distance)  # fmt: skip


@dataclass(frozen=True)
class RephraseSettings:
    """How open questions become multiple choice.

    Attributes:
        model: who rephrases what no rule can; nobody by default.
        show_pictures: whether it sees the pictures.
        attempts: how often it may try one question.
        options: how many options a rule makes of a number.
        max_new_tokens: of one answer.
    """

    model: ModelSettings | None = None
    show_pictures: bool = True
    attempts: int = 3
    options: int = 4
    max_new_tokens: int = 1024

    def __post_init__(self) -> None:
        _at_least("rephrase.attempts", self.attempts, 1)
        _at_least("rephrase.options", self.options, 2)


@dataclass(frozen=True)
class RolloutSettings:
    """How difficulty is measured, and which questions it keeps.

    Attributes:
        model: who answers.
        replies: how often each question is asked.
        temperature: of the sampler.
        max_new_tokens: of one reply.
        accuracy: the least and the greatest accuracy that is kept; excludes ``probability``.
        probability: with which probability a question of an accuracy is kept, at some accuracies;
            straight lines between them. ``{0: 1, 0.5: 1, 1: 0.1}`` thins out what is easy, as the
            paper's filter does.
    """

    model: ModelSettings
    replies: int = 10
    temperature: float = 1.0
    max_new_tokens: int = 2048
    accuracy: tuple[float, float] | None = None
    probability: Mapping[float, float] | None = None

    def __post_init__(self) -> None:
        _at_least("rollouts.replies", self.replies, 1)
        if (self.accuracy is None) == (self.probability is None):
            raise InputError("no rule, or two", where="rollouts", expected="either accuracy or probability",
                             got="neither" if self.accuracy is None else "both")  # fmt: skip
        values = self.accuracy or (*self.probability, *self.probability.values())  # type: ignore[union-attr,misc]
        if not all(isinstance(v, (int, float)) and 0 <= v <= 1 for v in values):
            raise InputError("share out of range", where="rollouts", expected="from 0 to 1", got=list(values))  # fmt: skip
        if self.accuracy is not None and not (len(self.accuracy) == 2 and self.accuracy[0] <= self.accuracy[1]):  # fmt: skip
            raise InputError("no band", where="rollouts.accuracy", expected="[least, greatest]",
                             got=list(self.accuracy))  # fmt: skip


@dataclass(frozen=True)
class LabelSettings:
    """How a question's order class is decided.

    Attributes:
        model: who is asked where the rules are unsure; nobody by default.
        trust_source: whether the class that the question's task or folder says counts, unless the
            rules are certain of another one.
        show_pictures: whether the model sees the pictures.
        attempts: how often it may try one question.
        max_new_tokens: of one answer.
    """

    model: ModelSettings | None = None
    trust_source: bool = True
    show_pictures: bool = False
    attempts: int = 2
    max_new_tokens: int = 512

    def __post_init__(self) -> None:
        _at_least("labels.attempts", self.attempts, 1)


@dataclass(frozen=True)
class Settings:
    """A whole preparation.

    Attributes:
        sources: the questions: ``task`` (a name or a folder) with the arguments of its loader.
        benchmarks: in the same form, what no question may share pictures or text with.
        rules: of the first stage.
        rephrase: of the second; without it every question stays as it is.
        rollouts: of the third; without it nothing is measured.
        labels: of the fourth; without it every question keeps its class.
        split: the split that the rows of the data set name.
        seed: of all that is drawn.
    """

    sources: tuple[Mapping[str, Any], ...]
    benchmarks: tuple[Mapping[str, Any], ...] = ()
    rules: RuleSettings = field(default_factory=RuleSettings)
    rephrase: RephraseSettings | None = None
    rollouts: RolloutSettings | None = None
    labels: LabelSettings | None = None
    split: str = "train"
    seed: int = 0


_SECTIONS = {
    "rules": RuleSettings,
    "rephrase": RephraseSettings,
    "rollouts": RolloutSettings,
    "labels": LabelSettings,
}


def settings_from_dict(values: Mapping[str, Any]) -> Settings:
    """The settings that nested values describe.

    Raises:
        InputError: an unknown section or key, or a value that cannot work.
    """
    if not isinstance(values, Mapping):
        raise InputError("no configuration", expected="sections with keys", got=type(values).__name__)  # fmt: skip
    _known("configuration", values, [f.name for f in dataclasses.fields(Settings)])
    made: dict[str, Any] = dict(values)
    for name in ("sources", "benchmarks"):
        made[name] = tuple(_source(name, one) for one in _list(name, values.get(name) or ()))
    if not made["sources"]:
        raise InputError("no questions to prepare", where="sources", expected="at least one task or folder",
                         got="none")  # fmt: skip
    for name, section in _SECTIONS.items():
        if name in values:
            made[name] = _section(name, values[name] or {}, section)
    return Settings(**made)


def _section(name: str, values: Any, made: type) -> Any:
    if not isinstance(values, Mapping):
        raise InputError("section without keys", where=name, expected="key: value lines", got=values)  # fmt: skip
    known = {f.name: f for f in dataclasses.fields(made)}
    _known(name, values, list(known))
    arguments = dict(values)
    for key, value in values.items():
        default = known[key].default
        if key == "model" and value is not None:
            arguments[key] = _model(f"{name}.model", value)
        elif isinstance(value, list):
            arguments[key] = tuple(value)
        elif isinstance(default, (bool, int, str)) and not isinstance(value, type(default)):
            raise InputError("wrong type", where=f"{name}.{key}", expected=f"as {default!r}", got=repr(value))  # fmt: skip
    try:
        return made(**arguments)
    except TypeError as error:
        raise InputError("missing or unusable setting", where=name, expected="see docs/curation.md",
                         got=error) from error  # fmt: skip


def _model(where: str, value: Any) -> ModelSettings:
    if isinstance(value, str):
        return ModelSettings(value)
    if not isinstance(value, Mapping) or "model" not in value:
        raise InputError("no model", where=where, expected="a folder or address, or model: with engine: and settings:",
                         got=value)  # fmt: skip
    _known(where, value, [f.name for f in dataclasses.fields(ModelSettings)])
    return ModelSettings(**value)


def _source(name: str, value: Any) -> Mapping[str, Any]:
    value = {"task": value} if isinstance(value, str) else value
    if not isinstance(value, Mapping) or not isinstance(value.get("task"), str):
        raise InputError("source without a task", where=name, expected="task: a name or a folder", got=value)  # fmt: skip
    return dict(value)


def _list(name: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise InputError("not a list", where=name, expected="a list of tasks", got=value)
    return value


def _known(where: str, values: Mapping[str, Any], known: Sequence[str]) -> None:
    for key in values:
        if key not in known:
            raise InputError("unknown setting", where=where, expected=nearest(str(key), known), got=repr(key))  # fmt: skip


def _one_of(where: str, value: object, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise InputError("unknown value", where=where, expected=nearest(str(value), allowed), got=repr(value))  # fmt: skip


def _at_least(where: str, value: object, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise InputError("too few", where=where, expected=f"at least {least}", got=value)
