"""Amounts of memory as people write them."""

from __future__ import annotations

import re

from .errors import RequestError

UNITS = {"": 1, "b": 1}
UNITS |= {f"{letter}{end}": 1000**power for power, letter in enumerate("kmgt", 1) for end in ("", "b")}
UNITS |= {f"{letter}ib": 1024**power for power, letter in enumerate("kmgt", 1)}
LEAST_BYTES = 10_000_000


def parse_size(text: str | int | float) -> int:
    """Bytes in `2GB`, `500 MiB` or `2000000000`. Raises RequestError."""
    found = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-zA-Z]*)\s*", str(text))
    unit = UNITS.get(found[2].lower()) if found else None
    size = int(float(found[1]) * unit) if found and unit else 0
    if size < LEAST_BYTES:
        wanted = "an amount of 10 MB or more, such as 2GB or 500MiB"
        raise RequestError(f"--memory takes {wanted}, and '{text}' is {'less' if size else 'none'}")
    return size


def size_text(size: float) -> str:
    """`1.5 GB`, for the eye."""
    for power, unit in ((3, "GB"), (2, "MB")):
        if size >= 1000**power:
            return f"{size / 1000**power:.3g} {unit}"
    return f"{size:.0f} bytes"
