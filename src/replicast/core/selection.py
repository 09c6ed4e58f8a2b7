"""Which scenario is best: those that may be, sequential elimination, and where further replications help most."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .differences import FEWEST_EQUAL, ROUNDING, can_be_chance, within_reach
from .distributions import check_confidence, student_t_quantile
from .errors import RequestError
from .moments import Moments
from .proportions import are_zero_or_one, sign_tail, wilson_interval

Better = Literal["lower", "higher"]

CLOSEST = 1e-9
"""Means closer than this share of their range are as good as equal: no budget tells them apart."""


@dataclass(frozen=True, slots=True)
class RankedRow:
    """A scenario in the order of means, best first; `kept` if it may be the best, else `beaten_by` is a better one."""

    rank: int
    scenario: str
    n: int
    mean: float | None
    sd: float | None
    kept: bool
    beaten_by: str | None


def rank(
    values: Mapping[str, NDArray[np.float64]],
    *,
    better: Better,
    common: bool = True,
    confidence: float = 0.95,
) -> list[RankedRow]:
    """Scenarios by mean, and the subset that holds the best one with probability `confidence` or more.

    `values` are of one metric, by replication number (NaN where missing). Scenario i is dropped if some j is better by
    more than W_ij. With separate streams W_ij² = (t_i·s_i)²/n_i + (t_j·s_j)²/n_j at the confidence's (k-1)-th root: the
    screening of Nelson, Swann, Goldsman and Song (2001, Operations Research 49, 950–963) as extended to unequal n by
    Boesel, Nelson and Kim (2003, Operations Research 51, 814–825). With common random numbers W_ij is from the paired
    differences at 1 - (1 - confidence)/(k - 1), by Bonferroni; pairs of zeros and ones by the exact sign test at that
    level. A scenario that another beats by the same in every pair is dropped too.
    """
    check_confidence(confidence)
    sign = _sign(better)
    moments = {name: Moments.of(own) for name, own in values.items()}
    order = sorted(values, key=lambda name: (moments[name].mean is None, -sign * (moments[name].mean or 0.0)))
    if common:
        beaten = _beaten_in_pairs(sign * _table([values[name] for name in order]), confidence)
    else:
        beaten = _beaten_apart([moments[name] for name in order], sign, confidence)
    rows = []
    for place, (name, rivals) in enumerate(zip(order, beaten, strict=True)):
        own, by = moments[name], order[int(rivals.argmax())] if rivals.any() else None
        rows.append(RankedRow(place + 1, name, own.n, own.mean, own.sd, by is None, by))
    return rows


def _table(columns: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """A row a scenario and a column a replication number, NaN where there is no finite value."""
    table = np.full((len(columns), max(map(len, columns), default=0)), math.nan)
    for row, own in zip(table, columns, strict=True):
        row[: len(own)] = np.where(np.isfinite(own), own, math.nan)
    return table


def _beaten_in_pairs(table: NDArray[np.float64], confidence: float) -> Iterator[NDArray[np.bool_]]:
    """For each row of `table`, which rows beat it by their paired differences; larger is better."""
    p = 1.0 - (1.0 - confidence) / max(len(table) - 1, 1)
    table = within_reach(table)
    binary = are_zero_or_one(np.abs(table[np.isfinite(table)]))
    largest = np.nanmax(np.abs(table), axis=1, initial=0.0)
    for own, reach in zip(table, largest, strict=True):
        gaps = table - own
        if binary:
            yield _signed(gaps, 1.0 - p)
            continue
        n = np.isfinite(gaps).sum(axis=1)
        means = np.nansum(gaps, axis=1) / np.maximum(n, 1)
        squares = np.nansum((gaps - means[:, None]) ** 2, axis=1)
        se = np.sqrt(squares / np.maximum(n - 1, 1) / np.maximum(n, 1))
        t = np.array([student_t_quantile(p, int(pairs) - 1) if pairs > 1 else math.inf for pairs in n])
        rounding = ROUNDING * np.maximum(largest, reach)
        varies = (n > 1) & (se * np.sqrt(n) > rounding)
        beaten: NDArray[np.bool_] = varies & (means > np.where(varies, t, 0.0) * se)
        for rival in np.flatnonzero((n > 1) & ~varies & (means > rounding)):
            both = np.isfinite(gaps[rival])
            beaten[rival] = not can_be_chance(int(n[rival]), table[rival][both], own[both])
        yield beaten


def _signed(gaps: NDArray[np.float64], alpha: float) -> NDArray[np.bool_]:
    """Which rows of differences are above 0 by the one-sided sign test."""
    above, below = (gaps > 0.0).sum(axis=1), (gaps < 0.0).sum(axis=1)
    chances = [
        sign_tail(int(more), int(fewer)) if more > fewer else 1.0 for more, fewer in zip(above, below, strict=True)
    ]
    return np.array(chances) <= alpha


def _beaten_apart(moments: Sequence[Moments], sign: float, confidence: float) -> Iterator[NDArray[np.bool_]]:
    """For each scenario, which others beat it, from their own variances; one that does not vary has none."""
    p = confidence ** (1.0 / max(len(moments) - 1, 1))
    means = np.array([sign * own.mean if own.mean is not None else math.nan for own in moments])
    reach = np.array([_reach(own, p) for own in moments])
    for i in range(len(moments)):
        beaten: NDArray[np.bool_] = means - means[i] > np.hypot(reach, reach[i])
        yield beaten & (np.arange(len(moments)) != i)


def _reach(own: Moments, p: float) -> float:
    """How far a true mean may lie from the sample's; NaN where nothing is known of it."""
    if own.sd is None or own.mean is None:
        return math.nan
    if own.least in (0.0, 1.0) and own.greatest in (0.0, 1.0):
        lower, upper = wilson_interval(round(own.mean * own.n), own.n, 2.0 * p - 1.0) or (0.0, 1.0)
        return max(own.mean - lower, upper - own.mean)
    if not own.sd:
        return math.nan if can_be_chance(own.n, np.array([own.mean])) else 0.0
    return student_t_quantile(p, own.n - 1) * own.sd / math.sqrt(own.n)


