"""Where a run's metrics stand: by name in the store's own `metrics`, or in the one-row table that was all it returned.

Whether a table is a row of metrics cannot be seen in one replication: a list of patients, too, may have one row. It is
judged here, over all successful replications, whenever metrics are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from arro3.core import DataType, Schema, Table

from replicast.core.arrow import fields_of
from replicast.core.errors import RequestError
from replicast.core.ports import Store
from replicast.core.record import RunRecord

from .mixed_names import KEYS, METRICS, mixed_names
from .reading import replications_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class MetricSource:
    """`table` holds a run's metrics: all columns of `metrics`, or of another table those of `names`.

    `note` says why a table of one row in some replications is none, and `mixed` why a number in some is none.
    """

    table: str = METRICS
    names: tuple[str, ...] = ()
    note: str = ""
    mixed: Mapping[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> list[str]:
        """Sentences for whoever reads the metrics."""
        return [*([self.note] if self.note else []), *self.mixed.values()]

    def schemas(self, found: Sequence[Schema]) -> list[Schema]:
        """Those of the table, without what is no metric."""
        if self.table == METRICS and not self.mixed:
            return list(found)
        return [Schema([column for column in fields_of(own) if self._is_kept(column.name)]) for own in found]

    def _is_kept(self, column: str) -> bool:
        return column in KEYS or (column not in self.mixed if self.table == METRICS else column in self.names)

    def rows(self, store: Store, run: str, scenario: str) -> Iterator[Table]:
        """A row per successful replication, ordered by replication, in chunks."""
        for chunk in store.rows(run, self.table, scenario):
            if self.table == METRICS and not self.mixed:
                yield chunk
            else:
                yield chunk.select([name for name in chunk.column_names if self._is_kept(name)])

    def require(self, metrics: Iterable[str] = ()) -> None:
        """Raises RequestError where a table is no row of metrics, or one of `metrics` is none."""
        for why in (self.note, *(self.mixed.get(name, "") for name in metrics)):
            if why:
                raise RequestError(why)


def metric_source(store: Store, record: RunRecord, found: Mapping[str, Sequence[Schema]] | None = None) -> MetricSource:
    """Judged by what is stored now; `found` are the store's tables, where they were asked for already."""
    schemas = dict(store.tables(record.id) if found is None else found)
    mixed = mixed_names(store, record, schemas)
    named = any(len(schema.names) > len(KEYS) for schema in schemas.pop(METRICS, ()))
    if named or len(schemas) != 1:
        return MetricSource(mixed=mixed)
    ((table, own),) = schemas.items()
    if record.experiment.model.lone_table not in ("", table):
        return MetricSource()
    exception = _not_of_one_row(store, record, table)
    if exception is None:
        return MetricSource(table, tuple(_numbers_in(own)))
    return MetricSource(note=exception)


def _not_of_one_row(store: Store, record: RunRecord, table: str) -> str | None:
    """A sentence that names a replication with no row or several, where others have one; "" where none has one."""
    import numpy as np

    coverage, single, total, found = store.coverage(record.id), 0, 0, ""
    for scenario in (s.name for s in record.experiment.scenarios):
        planned = record.planned.get(scenario, np.iinfo(np.int64).max)
        ok = [np.arange(first, min(last, planned) + 1) for first, last in coverage.ok(scenario)]
        numbers = np.concatenate([np.empty(0, dtype=np.int64), *ok])
        rows = _rows_of_each(store, record.id, table, scenario, numbers)
        single, total = single + int((rows == 1).sum()), total + len(rows)
        if not found and (rows != 1).any():
            place = int(np.flatnonzero(rows != 1)[0])
            where = f" of {scenario}" if len(record.experiment.scenarios) > 1 else ""
            found = f"replication {numbers[place]}{where} returned {rows[place]}"
    if single == total and total:
        return None
    if not single:
        return ""
    return (
        f"'{table}' has one row in {single} of {total} replications, but {found}: it is a table, and its numbers are "
        "no metrics; return them by name to have them summarised"
    )


def _rows_of_each(
    store: Store, run: str, table: str, scenario: str, replications: NDArray[np.int64]
) -> NDArray[np.int64]:
    """How many rows each of these replications returned."""
    import numpy as np

    pieces = [np.empty(0, dtype=np.int64), *(replications_of(chunk) for chunk in store.rows(run, table, scenario))]
    numbers, times = np.unique(np.concatenate(pieces), return_counts=True)
    _, places, found = np.intersect1d(replications, numbers, assume_unique=True, return_indices=True)
    counts = np.zeros(len(replications), dtype=np.int64)
    counts[places] = times[found]
    return counts


def _numbers_in(schemas: Sequence[Schema]) -> list[str]:
    """Columns that hold numbers wherever they hold anything (a column of missing values is stored as a logical one)."""
    kinds: dict[str, list[DataType]] = {}
    for schema in schemas:
        for column in fields_of(schema):
            kinds.setdefault(column.name, []).append(column.type)
    return [name for name, own in kinds.items() if name not in KEYS and all(map(_is_number, own))]


def _is_number(kind: DataType) -> bool:
    return DataType.is_integer(kind) or DataType.is_floating(kind) or DataType.is_boolean(kind)
