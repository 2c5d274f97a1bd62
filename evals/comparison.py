"""Two runs on the same questions in the same orders: paired differences, tests, a panel of models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy import stats

from evals.attainable import attainable_bounds, usual_orders
from evals.bootstrap import RESAMPLES, bootstrap_ratios, unseen_levels
from evals.metrics import values_of
from evals.reply_counts import ReplyCounts
from perl_env.errors import InputError

LEVEL = 0.95
_SIGNS_AT_ONCE = 8_000_000


@dataclass(frozen=True)
class Difference:
    """A paired difference of two runs on the same questions.

    Attributes:
        value: mean over questions of this run's value minus the other's.
        low: lower end of the interval.
        high: upper end of the interval.
        p_value: two-sided, of the hypothesis that the runs may be exchanged within each question
            (sign-flip permutation test).
        mcnemar_p: exact McNemar test; NaN where a question's value is not one of two.
        deviation: standard deviation of the differences over questions, for ``evals.power``.
        questions: how many questions have a value in both runs.
    """

    value: float
    low: float
    high: float
    p_value: float
    mcnemar_p: float
    deviation: float
    questions: int


#: What tells two questions of one key apart, where both tables say it.
_SAME_QUESTION = ("kind", "order_class", "n_images", "question_digest")


@dataclass(frozen=True)
class CommonQuestions:
    """What the keys that two runs share stand for.

    Attributes:
        same: keys that name one question in both runs, as far as both say what they asked.
        different: keys that name another question in each.
    """

    same: frozenset[str]
    different: frozenset[str]


def common_questions(table: pd.DataFrame, other: pd.DataFrame) -> CommonQuestions:
    """The keys that both runs have, by whether they name the same question.

    Keys alone say little: those of a folder are the numbers of its lines. Runs from before replies
    carried their question's fingerprint are judged by the other columns.
    """
    ours, theirs = _facts(table), _facts(other)
    shared = ours.index.intersection(theirs.index)
    columns = ours.columns.intersection(theirs.columns)
    ours, theirs = ours.loc[shared, columns], theirs.loc[shared, columns]
    different = ((ours != theirs) & ours.notna() & theirs.notna()).any(axis=1)
    return CommonQuestions(frozenset(shared[~different]), frozenset(shared[different]))


def _facts(table: pd.DataFrame) -> pd.DataFrame:
    """What is known of each question; an unknown fingerprint is missing, even if only at first."""
    known = table[["question", *(name for name in _SAME_QUESTION if name in table)]]
    if "question_digest" in known:
        digest = known["question_digest"].astype(object)
        known = known.assign(question_digest=digest.where(digest != "", None))
    return known.groupby("question").first()


def compare(
    table: pd.DataFrame, other: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Paired differences of two runs, ``table`` minus ``other``, metric by metric.

    Only the replies to questions, orders and repeats that both runs have are compared. A key that names
    another question in each run, see ``common_questions``, is left out.

    Returns:
        Indexed by metric: ``difference``, ``low``, ``high``, ``p_value``, ``mcnemar_p``, ``deviation``,
        ``questions``, and ``q_value``, the p-values after Benjamini and Hochberg over the metrics.

    Raises:
        InputError: the runs share no question.
    """
    common = common_questions(table, other)
    table, other = (frame[frame["question"].isin(common.same)] for frame in (table, other))
    key = ["question", "order", *(["repeat"] if "repeat" in table and "repeat" in other else [])]
    shared = pd.merge(table[key], other[key], on=key)
    if not len(shared):
        raise InputError("runs share no question", where="compare",
                         expected="the same questions in the same orders",
                         got=f"{len(common.different)} keys that name another question in each"
                         if common.different else "none in both")  # fmt: skip
    ours, theirs = (ReplyCounts.of(frame.merge(shared, on=key)) for frame in (table, other))
    found = paired_differences(
        values_of(ours), values_of(theirs), attainable_bounds(ours), resamples, seed,
        orders=usual_orders(ours),
    )  # fmt: skip
    frame = pd.DataFrame.from_dict(
        {name: asdict(difference) for name, difference in found.items()}, orient="index"
    )
    frame = frame.rename(columns={"value": "difference"}).rename_axis("metric")
    return frame.assign(q_value=false_discovery(frame["p_value"]))


