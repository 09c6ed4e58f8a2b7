"""Messages on stderr, results on stdout."""

from __future__ import annotations

import json
import math
import shutil
import sys
from typing import TYPE_CHECKING, Any, TextIO

from replicast.core.digits import percent, shown

from .folding import fold
from .harmless import harmless
from .tables import Toned, print_table

if TYPE_CHECKING:
    from replicast.reporting.summary import Summary


def say(text: str = "") -> None:
    """A line as it is: one with a command to paste is not broken."""
    print(harmless(text), file=sys.stderr, flush=True)


def show(text: object = "") -> None:
    """A line of a result, on standard output."""
    print(harmless(str(text)))


def show_data(text: str) -> None:
    """CSV as it is; on a terminal without what that would take for a command."""
    print(harmless(text) if sys.stdout.isatty() else text, end="")


def say_note(text: str) -> None:
    say(folded(f"note: {text}", sys.stderr))


def show_words(text: str, indent: str = "  ") -> None:
    """Prose of a result, broken as `say_words` breaks it."""
    print(harmless(folded(text, sys.stdout, indent)))


def say_words(text: str) -> None:
    """Prose, which a terminal's width breaks between its words."""
    say(folded(text, sys.stderr))


def folded(text: str, stream: TextIO, indent: str = "  ") -> str:
    """Text broken between words where it is shown on a terminal that is narrower; as it is elsewhere."""
    if not stream.isatty():
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join("\n".join(fold(line, width, indent)) for line in text.splitlines())


def print_json(value: Any) -> None:
    in_ascii = "utf" not in (sys.stdout.encoding or "").lower() or sys.stdout.isatty()  # where it might be lost, or act
    print(json.dumps(plain(value), indent=2, ensure_ascii=in_ascii, allow_nan=False))


def plain(value: Any) -> Any:
    """The value in JSON's terms, in which NaN and infinities are texts."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def duration(seconds: float | None) -> str:
    if seconds is None or not math.isfinite(seconds):
        return "?"
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172800 else f"{seconds / 86400:.1f} days"


def number(value: float | None) -> str:
    """Four significant digits, for the eye."""
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    if value == int(value) and abs(value) < 1e7:
        return str(int(value))
    return shown(value) if 1e4 <= abs(value) < 1e15 else f"{value:.4g}"


def print_summary(summary: Summary, *, confidence: float, top: int | None = None) -> None:
    """The summary as a table for the eye; its CSV and JSON forms have all columns and digits."""
    level = f"{confidence:.10g}".removeprefix("0.")
    level = f"{confidence * 100:.10g} % interval" if level else ""
    rows = []
    for row in summary.rows:
        width = row.half_width
        bounds = f"[{shown(row.ci_lower, width)}, {shown(row.ci_upper, width)}]"
        interval = bounds if row.ci_lower is not None else Toned("none", "doubt")
        relative = f"±{percent(row.relative_half_width)}" if row.relative_half_width is not None else ""
        count = f"{row.n:,}" if row.n == row.planned else Toned(f"{row.n:,} of {row.planned:,}", "doubt")
        rows.append([row.scenario, row.metric, count, shown(row.mean, width), interval, relative, number(row.sd),
                     number(row.min), number(row.median), number(row.max), Toned(row.caution, "doubt")])  # fmt: skip
    headers = ["scenario", "metric", "n", "mean", level, "", "sd", "min", "median", "max", ""]
    print_table(headers, rows, right=range(2, 10), optional=(9, 7, 8, 6), top=top)


__all__ = ["Toned", "print_table"]
