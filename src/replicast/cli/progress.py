"""How far a run is, on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time

from replicast.core.progress import Progress

from .screen import duration, number, say

LINE_EVERY_SECONDS = 10.0
BAR_WIDTH = 28


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
