"""Ranges and distributions of a design's parameters: where a point of the unit cube lies in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import RequestError, nearest

KINDS = {
    "log": "[LOWEST, HIGHEST]", "triangular": "[LOWEST, MODE, HIGHEST]", "normal": "[MEAN, SD]",
    "lognormal": "[MEAN, SD] of the logarithm", "truncated_normal": "[LOWEST, HIGHEST, MEAN, SD]",
}  # fmt: skip
UNBOUNDED = ("normal", "lognormal")
EXAMPLE = "rate = { log = [0.1, 10.0] }"
LEAST = 2.0**-53


@dataclass(frozen=True, slots=True)
class Range:
    """`kind` is "uniform" or one of KINDS, `numbers` are its own, in their order there.

    Between two integers a parameter takes each whole number, both ends included: equally often, or on a log scale.
    """

    kind: str
    numbers: tuple[float, ...]

    @property
    def whole(self) -> bool:
        return self.kind in ("uniform", "log") and all(isinstance(number, int) for number in self.numbers)

    @property
    def bounded(self) -> bool:
        return self.kind not in UNBOUNDED

    def at(self, u: float) -> float:
        """The value at `u`, from 0 to 1: the inverse of the distribution function. It rises with `u`."""
        low, high = self.numbers[0], self.numbers[1]
        if self.whole and self.kind == "uniform":
            return int(min(low + math.floor(u * (high - low + 1)), high))
        if self.whole:
            return int(min(math.floor(low * ((high + 1) / low) ** u), high))
        return _INVERSES[self.kind](u, *self.numbers)


def check_ranges(ranges: Mapping[str, Any]) -> dict[str, Range]:
    """Raises RequestError unless each is a pair of finite numbers, the lower one first, or a known distribution."""
    if not ranges:
        raise RequestError("a design over ranges needs [design.ranges], such as: beds = [5, 20]")
    return {name: _check_range(name, given) for name, given in ranges.items()}


def _check_range(name: str, given: Any) -> Range:
    where = f"design.ranges.{name}"
    if not isinstance(given, Mapping):
        numbers = _numbers(given)
        if numbers is None or len(numbers) != 2 or not numbers[0] < numbers[1]:
            raise RequestError(f"{where} takes [LOWEST, HIGHEST], or a table such as {EXAMPLE}; {given!r} is neither")
        return Range("uniform", numbers)
    if len(given) != 1:
        raise RequestError(f"{where} takes one distribution, such as {EXAMPLE}, and {dict(given)!r} is not one")
    ((kind, own),) = given.items()
    if kind not in KINDS:
        raise RequestError(f"{where}: no distribution is called '{kind}'{nearest(kind, KINDS)}")
    numbers = _numbers(own)
    if numbers is None or not _fits(kind, numbers):
        raise RequestError(f"{where}: {kind} takes {KINDS[kind]}{_hint(kind)}, and {own!r} is not that")
    return Range(kind, numbers)


def _numbers(given: Any) -> tuple[float, ...] | None:
    if not isinstance(given, (list, tuple)):
        return None
    numbers = [n for n in given if isinstance(n, (int, float)) and not isinstance(n, bool) and math.isfinite(n)]
    return tuple(numbers) if len(numbers) == len(given) else None


def _fits(kind: str, numbers: Sequence[float]) -> bool:
    if len(numbers) != KINDS[kind].count(",") + 1:
        return False
    if kind == "log":
        return 0 < numbers[0] < numbers[1]
    if kind == "triangular":
        return numbers[0] <= numbers[1] <= numbers[2] and numbers[0] < numbers[2]
    if kind == "truncated_normal":
        return numbers[0] < numbers[1] and numbers[3] > 0
    return numbers[1] > 0


def _hint(kind: str) -> str:
    return {"log": " above 0", "triangular": " in this order"}.get(kind, ", SD above 0")


def _normal(u: float, mean: float, sd: float) -> float:
    from .distributions import normal_quantile  # imports numpy, which a command's help does without

    return mean + sd * normal_quantile(min(max(u, LEAST), 1.0 - LEAST))


def _triangular(u: float, low: float, mode: float, high: float) -> float:
    share = (mode - low) / (high - low)
    if u <= share:
        return low + math.sqrt(u * (high - low) * (mode - low))
    return high - math.sqrt((1.0 - u) * (high - low) * (high - mode))


def _truncated_normal(u: float, low: float, high: float, mean: float, sd: float) -> float:
    from .distributions import normal_cdf

    below, upto = normal_cdf((low - mean) / sd), normal_cdf((high - mean) / sd)
    return min(max(_normal(below + u * (upto - below), mean, sd), low), high)


_INVERSES: dict[str, Callable[..., float]] = {
    "uniform": lambda u, low, high: low + u * (high - low),
    "log": lambda u, low, high: min(max(low * (high / low) ** u, low), high),
    "normal": _normal,
    "lognormal": lambda u, mean, sd: math.exp(_normal(u, mean, sd)),
    "triangular": _triangular,
    "truncated_normal": _truncated_normal,
}
