"""Quantiles of samples and of streams, and intervals for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .distributions import binomial_cdf

Chunks = Callable[[], Iterable[NDArray[np.float64]]]
"""Reads all values from the start, in chunks; called once for each pass."""

GATHERED = 1 << 20
"""Values that a stream's quantiles may hold in memory at once."""


def quantiles(values: NDArray[np.float64], probabilities: Sequence[float]) -> list[float | None]:
    """Quantiles of the finite values by Hyndman and Fan's (1996) definition 7, as in R and numpy; None of no values."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return [None] * len(probabilities)
    finite += 0.0  # one zero of the two, whose order is not defined
    places = [(len(finite) - 1) * p for p in probabilities]
    ranks = sorted({rank for place in places for rank in (math.floor(place), math.ceil(place))})
    finite.partition(ranks)
    return [_between(float(finite[math.floor(h)]), float(finite[math.ceil(h)]), h - math.floor(h)) for h in places]


def _between(low: float, high: float, share: float) -> float:
    """Linear interpolation that meets both ends exactly and survives a range beyond the largest double."""
    gap = high - low
    if math.isinf(gap):
        return low * (1.0 - share) + high * share
    return low + gap * share if share < 0.5 else high - gap * (1.0 - share)


def stream_quantiles(read: Chunks, probabilities: Sequence[float]) -> list[float | None]:
    """As `quantiles`, exactly, of a stream that can be read again: two to five passes, at most a few MB of memory.

    Doubles are ordered as 64-bit whole numbers. Each pass counts 16 more of their leading bits around each rank that
    is sought, until few enough values share them to be gathered and sorted. The order of values changes nothing.
    """
    n = sum(int(np.isfinite(chunk).sum()) for chunk in read())
    if not n:
        return [None] * len(probabilities)
    places = [(n - 1) * p for p in probabilities]
    found = _values_at(read, sorted({rank for h in places for rank in (math.floor(h), math.ceil(h))}))
    return [_between(found[math.floor(h)], found[math.ceil(h)], h - math.floor(h)) for h in places]


@dataclass(slots=True)
class _Cell:
    """Values whose keys begin with the same `bits` leading bits, and the ranks that are sought among them."""

    prefix: int
    bits: int
    before: int
    count: int
    ranks: list[int]

    def among(self, keys: NDArray[np.uint64]) -> NDArray[np.uint64]:
        return keys[_leading(keys, self.bits) == np.uint64(self.prefix)] if self.bits else keys


def _values_at(read: Chunks, ranks: list[int]) -> dict[int, float]:
    cells = [_Cell(0, 0, 0, GATHERED + 1, ranks)]
    while any(cell.count > GATHERED // len(cells) and cell.bits < 64 for cell in cells):
        cells = _refine(read, cells)
    gathered = _gather(read, cells)
    found = {}
    for cell, keys in zip(cells, gathered, strict=True):
        for rank in cell.ranks:
            found[rank] = _value(cell.prefix if cell.bits == 64 else int(keys[rank - cell.before]))
    return found


def _gather(read: Chunks, cells: list[_Cell]) -> list[NDArray[np.uint64]]:
    """The sorted keys of each cell; nothing of one whose 64 bits are all known."""
    held: list[list[NDArray[np.uint64]]] = [[np.empty(0, dtype=np.uint64)] for _ in cells]
    open_cells = [(cell, keys) for cell, keys in zip(cells, held, strict=True) if cell.bits < 64]
    for chunk in read() if open_cells else ():
        keys = _keys(chunk)
        for cell, mine in open_cells:
            mine.append(cell.among(keys))
    return [np.sort(np.concatenate(mine)) for mine in held]


def _refine(read: Chunks, cells: list[_Cell]) -> list[_Cell]:
    """Each cell cut by its next 16 bits; those of the pieces that hold a rank."""
    counts = [np.zeros(1 << 16, dtype=np.int64) for _ in cells]
    for chunk in read():
        keys = _keys(chunk)
        for i, cell in enumerate(cells):
            if cell.bits < 64:
                digits = _leading(cell.among(keys), cell.bits + 16) & np.uint64(0xFFFF)
                counts[i] += np.bincount(digits.astype(np.intp), minlength=1 << 16)
    return [part for cell, count in zip(cells, counts, strict=True) for part in _parts(cell, count)]


def _parts(cell: _Cell, count: NDArray[np.int64]) -> list[_Cell]:
    if cell.bits == 64:
        return [cell]
    upto = np.cumsum(count) + cell.before
    parts: dict[int, _Cell] = {}
    for rank in cell.ranks:
        digit = int(np.searchsorted(upto, rank, side="right"))
        inside = int(count[digit])
        new = _Cell(cell.prefix << 16 | digit, cell.bits + 16, int(upto[digit]) - inside, inside, [])
        parts.setdefault(digit, new).ranks.append(rank)
    return list(parts.values())


def _keys(chunk: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Whole numbers in the order of the finite values: a negative one with all bits turned, else with the sign set."""
    finite = chunk[np.isfinite(chunk)] + 0.0
    bits = finite.view(np.uint64)
    return np.where(finite < 0, ~bits, bits | np.uint64(1 << 63))


