"""How far a run is, on stderr: a live bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from replicast.core.progress import Progress

from .screen import duration, number, say
from .tables import clean

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from replicast.core.precision import Target
    from replicast.core.so_far import SoFar

LINE_EVERY_SECONDS = 10.0
DRAWN_EVERY_SECONDS = 0.1
SCENARIOS_AFTER_SECONDS = 5.0
"""A run that takes longer shows how far each of its scenarios is, if they are not too many for the screen."""
MOST_SCENARIOS = 12
ALL = "all"
BARS_FROM_COLUMNS = 80
"""On a narrower terminal the words take the room of the bars."""


class Screen:
    """For --quiet and --json: shows nothing. `precision` is what the run was asked for, if anything."""

    precision: str | None = None

    def show(self, progress: Progress) -> None:
        pass

    def close(self) -> None:
        pass

    def targets(self) -> tuple[Target, ...]:
        from replicast.core.precision import parse_precision

        return parse_precision(self.precision) if self.precision else ()


class PlainLines(Screen):
    """A line now and then, for logs and terminals that draw nothing anew."""

    def __init__(self) -> None:
        self._next = time.monotonic() + 2.0
        self._shown = -1

    def show(self, progress: Progress) -> None:
        now = time.monotonic()
        if now >= self._next and progress.done != self._shown:
            self._next, self._shown = now + LINE_EVERY_SECONDS, progress.done
            say(status_line(progress, self.targets()))

    def close(self) -> None:
        pass


class LiveBar(Screen):
    """A bar for the run, and one a scenario where it takes long; drawn by rich, which heeds the terminal's size."""

    def __init__(self) -> None:
        self._drawn_at = 0.0
        self._bars: Bars | None = None
        self._tasks: dict[str, TaskID] = {}
        self._began = time.monotonic()
        self._last: Progress | None = None

    def show(self, progress: Progress) -> None:
        now, self._last = time.monotonic(), progress
        if now - self._drawn_at >= DRAWN_EVERY_SECONDS:
            self._drawn_at = now
            self._draw(progress)

    def close(self) -> None:
        if self._bars is not None and self._last is not None:
            self._draw(self._last)
            self._bars.stop()
            self._bars = None

    def _draw(self, progress: Progress) -> None:
        if self._bars is None:
            self._bars = new_bars()
            self._bars.start()
        several = 1 < len(progress.scenarios) <= MOST_SCENARIOS
        shown = several and (self._tasks.keys() - {ALL} or time.monotonic() - self._began > SCENARIOS_AFTER_SECONDS)
        self._bar(ALL, ALL if shown else "", progress.done, progress.planned, status_line(progress, self.targets()))
        if shown:
            for name, own in progress.scenarios.items():
                self._bar(
                    name, clean(name), own.done, own.planned, scenario_line(clean(progress.metric), own, self.targets())
                )
        self._bars.refresh()

    def _bar(self, key: str, name: str, done: int, planned: int, said: str) -> None:
        assert self._bars is not None
        if key not in self._tasks:
            self._tasks[key] = self._bars.add_task("", total=None, said="")
        total = planned or None
        self._bars.update(self._tasks[key], description=name, completed=done, total=total, said=said)


def new_bars() -> Bars:
    """Bars that are drawn when told to, and no thread; the words beside them are cut where the line ends."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn
    from rich.progress import Progress as Bars
    from rich.table import Column

    class TwoTables(Bars):
        """The names of scenarios take no room from the line of the run."""

        def get_renderables(self) -> Iterator[RenderableType]:
            yield self.make_tasks_table(self.tasks[:1])
            if self.tasks[1:]:
                yield self.make_tasks_table(self.tasks[1:])

    console = Console(stderr=True, highlight=False)
    drawn = [BarColumn(bar_width=20 if console.width > 100 else 8), TaskProgressColumn()]
    return TwoTables(
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, max_width=30)),
        *(drawn if console.width >= BARS_FROM_COLUMNS else []),
        TextColumn("{task.fields[said]}", markup=False, table_column=Column(no_wrap=True, ratio=1)),
        console=console, auto_refresh=False, expand=True,
    )  # fmt: skip


def status_line(progress: Progress, targets: tuple[Target, ...] = ()) -> str:
    """done, failed, rate, time left, and mean ± half-width of the first metric so far."""
    parts = [f"{progress.done:,} of {progress.planned:,}"]
    if progress.failed:
        parts.append(f"{progress.failed:,} failed")
    if progress.simulated:
        rate = progress.rate
        parts.append(f"{number(rate)}/s" if rate >= 0.1 else f"{number(rate * 60)}/min")
        if progress.done < progress.planned:
            parts.append(f"{duration(progress.seconds_left)} left")
    own = progress.scenarios.get(progress.scenario)
    if own is not None and own.interval() is not None:
        parts.append(f"{clean(progress.metric)} of {clean(progress.scenario)} {_so_far(progress.metric, own, targets)}")
    return " · ".join(parts)


def scenario_line(metric: str, own: SoFar, targets: tuple[Target, ...]) -> str:
    parts = [f"{own.done:,} of {own.planned:,}"]
    if own.failed:
        parts.append(f"{own.failed:,} failed")
    if said := _so_far(metric, own, targets):
        parts.append(said)
    return " · ".join(parts)


def _so_far(metric: str, own: SoFar, targets: tuple[Target, ...]) -> str:
    """`4.2 ± 0.3`, and how that stands to the half-width that was asked for: `4.2 ± 0.3 (0.21 wanted)`."""
    interval = own.interval()
    if interval is None:
        return ""
    mean, half_width = interval
    spread = f" ± {number(half_width)}" if half_width is not None else ""
    wanted = next((target.allowed(mean) for target in targets if target.metric == metric), None)
    return f"{number(mean)}{spread}" + (f" ({number(wanted)} wanted)" if wanted is not None else "")


def screen_for(*, quiet: bool) -> Screen:
    if quiet:
        return Screen()
    draws = sys.stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")
    return LiveBar() if draws else PlainLines()