def _sign(better: Better) -> float:
    if better not in ("lower", "higher"):
        raise RequestError(f"better is 'lower' or 'higher', and '{better}' is neither")
    return 1.0 if better == "higher" else -1.0


@dataclass(frozen=True, slots=True)
class Elimination:
    """`kept` are the scenarios left after replication number `replications`; `dropped` says when each other went."""

    kept: tuple[str, ...]
    dropped: Mapping[str, int]
    replications: int

    @property
    def best(self) -> str | None:
        """The one that is left; None while there are several."""
        return self.kept[0] if len(self.kept) == 1 else None


def eliminate(
    values: Mapping[str, NDArray[np.float64]],
    *,
    better: Better,
    indifference: float,
    first: int = 10,
    confidence: float = 0.95,
) -> Elimination:
    """Kim and Nelson's (2001, ACM TOMACS 11, 251–273) procedure KN with c = 1, as far as the replications go.

    After each replication from `first` on, a scenario is dropped if another is better by more than a margin that
    shrinks to nothing. If the best is better than all others by `indifference` or more, it is the one left with
    probability `confidence` or more, with common random numbers or without. `values` are by replication number;
    replications that any scenario lacks are passed over, as if they had not been run. A pair that does not vary in the
    first stage is judged by whether it goes on so: the one that is better by the same every time stays.
    """
    check_confidence(confidence)
    if not indifference > 0.0:
        raise RequestError(f"an indifference zone is a number above 0, and {indifference:g} is not")
    if first < 2:
        raise RequestError(f"the first stage takes 2 replications or more, and {first} is not")
    if confidence <= 1.0 / max(len(values), 2):
        raise RequestError(f"a confidence of {confidence:g} is no better than a guess among {len(values)} scenarios")
    table = _sign(better) * _table(list(values.values()))
    numbers = np.flatnonzero(np.isfinite(table).all(axis=0))
    return _eliminate(list(values), table[:, numbers], numbers + 1, indifference, first, confidence)


