"""Whether an equal result may come up by chance: what tells legitimate repeats from copies where no stream was seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from arro3.core import DataType, Table

from replicast.core.replication import Metric

LARGEST_DENOMINATOR = 1000
CLOSE = 1e-6


def may_repeat(metrics: Mapping[str, Metric], tables: Iterable[Table]) -> bool:
    """True of counts, shares and rounded numbers; two equal doubles with all their digits come of equal draws."""
    if not all(_is_simple(value) for value in metrics.values() if isinstance(value, float)):
        return False
    return not any(_has_fractions(table) for table in tables)


def _is_simple(value: float) -> bool:
    """Whether a number is a fraction with a denominator up to LARGEST_DENOMINATOR, by its continued fraction."""
    rest, before, denominator = value % 1.0, 0, 1
    while rest > CLOSE:
        step = 1.0 / rest
        before, denominator = denominator, int(step) * denominator + before
        if denominator > LARGEST_DENOMINATOR:
            return False
        rest = step % 1.0
    return True


def _has_fractions(table: Table) -> bool:
    for name in table.column_names:
        for chunk in table.column(name).chunks:
            if DataType.is_floating(chunk.type):
                values = np.array(chunk.to_pylist() if chunk.null_count else chunk.to_numpy(), dtype=np.float64)
                finite = values[np.isfinite(values)]
                if (finite != np.rint(finite)).any():
                    return True
    return False
