"""Exact sums of values and of their squares, so that mean and standard deviation owe nothing to the order of addition.

A double is an integer times a power of two. All sums are kept as whole numbers at one fixed scale, which Python's
integers hold without rounding: parts may be combined in any grouping and any order and give the same bits, a mean and a
standard deviation are rounded once, and 10⁸ values need a few hundred bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SCALE = 1074 + 53
"""`total` counts 2^-SCALE, `squares` counts 2^-2·SCALE: fine enough for the last bit of the least double."""

BLOCK = 1 << 16
"""Values taken at a time: sums of BLOCK products of 18-bit pieces stay below 2^53, where doubles are exact."""

PIECE = 18


@dataclass(frozen=True, slots=True)
class Moments:
    """What mean, standard deviation and range need of values that need not be kept; `a + b` is that of both together.

    `n` counts the finite values and `non_finite` the others (NaN, infinities), of which nothing else is kept.
    `total` is Σx in units of 2^-SCALE and `squares` is Σx² in units of 2^-2·SCALE.
    """

    n: int = 0
    non_finite: int = 0
    total: int = 0
    squares: int = 0
    least: float | None = None
    greatest: float | None = None

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Moments:
        """The moments of a 1-D array, read a block at a time and never copied whole."""
        found = cls()
        for start in range(0, len(values), BLOCK):
            found += _block_moments(np.asarray(values[start : start + BLOCK], dtype=np.float64))
        return found

    @classmethod
    def of_whole(cls, values: Iterable[int]) -> Moments:
        """As `of`, of whole numbers of any size: above 2^53 a double would lose digits of them."""
        listed = list(values)
        if not listed:
            return cls()
        total, squares = sum(listed) << SCALE, sum(v * v for v in listed) << 2 * SCALE
        return cls(len(listed), 0, total, squares, float(min(listed)), float(max(listed)))

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            n=self.n + other.n,
            non_finite=self.non_finite + other.non_finite,
            total=self.total + other.total,
            squares=self.squares + other.squares,
            least=min((x for x in (self.least, other.least) if x is not None), default=None),
            greatest=max((x for x in (self.greatest, other.greatest) if x is not None), default=None),
        )

    @property
    def mean(self) -> float | None:
        """The double nearest to the exact mean; None of no values."""
        return self.total / (self.n << SCALE) if self.n else None

    @property
    def sd(self) -> float | None:
        """The double nearest to the exact sample standard deviation (divisor n - 1).

        None of fewer than two values, and where it is beyond the largest double.
        """
        if self.n < 2:
            return None
        spread = self.n * self.squares - self.total * self.total
        try:
            return _root_of_ratio(spread, self.n * (self.n - 1) << 2 * SCALE)
        except OverflowError:
            return None


def _block_moments(block: NDArray[np.float64]) -> Moments:
    finite = block[np.isfinite(block)]
    absent = len(block) - len(finite)
    if not len(finite):
        return Moments(non_finite=absent)
    total, squares = _exact_sums(finite)
    # adding 0.0 makes one zero of the two, whose order in a comparison is not defined
    least, greatest = float(finite.min()) + 0.0, float(finite.max()) + 0.0
    return Moments(len(finite), absent, total, squares, least, greatest)


def _exact_sums(finite: NDArray[np.float64]) -> tuple[int, int]:
    """Σx and Σx² of at most BLOCK finite values, in the units of Moments.

    Each value is m·2^(e-53) with |m| ≤ 2^53, and m = a·2^36 + b·2^18 + c with |a|, |b|, |c| ≤ 2^17; every sum that is
    taken in doubles is of integers and stays below 2^53.
    """
    fraction, exponent = np.frexp(finite)
    lowest = int(exponent.min())
    place = (exponent - lowest).astype(np.intp)
    a, rest = _split(np.ldexp(fraction, 53), 2 * PIECE)
    b, c = _split(rest, PIECE)
    linear = [np.bincount(place, piece) for piece in (a, b, c)]
    quadratic = [np.bincount(place, piece) for piece in (a * a, 2 * a * b, b * b + 2 * a * c, 2 * b * c, c * c)]
    total = squares = 0
    for k in np.flatnonzero(np.bincount(place)):
        shift = lowest + int(k) - 53 + SCALE
        total += _join([sums[k] for sums in linear]) << shift
        squares += _join([sums[k] for sums in quadratic]) << 2 * shift
    return total, squares


def _split(whole: NDArray[np.float64], bits: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`whole` as upper·2^bits + lower, with |lower| ≤ 2^(bits - 1); both are whole numbers."""
    upper = np.rint(np.ldexp(whole, -bits))
    return upper, whole - np.ldexp(upper, bits)


def _join(pieces: list[np.float64]) -> int:
    joined = 0
    for piece in pieces:
        joined = (joined << PIECE) + int(piece)
    return joined


def _root_of_ratio(numerator: int, denominator: int) -> float:
    """The double nearest to √(numerator / denominator), from 54 bits or more of its root and one for the rest."""
    shift = (numerator.bit_length() - denominator.bit_length() - 109) // 2
    if shift >= 0:
        denominator <<= 2 * shift
    else:
        numerator <<= -2 * shift
    root = math.isqrt(numerator // denominator)
    root |= root * root * denominator != numerator
    return float(root << shift) if shift >= 0 else root / (1 << -shift)