def _leading(keys: NDArray[np.uint64], bits: int) -> NDArray[np.uint64]:
    return keys >> np.uint64(64 - bits)


def _value(key: int) -> float:
    bits = key ^ (1 << 63) if key >> 63 else key ^ ((1 << 64) - 1)
    return float(np.array([bits], dtype=np.uint64).view(np.float64)[0])


@dataclass(frozen=True, slots=True)
class QuantileInterval:
    """From the `lower_rank`-th to the `upper_rank`-th smallest of `n` values; `coverage` is exact where none tie."""

    estimate: float
    lower: float
    upper: float
    lower_rank: int
    upper_rank: int
    coverage: float
    n: int


def quantile_interval(values: NDArray[np.float64], p: float, confidence: float = 0.95) -> QuantileInterval | None:
    """The order-statistics interval for the quantile `p` of the finite values; None where ranks do not reach.

    See `quantile_ranks`. With ties (a discrete metric) the interval covers at least as often as `coverage` says.
    """
    finite = np.sort(values[np.isfinite(values)] + 0.0)
    ranks = quantile_ranks(len(finite), p, confidence)
    if ranks is None:
        return None
    lower, upper, coverage = ranks
    estimate = quantiles(finite, [p])[0]
    assert estimate is not None  # ranks exist, so values do
    return QuantileInterval(
        estimate, float(finite[lower - 1]), float(finite[upper - 1]), lower, upper, coverage, len(finite)
    )


def quantile_ranks(n: int, p: float, confidence: float = 0.95) -> tuple[int, int, float] | None:
    """The ranks (from 1) between which the quantile `p` lies, and the exact probability that it does.

    The number of values below the quantile is binomial(n, p); each tail is held to (1 - confidence) / 2 (Conover 1999,
    Practical Nonparametric Statistics, 3.2). None where no value is far enough out: 30 values have none for p = 0.9.
    """
    if n < 1 or not 0.0 < p < 1.0:
        return None
    tail = 0.5 * (1.0 - confidence)
    lower = _first_above(n, p, tail)
    upper = _first_above(n, p, 1.0 - tail, at_least=True) + 1
    if lower < 1 or upper > n:
        return None
    return lower, upper, binomial_cdf(upper - 1, n, p) - binomial_cdf(lower - 1, n, p)


def _first_above(n: int, p: float, level: float, at_least: bool = False) -> int:
    """The least k of which the binomial distribution function exceeds `level` (or, with `at_least`, reaches it)."""
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        reached = binomial_cdf(middle, n, p)
        if reached > level or (at_least and reached == level):
            high = middle
        else:
            low = middle
    return high
