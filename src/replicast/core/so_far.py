"""How far one scenario of a run is, and what is known of its first metric: for the eye, while the run goes on."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class SoFar:
    """`independent`: replications are no antithetic pairs, so that their spread says how sure the mean is."""

    planned: int = 0
    done: int = 0
    failed: int = 0
    n: int = 0
    sum: float = 0.0
    squares: float = 0.0
    independent: bool = True

    def take_in(self, count: int, failed: int, first_metric: tuple[str, int, float, float] | None) -> None:
        """What a part holds, see `progress.Saved`."""
        self.done += count
        self.failed += failed
        if first_metric is not None:
            _, n, total, squares = first_metric
            self.n, self.sum, self.squares = self.n + n, self.sum + total, self.squares + squares

    def interval(self, confidence: float = 0.95) -> tuple[float, float | None] | None:
        """Mean and half-width so far: the summary computes its own from what is stored."""
        if self.n < 1:
            return None
        mean = self.sum / self.n
        variance = (self.squares - self.n * mean * mean) / (self.n - 1) if self.n > 1 else 0.0
        if self.n < 2 or not self.independent or not 0 < variance < math.inf:
            return mean, None
        from .distributions import t_critical  # imports numpy, which a command's help does without

        return mean, t_critical(confidence, self.n - 1) * math.sqrt(variance / self.n)
