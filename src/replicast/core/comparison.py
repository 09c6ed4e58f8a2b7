"""How scenarios differ: intervals for differences of means, held together over all that are looked at.

Where scenarios share random numbers, replication i of one is paired with replication i of the other, and what both have
in common cancels. Where streams are separate, Welch's interval is used. Sources: Law (2015), sections 10.2 and 10.3.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from .distributions import check_confidence, student_t_tail, t_critical
from .errors import RequestError, nearest
from .moments import Moments

Adjustment = Literal["bonferroni", "holm", "none"]
Family = Literal["all", "scenarios", "metrics"]
"""Which comparisons are held together: all of them, the scenarios of each metric, or the metrics of each scenario."""

Verdict = Literal["lower", "higher", "no difference can be shown"]

Key = TypeVar("Key")

ROUNDING = 1e-15
"""A spread of differences below this share of the values is their rounding, and no variation."""


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A scenario against the baseline in one metric; `difference` is the scenario's mean less the baseline's.

    `n` counts what the difference is of: pairs of replications (`paired`; both means are then of these alone), or the
    values of both scenarios (`welch`). `confidence` holds for the whole family, so each interval is at
    `interval_confidence`. `p_value` is of this row alone, `adjusted_p_value` of it in its family: the verdict goes by
    that. Where there is no interval, `note` says why.
    """

    metric: str
    scenario: str
    baseline: str
    method: Literal["paired", "welch"]
    n: int
    n_scenario: int
    n_baseline: int
    mean_scenario: float | None
    mean_baseline: float | None
    difference: float | None
    se: float | None
    df: float | None
    confidence: float
    interval_confidence: float | None
    ci_lower: float | None
    ci_upper: float | None
    p_value: float | None
    adjusted_p_value: float | None
    correlation: float | None
    verdict: Verdict
    note: str


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of two means. `se` and `df` are None where it has no interval, and `note` says why."""

    method: Literal["paired", "welch"]
    n: int
    n_left: int
    n_right: int
    mean_left: float | None
    mean_right: float | None
    difference: float | None = None
    se: float | None = None
    df: float | None = None
    correlation: float | None = None
    note: str = ""

    def interval(self, confidence: float = 0.95) -> tuple[float, float] | None:
        if self.difference is None or self.se is None or self.df is None:
            return None
        half_width = t_critical(confidence, self.df) * self.se
        return self.difference - half_width, self.difference + half_width

    @property
    def p_value(self) -> float | None:
        """The probability of a difference as large, either way, if the true means were equal."""
        if self.difference is None or self.se is None or self.df is None:
            return None
        return 2.0 * student_t_tail(abs(self.difference) / self.se, self.df)


def paired(left: NDArray[np.float64], right: NDArray[np.float64]) -> Difference:
    """The paired-t difference left - right, over the replications of which both are finite.

    Both arrays are by replication number: element i is replication i + 1, NaN where it is missing.
    """
    shared = min(len(left), len(right))
    both = np.isfinite(left[:shared]) & np.isfinite(right[:shared])
    a, b = left[:shared][both], right[:shared][both]
    n, gaps = len(a), Moments.of(a - b)
    means = Moments.of(a).mean, Moments.of(b).mean
    note = _why_none(n, gaps.sd, [a, b])
    se = None if note or gaps.sd is None else gaps.sd / math.sqrt(n)
    correlation = _correlation(a, b)
    return Difference("paired", n, n, n, *means, gaps.mean, se, n - 1.0 if se else None, correlation, note)


def _why_none(pairs: int, sd: float | None, samples: Sequence[NDArray[np.float64]]) -> str:
    if pairs < 2 or sd is None:
        return "fewer than two pairs of replications"
    largest = max(float(np.abs(sample).max()) for sample in samples)
    return "the difference is the same in every pair" if sd <= ROUNDING * largest else ""


def _correlation(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Pearson's; None where either does not vary."""
    if len(a) < 2 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return None
    a, b = (a - a.mean()) / np.ptp(a), (b - b.mean()) / np.ptp(b)
    found = float(a @ b) / math.sqrt(float(a @ a) * float(b @ b))
    return min(1.0, max(-1.0, found))


def welch(left: NDArray[np.float64], right: NDArray[np.float64]) -> Difference:
    """Welch's difference left - right of two independent samples, over the finite values of each."""
    a, b = Moments.of(left), Moments.of(right)
    counts = (a.n + b.n, a.n, b.n, a.mean, b.mean)
    gap = a.mean - b.mean if a.mean is not None and b.mean is not None else None
    if a.sd is None or b.sd is None:
        return Difference("welch", *counts, gap, note="fewer than two replications of one scenario")
    if not a.sd and not b.sd:
        return Difference("welch", *counts, gap, note="neither scenario varies")
    shares = (a.sd / math.sqrt(a.n)) ** 2, (b.sd / math.sqrt(b.n)) ** 2
    df = sum(shares) ** 2 / (shares[0] ** 2 / (a.n - 1) + shares[1] ** 2 / (b.n - 1))
    return Difference("welch", *counts, gap, math.sqrt(sum(shares)), df)


