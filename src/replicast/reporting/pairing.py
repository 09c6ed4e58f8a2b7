"""A run of antithetic pairs: each metric's value is a pair's mean, and a pair with a half missing has none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from replicast.conducting.rules import metric_values
from replicast.core.moments import Moments
from replicast.core.pairs import Pairs
from replicast.core.ports import Store
from replicast.core.quantiles import quantiles
from replicast.core.record import RunRecord
from replicast.core.statistics import QUARTILES, SummaryRow, summary_row
from replicast.stores.metric_rows import MetricSource

UNIT_NOTE = (
    "replications are antithetic pairs: n counts pairs, and mean, sd and interval are of the means of pairs; "
    "min, median, quartiles and max are of single replications"
)


@dataclass(frozen=True, slots=True)
class ScenarioPairs:
    """One scenario's pairs. `whole` says of which both halves succeeded; `failed` counts those of which one failed.

    `lone` halves wait for their other.
    """

    scenario: str
    metrics: Mapping[str, Pairs] = field(default_factory=dict)
    whole: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))
    failed: int = 0
    failures: int = 0
    lone: int = 0

    def row(self, metric: str, *, planned: int, confidence: float, copies: bool) -> SummaryRow:
        """As `summarise`, in pairs; the range and the quartiles are of single replications of whole pairs."""
        pairs = self.metrics[metric]
        halves = np.concatenate([pairs.first[self.whole], pairs.second[self.whole]])
        found = summary_row(
            Moments.of(self.means(metric)), quantiles(halves, QUARTILES), scenario=self.scenario, metric=metric,
            planned=planned // 2, failed=self.failed, confidence=confidence, copies=copies,
        )  # fmt: skip
        single = Moments.of(halves)
        return replace(found, min=single.least, max=single.greatest)

    def means(self, metric: str) -> NDArray[np.float64]:
        """Of whole pairs; NaN where a half has no finite value."""
        return self.metrics[metric].means[self.whole]

    def notes(self) -> Iterator[str]:
        if self.failed:
            left = "1 pair is" if self.failed == 1 else f"{self.failed:,} pairs are"
            yield (
                f"{self.scenario}: {left} left out of every mean, as a half failed ({self.failures:,} replications); "
                "they may not be like the rest"
            )
        if self.lone:
            halves = "1 replication waits" if self.lone == 1 else f"{self.lone:,} replications wait"
            yield f"{self.scenario}: {halves} for the other half of a pair, and no mean is of it"
        if self.metrics and all(pairs.are_equal for pairs in self.metrics.values()):
            yield (
                f"{self.scenario}: both halves of every pair are equal: does the model draw from rng.uniforms(n) "
                "(in R, replicast_uniform(n)), or mirror what it draws where `antithetic` is true?"
            )
            return
        for metric, pairs in self.metrics.items():
            correlation, n = pairs.correlation, int(pairs.complete.sum())
            if correlation is not None and correlation > 2.0 / math.sqrt(n):
                yield (
                    f"{self.scenario}: the halves of pairs correlate by {correlation:+.2f} in '{metric}': antithetic "
                    "pairs make its interval wider than as many independent replications would"
                )


def pairs_of(store: Store, record: RunRecord, scenario: str, source: MetricSource) -> ScenarioPairs:
    """The pairs of a scenario, as far as they count."""
    coverage = store.coverage(record.id)
    reached = max((last for _, last in coverage.done(scenario)), default=0)
    count = min(record.planned.get(scenario, reached), reached)
    count += count % 2
    ok, ended = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    for marked, ranges in ((ok, coverage.ok(scenario)), (ended, coverage.done(scenario))):
        for first, last in ranges:
            marked[first - 1 : last] = True
    failed = ended & ~ok
    found = metric_values(store, record.id, scenario, count, source) if count else None
    metrics = {name: Pairs.of(own) for name, own in found.values.items()} if found else {}
    whole = ok[0::2] & ok[1::2]
    broken = failed[0::2] | failed[1::2]
    lone = (ok[0::2] ^ ok[1::2]) & ~broken
    return ScenarioPairs(scenario, metrics, whole, int(broken.sum()), int(failed.sum()), int(lone.sum()))
