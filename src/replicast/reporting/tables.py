"""Tables of a run, all replications one after the other, read in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from arro3.core import DataType, Schema, Table

from replicast.core.arrow import fields_of
from replicast.core.commands import command as hint
from replicast.core.errors import RequestError, nearest
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.stores.metric_rows import MetricSource, metric_source
from replicast.stores.mixed_names import lone_schemas, with_lone_values
from replicast.stores.reading import keep_replications

from .metric_types import KEYS, MetricTypes, metric_types

if TYPE_CHECKING:
    import polars as pl

    from .unify import Types, Unified

CHUNK_ROWS = 100_000
KEPT_BYTES = 32 << 20
"""Of metrics that are kept once they are read, since a summary and a table are made of them; of more, none."""

METRICS = "metrics"


class RunTables:
    """The tables of one run, each in one schema; rows ordered by scenario (as in the experiment) and replication.

    One reading of the run: what is asked of it twice is not read twice, and `summaries` are those made of it, by
    confidence.
    """

    def __init__(self, store: Store, record: RunRecord) -> None:
        self.store, self.record = store, record
        self._schemas = dict(store.tables(record.id))
        self._unified: dict[str, Unified] = {}
        self._source: MetricSource | None = None
        self._metric_types: MetricTypes | None = None
        self._kept: dict[str, list[Table]] = {}
        self._room = KEPT_BYTES
        self.summaries: dict[float, Any] = {}

    @property
    def source(self) -> MetricSource:
        """Where the metrics are."""
        if self._source is None:
            self._source = metric_source(self.store, self.record, self._schemas)
        return self._source

    @property
    def names(self) -> list[str]:
        """`metrics`, then the model's tables by name."""
        return list(self._schemas)

    def require(self, table: str) -> None:
        """Raises RequestError for a table that is not there."""
        if table not in self._schemas:
            why = self.store.reach()
            elsewhere = f" here: {why}; its tables are collated with: "
            elsewhere += hint("collate", self.record.id, self.store.label, "-o", "DIR")
            raise RequestError(
                f"run {self.record.id} has no table '{table}'{elsewhere if why else nearest(table, self._schemas)}"
            )

    def unified(self, table: str) -> Unified:
        """The schema of all its rows, as `unify` finds it; polars is imported for it."""
        import polars as pl

        from .unify import unify, unify_metrics

        self.require(table)
        if table not in self._unified:
            schemas = self._schemas_of(table)
            found = unify_metrics(schemas) if table == METRICS else unify(table, schemas)
            if table != METRICS and found.notes:
                filled = self._filled(table, len(schemas))
                found = unify(table, schemas, (), filled)
                if found.doubtful:
                    found = unify(table, schemas, self._logical(table, found.doubtful), filled)
            if not found.schema:
                found.schema = {"scenario": pl.String(), "replication": pl.Int64()}
            self._unified[table] = found
        return self._unified[table]

    def straight_schema(self, table: str) -> Schema | None:
        """That of all rows, where they are stored as they are to be written; None where they have to be unified."""
        from .straight import straight_schema

        self.require(table)
        return straight_schema(self._schemas_of(table), booleans=table != METRICS)

    def columns(self, table: str) -> list[str]:
        """The model's own, in order of first appearance."""
        found = dict.fromkeys(name for schema in self._schemas_of(table) for name in schema.names)
        return [name for name in found if name not in KEYS]

    def numeric_columns(self, table: str) -> list[str]:
        """Those of the model's own columns that hold numbers, in order; of Arrow alone where nothing is unified."""
        if (schema := self.straight_schema(table)) is not None:
            kinds = {field.name: field.type for field in fields_of(schema)}
            return [name for name in self.columns(table) if DataType.is_numeric(kinds[name])]
        unified = self.unified(table).schema
        return [name for name in self.columns(table) if unified[name].is_numeric()]

    def _schemas_of(self, table: str) -> Sequence[Schema]:
        if table == METRICS:
            return self.source.schemas(self._schemas[self.source.table])
        lone = lone_schemas(self._schemas, table) if table in self.source.mixed else []
        return [*self._schemas[table], *lone]

    def _filled(self, table: str, most: int) -> set[Types]:
        """The types of those of the table's schemas of which there are rows."""
        from .unify import as_key, polars_types

        seen, found = set[Any](), set[Any]()
        for part in self.parts(table, None):
            own = tuple((field.name, str(field.type)) for field in fields_of(part.schema))
            if own not in seen:
                seen.add(own)
                found.add(as_key(polars_types(part.schema)))
            if len(found) == most:
                break
        return found

    def _logical(self, table: str, columns: Sequence[str]) -> set[str]:
        """Those of the columns that hold true or false somewhere, and not only missing values."""
        found = set[str]()
        for part in self.parts(table, None):
            for name in {*columns} & {*part.column_names} - found:
                if any(DataType.is_boolean(c.type) and c.null_count < len(c) for c in part.column(name).chunks):
                    found.add(name)
        return found

    def chunks(self, table: str, scenarios: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """Frames of about CHUNK_ROWS rows; none of them empty."""
        import polars as pl

        from .unify import fit

        unified = self.unified(table)
        schema = unified.schema
        waiting: list[pl.DataFrame] = []
        rows = 0
        for part in self.parts(table, scenarios):
            waiting.append(fit(part, schema, unified.labels))
            rows += part.num_rows
            if rows >= CHUNK_ROWS:
                yield pl.concat(waiting)
                waiting, rows = [], 0
        if waiting:
            yield pl.concat(waiting)

    def parts(self, table: str, scenarios: Sequence[str] | None) -> Iterator[Table]:
        """Rows as they are stored, of all replications that count; no part is empty."""
        names = scenarios if scenarios is not None else [s.name for s in self.record.experiment.scenarios]
        for scenario in names:
            yield from self._metrics(scenario) if table == METRICS else self._counted(table, scenario)

    def _metrics(self, scenario: str) -> Iterator[Table]:
        """The parts of a scenario's metrics, kept once all of them were read and if they are small."""
        if scenario in self._kept:
            yield from self._kept[scenario]
            return
        seen, size = list[Table](), 0
        for part in self._counted(METRICS, scenario):
            size += part.nbytes
            if size <= self._room:
                seen.append(part)
            yield part
        if size <= self._room:
            self._kept[scenario], self._room = seen, self._room - size

    def _counted(self, table: str, scenario: str) -> Iterator[Table]:
        planned = self.record.planned.get(scenario)
        for part in self._rows(table, scenario):
            counted = part if planned is None else keep_replications(part, 1, planned)
            if counted.num_rows:
                yield counted

    def _rows(self, table: str, scenario: str) -> Iterator[Table]:
        if table == METRICS:
            return self.source.rows(self.store, self.record.id, scenario)
        if table in self.source.mixed:
            return with_lone_values(self.store, self.record.id, table, scenario)
        return self.store.rows(self.record.id, table, scenario)

    def frame(self, table: str, scenarios: Sequence[str] | None = None) -> pl.DataFrame:
        """All rows at once: as much memory as they take."""
        import polars as pl

        schema = self.unified(table).schema
        return pl.concat([pl.DataFrame(schema=schema), *self.chunks(table, scenarios)], rechunk=True)

    @property
    def metric_types(self) -> MetricTypes:
        """What is known of the metrics before a row of them is read."""
        if self._metric_types is None:
            self.require(METRICS)
            self._metric_types = metric_types(self._schemas_of(METRICS))
        return self._metric_types

    @property
    def booleans(self) -> tuple[str, ...]:
        """Metrics that are proportions: booleans in every replication, as far as they are there."""
        return self.metric_types.booleans

    def metric_names(self) -> list[str]:
        return list(self.metric_types.names)