def _eliminate(
    names: Sequence[str],
    table: NDArray[np.float64],
    numbers: NDArray[np.int64],
    indifference: float,
    first: int,
    confidence: float,
) -> Elimination:
    k, n = table.shape
    left, dropped = np.arange(k), dict[str, int]()
    if k < 2 or n < first:
        return Elimination(tuple(names), {}, int(numbers[-1]) if n else 0)
    scale = h_squared(k, first, confidence)
    spread = np.var(table[:, None, :first] - table[None, :, :first], axis=2, ddof=1)
    means = np.cumsum(table, axis=1) / np.arange(1, n + 1)
    certain = _certainly_apart(table, spread)
    for r in range(first, n + 1):
        margin = indifference / (2 * r) * (scale * spread[np.ix_(left, left)] / indifference**2 - r)
        behind = means[left, r - 1][:, None] < means[left, r - 1][None, :] - np.maximum(margin, 0.0)
        lost = (behind & ((spread > 0.0) | certain(r))[np.ix_(left, left)]).any(axis=1)
        dropped |= {names[int(i)]: int(numbers[r - 1]) for i in left[lost]}
        left = left[~lost]
        if len(left) == 1:
            break
    return Elimination(tuple(names[int(i)] for i in left), dropped, int(numbers[r - 1]))


def _certainly_apart(table: NDArray[np.float64], spread: NDArray[np.float64]) -> Callable[[int], NDArray[np.bool_]]:
    """For a number of replications: which pairs of scenarios have differed by the same in each of them.

    `spread` is the variance of each pair's first stage; only those without any are looked at.
    """
    rows = np.argwhere(np.triu(spread <= 0.0, k=1))
    until = np.zeros(spread.shape)
    for i, j in rows:
        gaps = table[i] - table[j]
        changed = np.flatnonzero(np.abs(gaps - gaps[0]) > ROUNDING * np.abs(table[[i, j]]).max())
        until[i, j] = until[j, i] = changed[0] if len(changed) else math.inf
    whole = bool((table == np.rint(table)).all())
    return lambda r: (until >= r) & (not whole or r >= FEWEST_EQUAL)


def h_squared(k: int, first: int, confidence: float) -> float:
    """Kim and Nelson's h² = 2η(first - 1), η = ((2α/(k - 1))^(-2/(first - 1)) - 1)/2."""
    return float((2.0 * (1.0 - confidence) / (k - 1)) ** (-2.0 / (first - 1)) - 1.0) * (first - 1)


def allocate(
    means: Sequence[float], sds: Sequence[float], budget: int, *, better: Better, done: Sequence[int] | None = None
) -> list[int]:
    """How many of `budget` further replications each scenario should have, to tell the best one apart soonest.

    Optimal computing budget allocation: Chen and Lee (2011), Stochastic Simulation Optimization, chapter 3. With δ_i
    the distance from the best mean, n_i goes with (s_i/δ_i)², and that of the best with s_b·√Σ(n_i/s_i)². `done`
    (default: none) have been run already, and a scenario that has had more than its share of the whole gets none. A
    mean equal to the best counts as the next one does. Fractions go to the largest remainders, so the parts add up.
    """
    if not len(means) == len(sds) == len(done or means):
        raise ValueError("means, sds and done are of the same scenarios")
    if budget < 0:
        raise RequestError(f"a budget is 0 or more replications, and {budget} is not")
    had = np.array(done if done is not None else [0] * len(means), dtype=np.float64)
    weights = _weights(_sign(better) * np.array(means), np.array(sds, dtype=np.float64))
    under = np.ones(len(had), dtype=bool)
    while True:
        whole = budget + had[under].sum()
        further = np.where(under, whole * weights / max(weights[under].sum(), 1e-300) - had, 0.0)
        over = under & (further < 0.0)
        if not over.any():
            return _rounded(further, budget)
        under &= ~over


def _weights(means: NDArray[np.float64], sds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares of an unlimited budget, not yet divided by their sum; larger means are better."""
    best = int(np.argmax(means))
    gaps = means[best] - means
    if len(means) < 2 or not gaps.any() or not sds.any():
        return np.ones(len(means))
    gaps, sds = gaps / gaps.max(), sds / sds.max()
    gaps[gaps < CLOSEST] = gaps[gaps >= CLOSEST].min()
    weights: NDArray[np.float64] = (sds / gaps) ** 2
    others = np.arange(len(means)) != best
    weights[best] = sds[best] * math.sqrt(float(((sds / gaps**2)[others] ** 2).sum()))
    return weights if weights.any() else np.ones(len(means))


def _rounded(further: NDArray[np.float64], budget: int) -> list[int]:
    whole = np.floor(further).astype(int)
    remainders = further - whole
    for i in np.argsort(-remainders, kind="stable")[: budget - int(whole.sum())]:
        whole[i] += 1
    return [int(n) for n in whole]