Values = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""Scenario → metric → its values by replication number: element i is replication i + 1, NaN where it is missing."""


def compare(
    values: Values,
    baseline: str,
    *,
    metrics: Sequence[str] | None = None,
    common: bool = True,
    copies: Container[str] = (),
    confidence: float = 0.95,
    adjustment: Adjustment = "bonferroni",
    family: Family = "all",
) -> list[ComparisonRow]:
    """Every other scenario against the baseline, in each metric that both have; by metric, then scenario, as given.

    `common`: scenarios share random numbers, so replications are paired. `copies` names scenarios whose replications
    are copies of one another: no interval is made over them. Under `holm`, verdicts go by its step-down test: it can
    show a difference where the row's interval, which is Bonferroni's under both, still holds 0.
    Raises RequestError for a baseline, a metric, a confidence or an adjustment that does not exist.
    """
    check_confidence(confidence)
    _check_choice("adjustment", adjustment, get_args(Adjustment))
    _check_choice("family", family, get_args(Family))
    if baseline not in values:
        raise RequestError(f"no scenario is called '{baseline}'{nearest(baseline, values)}")
    known = list(dict.fromkeys(metric for own in values.values() for metric in own))
    for metric in metrics or ():
        if metric not in known:
            raise RequestError(f"no metric is called '{metric}'{nearest(metric, known)}")
    found: dict[tuple[str, str], Difference] = {}
    for metric in metrics or known:
        for scenario, own in values.items():
            if scenario != baseline and metric in own and metric in values[baseline]:
                found[metric, scenario] = _difference(
                    own[metric], values[baseline][metric], common, scenario in copies or baseline in copies
                )
    return _rows(found, baseline, confidence, adjustment, family)


def _check_choice(what: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise RequestError(f"no {what} is called '{given}'{nearest(given, known)}")


def _difference(left: NDArray[np.float64], right: NDArray[np.float64], common: bool, copies: bool) -> Difference:
    found = paired(left, right) if common else welch(left, right)
    if not copies:
        return found
    counts = (found.n, found.n_left, found.n_right, found.mean_left, found.mean_right, found.difference)
    return Difference(found.method, *counts, note="replications are copies of one another")


def _rows(
    found: Mapping[tuple[str, str], Difference],
    baseline: str,
    confidence: float,
    adjustment: Adjustment,
    family: Family,
) -> list[ComparisonRow]:
    families: dict[str, dict[tuple[str, str], float]] = {}
    for key, difference in found.items():
        if difference.p_value is not None:
            families.setdefault(_family_of(key, family), {})[key] = difference.p_value
    rows = []
    for key, difference in found.items():
        together = families.get(_family_of(key, family), {})
        own = 1.0 - (1.0 - confidence) / len(together) if together and adjustment != "none" else confidence
        adjusted = adjusted_p_values(together, adjustment).get(key)
        rows.append(_row(key, baseline, difference, confidence, own, adjusted))
    return rows


def _family_of(key: tuple[str, str], family: Family) -> str:
    metric, scenario = key
    return {"all": "", "scenarios": metric, "metrics": scenario}[family]


def adjusted_p_values(p_values: Mapping[Key, float], adjustment: Adjustment) -> dict[Key, float]:
    """Each p-value times the number of tests (Bonferroni), or of those still standing (Holm 1979, step-down)."""
    m = len(p_values)
    if adjustment != "holm":
        return {key: min(1.0, p * (m if adjustment == "bonferroni" else 1)) for key, p in p_values.items()}
    adjusted: dict[Key, float] = {}
    largest = 0.0
    for rank, key in enumerate(sorted(p_values, key=lambda k: p_values[k])):
        largest = max(largest, min(1.0, (m - rank) * p_values[key]))
        adjusted[key] = largest
    return adjusted


def _row(
    key: tuple[str, str],
    baseline: str,
    found: Difference,
    confidence: float,
    interval_confidence: float,
    adjusted: float | None,
) -> ComparisonRow:
    interval = found.interval(interval_confidence)
    return ComparisonRow(
        metric=key[0],
        scenario=key[1],
        baseline=baseline,
        method=found.method,
        n=found.n,
        n_scenario=found.n_left,
        n_baseline=found.n_right,
        mean_scenario=found.mean_left,
        mean_baseline=found.mean_right,
        difference=found.difference,
        se=found.se,
        df=found.df,
        confidence=confidence,
        interval_confidence=interval_confidence if interval else None,
        ci_lower=interval[0] if interval else None,
        ci_upper=interval[1] if interval else None,
        p_value=found.p_value,
        adjusted_p_value=adjusted,
        correlation=found.correlation,
        verdict=_verdict(found.difference, adjusted, confidence),
        note=found.note,
    )


def _verdict(difference: float | None, adjusted: float | None, confidence: float) -> Verdict:
    if difference is None or adjusted is None or adjusted > 1.0 - confidence:
        return "no difference can be shown"
    return "lower" if difference < 0.0 else "higher"
