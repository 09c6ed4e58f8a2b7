"""How far a run is, how it ended, and who is at work on it: what a place tells whoever asked for the run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from .commands import command
from .replication import Batch
from .so_far import SoFar


@dataclass(frozen=True, slots=True)
class Saved:
    """Progress: a part that a worker has committed. `first_metric` is (name, n, sum, sum of squares) or None."""

    batch: Batch
    failed: int
    seconds: float
    first_metric: tuple[str, int, float, float] | None = None


@dataclass
class Progress:
    """How far a run is, `seconds` after it began; `metric` is the first metric's name, and `interval()` is of it."""

    planned: int
    scenario: str = ""
    done: int = 0
    failed: int = 0
    simulated: int = 0
    seconds: float = 0.0
    metric: str = ""
    n: int = 0
    sum: float = 0.0
    squares: float = 0.0
    scenarios: dict[str, SoFar] = field(default_factory=dict)

    def take_in(self, saved: Saved) -> None:
        own = self.scenarios.setdefault(saved.batch.scenario, SoFar())
        own.take_in(len(saved.batch), saved.failed, saved.first_metric)
        self.done += len(saved.batch)
        self.simulated += len(saved.batch)
        self.failed += saved.failed
        if saved.first_metric is not None and saved.batch.scenario == self.scenario:
            self.metric, n, total, squares = saved.first_metric
            self.n, self.sum, self.squares = self.n + n, self.sum + total, self.squares + squares

    @property
    def rate(self) -> float:
        """Replications a second, of those simulated since it began."""
        return self.simulated / max(self.seconds, 1e-9)

    @property
    def seconds_left(self) -> float | None:
        return (self.planned - self.done) / self.rate if self.simulated else None

    def interval(self, confidence: float = 0.95) -> tuple[float, float | None] | None:
        """Mean and half-width so far, for the eye only: the summary computes its own from what is stored."""
        if self.n < 1:
            return None
        mean = self.sum / self.n
        variance = (self.squares - self.n * mean * mean) / (self.n - 1) if self.n > 1 else 0.0
        if self.n < 2 or not 0 < variance < math.inf:
            return mean, None
        from .distributions import t_critical  # imports numpy, which a command's help does without

        return mean, t_critical(confidence, self.n - 1) * math.sqrt(variance / self.n)


Watch = Callable[[Progress], None]
"""Told now and then how far a run is."""


def ignore_progress(_progress: Progress) -> None:
    """For runs that nobody watches."""


class Ending(Enum):
    DONE = "done"
    HOPELESS = "hopeless"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How carrying a run out ended: `planned` by scenario, and over all of them how many are done and failed."""

    ending: Ending
    planned: Mapping[str, int]
    done: int
    failed: int
    simulated: int


class Interrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM: what was simulated is stored. A KeyboardInterrupt, so that no `except Exception` goes on."""

    def __init__(self, conclusion: Conclusion, run: str = "", store: str = "runs", function: str = "") -> None:
        """`function` names the model of a run that no file defines."""
        in_python = f"replicast.Run({store!r}, '{run}').resume(function={function})"
        again = in_python if function else command("resume", run, store)
        super().__init__(f"run {run} was interrupted; what was simulated is stored; go on with: {again}")
        self.conclusion, self.run = conclusion, run


@dataclass(frozen=True, slots=True)
class AtWork:
    """Whoever is at work on a run: `who` names them to a person, `facts` say it to a program."""

    who: str
    facts: Mapping[str, Any] = field(default_factory=dict)
