"""How scenarios differ: intervals for differences of means, held together over all that are looked at.

Where scenarios share random numbers, replication i of one is paired with replication i of the other, and what both have
in common cancels. Where streams are separate, Welch's interval is used. Sources: Law (2015), sections 10.2 and 10.3.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from .differences import EXACTLY, Difference, paired, welch
from .distributions import check_confidence
from .errors import RequestError, nearest

Adjustment = Literal["bonferroni", "holm", "none"]
Family = Literal["all", "scenarios", "metrics"]
"""Which comparisons are held together: all of them, the scenarios of each metric, or the metrics of each scenario."""

NOT_SHOWN: Final = "no difference can be shown"
Verdict = Literal["lower", "higher", "no difference can be shown"]

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class ComparisonRow:
    """A scenario against the baseline in one metric; `difference` is the scenario's mean less the baseline's.

    `n` counts what the difference is of: pairs of replications (`paired`; both means are then of these alone), or the
    values of both scenarios (`welch`). `confidence` holds for the whole family, so each interval is at
    `interval_confidence`. `p_value` is of this row alone, `adjusted_p_value` of it in its family: the verdict goes by
    that. A difference that is the same in every pair needs neither: `note` says how large it is. Where there is no
    interval, or it is not Student's, `note` says why.
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

    @property
    def claim(self) -> str:
        """The verdict, and of a certain difference how large it is: `higher, by exactly 200 in all 100 pairs`."""
        return self.verdict if self.remark or not self.note else f"{self.verdict}, {self.note}"

    @property
    def remark(self) -> str:
        """The note, where it is no part of the claim."""
        return "" if self.verdict != NOT_SHOWN and self.note.startswith(EXACTLY) else self.note

    @property
    def conclusion(self) -> str:
        return f"{self.claim} ({self.remark})" if self.remark else self.claim


Values = Mapping[str, Mapping[str, NDArray[np.float64]]]
"""Scenario → metric → its values by replication number: element i is replication i + 1, NaN where it is missing."""


def compare(
    values: Values,
    baseline: str,
    *,
    metrics: Sequence[str] | None = None,
    common: bool = True,
    copies: Container[str] = (),
    booleans: Container[str] = (),
    confidence: float = 0.95,
    adjustment: Adjustment = "bonferroni",
    family: Family = "all",
) -> list[ComparisonRow]:
    """Every other scenario against the baseline, in each metric that both have; by metric, then scenario, as given.

    `common`: scenarios share random numbers, so replications are paired. `copies` names scenarios whose replications
    are copies of one another: no interval is made over them. `booleans` names metrics that are proportions. Under
    `holm`, verdicts go by its step-down test: it can show a difference where the row's interval, which is Bonferroni's
    under both, still holds 0.
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
                    own[metric], values[baseline][metric], common, metric in booleans,
                    scenario in copies or baseline in copies,
                )  # fmt: skip
    return _rows(found, baseline, confidence, adjustment, family)


def _check_choice(what: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise RequestError(f"no {what} is called '{given}'{nearest(given, known)}")


def _difference(
    left: NDArray[np.float64], right: NDArray[np.float64], common: bool, proportions: bool, copies: bool
) -> Difference:
    found = (paired if common else welch)(left, right, proportions=proportions)
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
        verdict=_verdict(found, adjusted, confidence),
        note=found.note,
    )


def _verdict(found: Difference, adjusted: float | None, confidence: float) -> Verdict:
    shown = found.certain or (adjusted is not None and adjusted <= 1.0 - confidence)
    if found.difference is None or not shown:
        return NOT_SHOWN
    return "lower" if found.difference < 0.0 else "higher"