def compare_panel(
    tables: Mapping[str, pd.DataFrame], baseline: str, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Each run of a panel against its baseline; ``q_value`` is over all runs and metrics together.

    Returns:
        Indexed by run and metric, with the columns of ``compare``.

    Raises:
        InputError: no such baseline, or a run that shares no question with it.
    """
    if baseline not in tables:
        raise InputError("no such run", where="baseline", expected=", ".join(tables), got=baseline)
    found = {
        name: compare(table, tables[baseline], resamples, seed)
        for name, table in tables.items()
        if name != baseline
    }
    panel = pd.concat(found, names=["run"]) if found else pd.DataFrame(columns=["p_value"])
    return panel.assign(q_value=false_discovery(panel["p_value"]))


def false_discovery(p_values: pd.Series) -> pd.Series:
    """P-values after Benjamini and Hochberg (1995); those that are NaN stay so and do not count."""
    result = pd.Series(np.nan, index=p_values.index, dtype=float)
    known = p_values.notna()
    if known.any():
        result[known] = stats.false_discovery_control(p_values[known].to_numpy(dtype=float))
    return result


def paired_difference(
    values: pd.Series,
    others: pd.Series,
    bounds: tuple[float, float] = (0.0, 1.0),
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
) -> Difference:
    """Mean of ``values − others`` over the questions that both have; ``bounds`` are one value's."""
    found = paired_differences(
        values.to_frame("x"), others.to_frame("x"), {"x": bounds}, resamples, seed, level
    )
    return found["x"]


def paired_differences(
    values: pd.DataFrame,
    others: pd.DataFrame,
    bounds: Mapping[str, tuple[float, float]],
    resamples: int = RESAMPLES,
    seed: int = 0,
    level: float = LEVEL,
    *,
    orders: int = 2,
) -> dict[str, Difference]:
    """Paired differences, column by column, with interval and tests; see ``Difference``.

    The interval is the same bootstrap over questions as that of a single run. Unseen questions stand on
    as many values as questions have ``orders``, between the ends of what a difference can be; at the
    ends alone where a question's value is yes or no.
    """
    shared = values.index.intersection(others.index)
    both = np.stack([each.loc[shared].to_numpy(dtype=float) for each in (values, others)])
    array = both[0] - both[1]
    defined = ~np.isnan(array)
    known = np.where(defined, array, 0.0)
    widths = np.array([float(np.ptp(bounds[str(name)])) for name in values.columns])
    limits = np.stack([-widths, widths], axis=1)
    yes_or_no = [
        _are_ends(both[:, defined[:, i], i], bounds[str(name)])
        for i, name in enumerate(values.columns)
    ]
    levels = np.where(yes_or_no, 2, unseen_levels(limits, orders))
    draws = bootstrap_ratios(known, defined.astype(float), limits, levels, resamples, seed)
    p_values = _sign_flip_p(known, resamples, seed)
    result = {}
    for i, name in enumerate(values.columns):
        ours_i = array[defined[:, i], i]
        n = len(ours_i)
        if not n:
            nan = float("nan")
            result[str(name)] = Difference(nan, nan, nan, nan, nan, nan, questions=0)
            continue
        value = float(ours_i.mean())
        low, high = np.quantile(draws[:, i], [(1 - level) / 2, (1 + level) / 2])
        result[str(name)] = Difference(
            value, min(float(low), value), max(float(high), value), float(p_values[i]),
            mcnemar_p(both[0, defined[:, i], i], both[1, defined[:, i], i], bounds[str(name)]),
            float(ours_i.std(ddof=1)) if n > 1 else float("nan"), n,
        )  # fmt: skip
    return result


def mcnemar_p(
    values: np.ndarray, others: np.ndarray, bounds: tuple[float, float] = (0.0, 1.0)
) -> float:
    """Exact McNemar test of two runs' values, two-sided; NaN where a value is not one of the bounds.

    >>> mcnemar_p(np.array([1.0, 1.0, 1.0, 0.0]), np.array([0.0, 0.0, 0.0, 0.0]))
    0.25
    """
    if not _are_ends(np.stack([values, others]), bounds):
        return float("nan")
    better, worse = int((values > others).sum()), int((values < others).sum())
    if better + worse == 0:
        return 1.0
    return float(stats.binomtest(better, better + worse).pvalue)


def _are_ends(values: np.ndarray, bounds: tuple[float, float]) -> bool:
    return bool(np.isin(np.round(values, 12), bounds).all())


def _sign_flip_p(differences: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """float64 [M]: share of random sign patterns whose sum is at least as large as the observed."""
    total = differences.sum(axis=0)
    extreme = np.zeros(differences.shape[1])
    for kept in _kept(len(differences), resamples, np.random.default_rng([seed, 2])):
        sums = 2 * (kept @ differences) - total  # sign +1 where kept, −1 elsewhere
        extreme += (np.abs(sums) >= np.abs(total) - 1e-9).sum(axis=0)
    return (extreme + 1) / (resamples + 1)


def _kept(n: int, resamples: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Fair coins, float64 [chunk, n] of 0 and 1, chunk by chunk."""
    chunk = max(1, _SIGNS_AT_ONCE // max(n, 1) // 8)
    for start in range(0, resamples, chunk):
        rows = min(chunk, resamples - start)
        bits = np.frombuffer(rng.bytes(rows * (-(-n // 8))), dtype=np.uint8).reshape(rows, -1)
        yield np.unpackbits(bits, axis=1, count=n).astype(np.float64)
