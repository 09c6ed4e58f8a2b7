"""Progress and messages on stderr, results on stdout."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from replicast.conducting.conductor import Progress

if TYPE_CHECKING:
    from rich.table import Table

    from replicast.reporting.summary import Summary

LINE_EVERY_SECONDS = 10.0
BAR_WIDTH = 28


def say(text: str = "") -> None:
    print(text, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    print(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


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
    if value == int(value) and abs(value) < 1e7:
        return str(int(value))
    return f"{value:.4g}"


class NoScreen:
    """For --quiet and --json."""

    def show(self, progress: Progress) -> None:
        pass

    def close(self) -> None:
        pass


class PlainLines:
    """A line now and then, for logs."""

    def __init__(self) -> None:
        self._next = time.monotonic() + 2.0
        self._shown = -1

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next and progress.done != self._shown:
            self._next, self._shown = now + LINE_EVERY_SECONDS, progress.done
            say(status_line(progress))

    def close(self) -> None:
        pass


class LiveBar:
    """One line that is drawn anew a few times a second."""

    def __init__(self) -> None:
        self._drawn_at = 0.0
        self._any = False

    def show(self, progress: Progress, *, last: bool = False) -> None:
        now = time.monotonic()
        if now - self._drawn_at < 0.1 and not last:
            return
        self._drawn_at, self._any = now, True
        share = progress.done / progress.planned if progress.planned else 1.0
        filled = int(share * BAR_WIDTH)
        bar = "━" * filled + "╺" * (filled < BAR_WIDTH) + " " * (BAR_WIDTH - filled - 1)
        text = f"{bar[:BAR_WIDTH]} {share:4.0%}  {status_line(progress)}"
        sys.stderr.write("\r\x1b[2K" + clipped(text))
        sys.stderr.flush()
        self._last = progress

    def close(self) -> None:
        if self._any:
            self.show(self._last, last=True)
            sys.stderr.write("\n")
            sys.stderr.flush()


def clipped(text: str) -> str:
    import shutil

    width = shutil.get_terminal_size().columns - 1
    return text if len(text) <= width else text[: width - 1] + "…"


def status_line(progress: Progress) -> str:
    """done, failed, rate, time left, and mean ± half-width of the first metric so far."""
    parts = [f"{progress.done:,} of {progress.planned:,}"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.simulated:
        rate = progress.rate
        parts.append(f"{number(rate)}/s" if rate >= 0.1 else f"{number(rate * 60)}/min")
        if progress.done < progress.planned:
            parts.append(f"{duration(progress.seconds_left)} left")
    interval = progress.interval()
    if interval is not None:
        mean, half_width = interval
        spread = f" ± {number(half_width)}" if half_width is not None else ""
        parts.append(f"{progress.metric} of {progress.scenario} {number(mean)}{spread}")
    return " · ".join(parts)


def screen_for(*, quiet: bool) -> NoScreen | PlainLines | LiveBar:
    if quiet:
        return NoScreen()
    return LiveBar() if sys.stderr.isatty() else PlainLines()


def print_summary(summary: Summary, *, confidence: float) -> None:
    """The summary as a table for the eye; its CSV and JSON forms have all columns and digits."""
    level = f"{confidence:.10g}".removeprefix("0.")
    level = f"{confidence * 100:.10g} % interval" if level else ""
    rows = []
    for row in summary.rows:
        interval = f"[{number(row.ci_lower)}, {number(row.ci_upper)}]" if row.ci_lower is not None else "none"
        relative = f"±{row.relative_half_width:.1%}" if row.relative_half_width is not None else ""
        count = f"{row.n:,}" + (f" of {row.planned:,}" if row.n != row.planned else "")
        rows.append([row.scenario, row.metric, count, number(row.mean), interval, relative, number(row.sd),
                     number(row.min), number(row.median), number(row.max)])  # fmt: skip
    headers = ["scenario", "metric", "n", "mean", level, "", "sd", "min", "median", "max"]
    print_table(headers, rows, right=range(2, 10), optional=(9, 7, 8, 6))


def print_table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[int] = (), optional: Sequence[int] = ()
) -> None:
    """Columns as wide as they need to be; on a terminal, in rich's hand.

    A terminal that is too narrow goes without `optional` columns, the first named first: no number is broken in two.
    """
    listed = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        from rich.console import Console

        console, shown = Console(), list(range(len(headers)))
        for left_out in (None, *optional):
            shown = [place for place in shown if place != left_out]
            table = _rich_table(headers, listed, set(right), shown)
            if console.measure(table, options=console.options.update(width=10_000)).maximum <= console.width:
                break
        console.print(table)
        return
    widths = [max(map(len, column)) for column in zip(headers, *listed, strict=True)]
    for row in [list(headers), *listed]:
        cells = [
            c.rjust(w) if i in set(right) else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def _rich_table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: set[int], shown: Sequence[int]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place in shown:
        if place in right:
            table.add_column(headers[place], justify="right", no_wrap=True, overflow="ellipsis")
        else:
            table.add_column(headers[place], overflow="fold")
    for row in rows:
        table.add_row(*[row[place].replace("[", r"\[") for place in shown])
    return table
