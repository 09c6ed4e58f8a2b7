"""Rows out of a database in pages, each asked for on its own, so that no transaction stays open while they are used."""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby, islice
from typing import Any

import sqlalchemy as sa
from arro3.core import Array, DataType, RecordBatch, Table

from replicast.core.replication import Metric

from . import parts
from .sql_connections import Database
from .sql_layout import ColumnTypes, ModelTable, Shape, arrow_schema
from .sql_schema import Schema
from .sql_types import NOTHING, decode, storage_of

PAGE_ROWS = 20_000
PAGE_VALUES = 200_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """Successful replications first..last of a scenario, all of one shape."""

    first: int
    last: int
    shape: str


class Reader:
    """Reads one scenario of a run. `shapes` are the run's, by digest."""

    def __init__(
        self, database: Database, schema: Schema, scenario: str, scenario_id: int, shapes: Mapping[str, Shape]
    ) -> None:
        self._database, self._schema = database, schema
        self._scenario, self._scenario_id, self._shapes = scenario, scenario_id, shapes

    def metrics(self, stretches: Sequence[Stretch], metric_ids: Mapping[str, int]) -> Iterator[Table]:
        for page in pages(stretches, lambda s: max(PAGE_VALUES // max(len(self._shapes[s.shape].metrics), 1), 1)):
            names = list(dict.fromkeys(name for s in page for name, _ in self._shapes[s.shape].metrics))
            replications = [i for s in page for i in range(s.first, s.last + 1)]
            columns = self._metrics_page(replications, {metric_ids[name]: name for name in names})
            self._make_booleans(page, columns)
            arrays = {name: parts.metric_column(column) for name, column in columns.items()}
            yield Table.from_pydict({**self._keys(replications), **arrays})

    def _make_booleans(self, page: Sequence[Stretch], columns: Mapping[str, list[Metric]]) -> None:
        """Of whole numbers where a replication's shape says that they are."""
        start = 0
        for stretch in page:
            end = start + stretch.last - stretch.first + 1
            for name, kind in self._shapes[stretch.shape].metrics:
                if kind == "bool":
                    columns[name][start:end] = [None if v is None else bool(v) for v in columns[name][start:end]]
            start = end

    def _metrics_page(self, replications: Sequence[int], names: Mapping[int, str]) -> dict[str, list[Metric]]:
        values = self._schema.metric_values.c
        query = sa.select(values.metric_id, values.replication, values.value, values.whole, values.exact).where(
            values.scenario_id == self._scenario_id,
            values.metric_id.in_(names),
            values.replication.between(replications[0], replications[-1]),
        )
        places = {replication: place for place, replication in enumerate(replications)}
        columns: dict[int, list[Metric]] = {key: [None] * len(replications) for key in names}
        for metric_id, replication, value, whole, exact in self._fetch(query):
            if replication in places:
                found = float(exact) if exact is not None else value if whole is None else whole
                columns[metric_id][places[replication]] = found
        return {name: columns[key] for key, name in names.items()}

    def rows(self, table: str, stored: ModelTable, stretches: Sequence[Stretch]) -> Iterator[Table]:
        """Pages of a model's table, cut where its columns or their types change."""
        having = [s for s in stretches if self._shapes[s.shape].columns(table) is not None]
        if not having:
            return
        columns = {s.shape: self._shapes[s.shape].tables[table] for s in having}
        names = list(dict.fromkeys(pair for own in columns.values() for pair in own if pair[1] != NOTHING))
        stored_as = list(dict.fromkeys(stored.column(*pair) for pair in names))
        for page in self._raw_pages(stored, stored_as, names, having[0].first, having[-1].last):
            for shape_columns, pieces in groupby(sections(page, having), key=lambda section: columns[section[0]]):
                rows = list(chain.from_iterable(page[start:end] for _, start, end in pieces))
                yield self._chunk(rows, shape_columns, stored, stored_as)

    def _raw_pages(
        self, stored: ModelTable, stored_as: Sequence[str], names: Sequence[tuple[str, str]], first: int, last: int
    ) -> Iterator[list[Any]]:
        instants = {stored.column(*pair) for pair in names if storage_of(pair[1]) == "instant"}
        table = sa.table(
            sa.quoted_name(stored.rows_name, quote=True),
            *map(sa.column, ("scenario_id", "replication", "row_no", "exact")),
            *(sa.column(sa.quoted_name(name, quote=True)) for name in stored_as),
        )  # fmt: skip
        keys = table.c
        selected = [self._read_as(keys[name], name in instants) for name in stored_as]
        after = (first, -1)
        while True:
            query = (
                sa.select(keys.replication, keys.row_no, keys.exact, *selected)
                .where(keys.scenario_id == self._scenario_id, keys.replication.between(after[0], last))
                .where(sa.or_(keys.replication > after[0], keys.row_no > after[1]))
                .order_by(keys.replication, keys.row_no)
                .limit(PAGE_ROWS)
            )
            page = self._fetch(query)
            if page:
                yield page
            if len(page) < PAGE_ROWS:
                return
            after = (page[-1][0], page[-1][1])

    def _read_as(self, column: sa.ColumnElement[Any], instant: bool) -> sa.ColumnElement[Any]:
        """PostgreSQL's instants as times in UTC, whatever the session's zone."""
        if instant and self._database.kind == "postgresql":
            return sa.func.timezone("UTC", column)
        return column

    def _chunk(self, page: Sequence[Any], columns: ColumnTypes, stored: ModelTable, stored_as: Sequence[str]) -> Table:
        listed = list(zip(*page, strict=True))
        notes: dict[str, dict[int, str]] = {}
        for row, exact in enumerate(listed[2]):
            if exact is not None:
                for name, text in json.loads(exact).items():
                    notes.setdefault(name, {})[row] = text
        arrays = list(self._keys(listed[0]).values())
        for name, kind in columns:
            if kind == NOTHING:
                arrays.append(Array([None] * len(page), DataType.bool()))
                continue
            place = stored_as.index(stored.column(name, kind))
            arrays.append(decode(listed[3 + place], kind, notes.get(name, {})))
        return Table.from_batches([RecordBatch.from_arrays(arrays, schema=arrow_schema(columns))])

    def _keys(self, replications: Sequence[int]) -> dict[str, Array]:
        scenario = parts.constant_text(self._scenario, len(replications))
        return {"scenario": scenario, "replication": Array(list(replications), DataType.int64())}

    def _fetch(self, query: sa.Select[Any]) -> list[Any]:
        return self._database.perform(lambda connection: list(connection.execute(query).fetchall()))


def sections(page: Sequence[Any], stretches: Sequence[Stretch]) -> Iterator[tuple[str, int, int]]:
    """(shape, start, end) of each stretch's rows in a page of rows that begin with their replication."""
    numbers = [row[0] for row in page]
    before = bisect_right(stretches, numbers[0], key=lambda stretch: stretch.first) - 1
    for stretch in islice(stretches, max(before, 0), None):
        if stretch.first > numbers[-1]:
            return
        start, end = bisect_left(numbers, stretch.first), bisect_right(numbers, stretch.last)
        if start < end:
            yield stretch.shape, start, end


def pages(stretches: Sequence[Stretch], limit: Callable[[Stretch], int]) -> Iterator[list[Stretch]]:
    """The same replications in groups of at most `limit(stretch)`, asked of each group's first stretch."""
    page: list[Stretch] = []
    left = 0
    for whole in stretches:
        first = whole.first
        while first <= whole.last:
            if not page:
                left = limit(whole)
            last = min(whole.last, first + left - 1)
            page.append(Stretch(first, last, whole.shape))
            left -= last - first + 1
            first = last + 1
            if left == 0:
                yield page
                page = []
    if page:
        yield page


LEDGER_TYPES: ColumnTypes = (
    ("seconds", "float64"), ("attempt", "int64"), ("warning_count", "int64"), ("fingerprint", "uint64"),
    ("state", "utf8"), ("worker", "utf8"), ("warnings", "utf8"), ("error_kind", "utf8"), ("error_type", "utf8"),
    ("error", "utf8"), ("traceback", "utf8"), ("log", "utf8"),
)  # fmt: skip


def ledger_chunks(database: Database, schema: Schema, run: str, scenario: str) -> Iterator[Table]:
    """The ledger of a scenario in the columns of `parts.ledger_table`, by replication."""
    kept = schema.replications.c
    after = 0
    while True:
        query = (
            sa.select(kept.replication, *(kept[name] for name, _ in LEDGER_TYPES))
            .where(kept.run == run, kept.scenario == scenario, kept.replication > after)
            .order_by(kept.replication)
            .limit(PAGE_ROWS)
        )
        page = database.perform(lambda connection, query=query: list(connection.execute(query).fetchall()))  # type: ignore[misc]
        if page:
            listed = list(zip(*page, strict=True))
            arrays = [parts.constant_text(scenario, len(page)), Array(list(listed[0]), DataType.int64())]
            for (name, kind), values in zip(LEDGER_TYPES, listed[1:], strict=True):
                unsigned = [value % 2**64 for value in values] if name == "fingerprint" else list(values)
                arrays.append(decode(unsigned, kind, {}))
            yield Table.from_batches([RecordBatch.from_arrays(arrays, schema=arrow_schema(LEDGER_TYPES))])
        if len(page) < PAGE_ROWS:
            return
        after = page[-1][0]
