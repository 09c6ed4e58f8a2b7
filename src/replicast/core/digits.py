"""How many digits of an estimate say something: as many as its half-width bears out."""

from __future__ import annotations

import math

LARGEST_PLAIN = 1e15
SMALLEST_PLAIN = 1e-4


def shown(value: float | None, half_width: float | None = None, digits: int = 2) -> str:
    """A number for the eye, to `digits` digits of its half-width; to four of its own where there is none."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e7 and not half_width:
        return str(int(value))
    last = _last_place(half_width, digits) if half_width and math.isfinite(half_width) else _last_place(value, 4)
    return _written(value, last)


def _last_place(value: float, digits: int) -> int:
    """The power of ten of the last of so many digits."""
    return math.floor(math.log10(abs(value))) - digits + 1 if value else 0


def _written(value: float, last: int) -> str:
    """`value` to the power of ten `last`; whole where that is above 1, since zeros for digits would be untrue."""
    size = abs(value)
    if size >= LARGEST_PLAIN or (0.0 < size < SMALLEST_PLAIN and last < -4):
        return f"{value:.{min(16, max(0, math.floor(math.log10(size)) - last))}e}"
    return f"{value:.{min(max(0, -last), 20)}f}"


def percent(share: float) -> str:
    """A share as a percentage: to a tenth, or two digits of what is smaller."""
    size = abs(share)
    if size >= 0.0005 or size == 0.0:
        return f"{share:.1%}"
    return f"{100.0 * share:.1e}%" if size < 1e-6 else f"{100.0 * share:.{1 - math.floor(math.log10(100.0 * size))}f}%"
