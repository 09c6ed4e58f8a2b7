"""What a batch was when it was saved: digests of its rows, in the transaction that saved them.

Of a batch's successes nothing changes afterwards. A failure may give way to a later attempt, so each has a digest of
its own, and of several batches that say that a replication failed the last is right.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
import sqlalchemy as sa
from arro3.core import Table

from replicast.core.planning import Range, merge
from replicast.core.ports import Damage
from replicast.core.replication import Outcome

from . import parts
from .names import LEDGER, METRICS, artefact_folder, safe_name
from .reading import keep_replications, replications_of
from .rows_hash import RowsHash, hash_rows
from .sql_layout import ModelTable
from .sql_schema import Schema


class Batch(msgspec.Struct, frozen=True):
    """`ok` are the successful replications as ranges; digests are by table, and of failures by replication."""

    scenario: str
    ok: Sequence[Range]
    tables: Mapping[str, str]
    failed: Mapping[int, str] = {}
    artefacts: Mapping[str, str] = {}
    number: int = 0

    @property
    def span(self) -> Range:
        numbers = [number for pair in self.ok for number in pair] + list(self.failed)
        return min(numbers), max(numbers)

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Batch:
        returned = [outcome for outcome in outcomes if outcome.failure is None]
        lost = [outcome for outcome in outcomes if outcome.failure is not None]
        tables: dict[str, str] = {}
        if returned:
            tables[LEDGER] = hash_rows([parts.ledger_table(returned)]).digest()
            tables[METRICS] = hash_rows([parts.metrics_table(returned)], doubles=True).digest()
        rows: dict[str, list[Table]] = {}
        for name, table in parts.model_tables(returned) if returned else ():
            rows.setdefault(name, []).append(table)
        tables |= {name: _table_digest(own) for name, own in rows.items() if any(t.num_rows for t in own)}
        failed = {o.replication: hash_rows([parts.ledger_table([o])]).digest() for o in lost}
        ok = merge((o.replication, o.replication) for o in returned)
        return cls(outcomes[0].scenario, ok, tables, failed, dict(_artefacts(outcomes)))

    def to_row(self, run: str) -> dict[str, str]:
        return {"run": run, "scenario": self.scenario, "content": msgspec.json.encode(self).decode()}


def _table_digest(tables: Sequence[Table]) -> str:
    """Of rows in several schemas: each schema's columns are hashed in the order of replications."""
    from .reading import order_by_replication

    return hash_rows(tables if len(tables) == 1 else order_by_replication(tables)).digest()


def _artefacts(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str]]:
    for outcome in outcomes:
        if outcome.folder is not None:
            folder, place = Path(outcome.folder), artefact_folder(outcome.scenario, outcome.replication)
            for path in sorted(folder.rglob("*")):
                if path.is_file():
                    name = safe_name(path.relative_to(folder).as_posix())
                    yield f"{place}/{name}", hashlib.sha256(path.read_bytes()).hexdigest()


def batches_of(connection: sa.Connection, schema: Schema, run: str, scenario: str | None = None) -> list[Batch]:
    """In the order in which they were saved."""
    table = schema.batches.c
    query = sa.select(table.batch_id, table.content).where(table.run == run).order_by(table.batch_id)
    query = query if scenario is None else query.where(table.scenario == scenario)
    rows = connection.execute(query).fetchall()
    return [msgspec.structs.replace(msgspec.json.decode(text, type=Batch), number=number) for number, text in rows]


def damage_to(batch: Batch, table: str) -> Damage:
    what = f"'{table}'" if table.startswith("artefacts/") else f"its rows of '{table}'"
    name = f"batch {batch.number} is not what was stored ({what})"
    return Damage(batch.scenario, *batch.span, name, str(batch.number))


def lacking(wanted: Iterable[Range], stored: Sequence[Range]) -> bool:
    """Whether a replication of `wanted` is in none of the ranges `stored`, which are in order."""
    firsts = [first for first, _ in stored]
    for first, last in wanted:
        place = bisect_right(firsts, first) - 1
        if place < 0 or stored[place][1] < last:
            return True
    return False


def remove_batch(
    schema: Schema, tables: Mapping[str, ModelTable], run: str, batch: Batch, connection: sa.Connection
) -> None:
    """All that the database holds of the replications that the batch says to hold."""
    scenarios, kept, values, documents = schema.scenarios, schema.replications, schema.metric_values, schema.documents
    mine = (scenarios.c.run == run) & (scenarios.c.scenario == batch.scenario)
    key = connection.scalar(sa.select(scenarios.c.scenario_id).where(mine))
    failures = [(number, number) for number in batch.failed]
    for first, last in [*batch.ok, *failures]:
        own = (kept.c.run == run) & (kept.c.scenario == batch.scenario) & kept.c.replication.between(first, last)
        connection.execute(
            kept.delete().where(own if (first, last) not in failures else own & (kept.c.state == "failed"))
        )
    for first, last in batch.ok:
        connection.execute(
            values.delete().where(values.c.scenario_id == key, values.c.replication.between(first, last))
        )
        for stored in tables.values():
            rows = sa.table(
                sa.quoted_name(stored.rows_name, quote=True), sa.column("scenario_id"), sa.column("replication")
            )
            connection.execute(rows.delete().where(rows.c.scenario_id == key, rows.c.replication.between(first, last)))
    for name in batch.artefacts:
        connection.execute(documents.delete().where(documents.c.run == run, documents.c.name == name))
    connection.execute(schema.batches.delete().where(schema.batches.c.batch_id == batch.number))


class Checker:
    """Hashes the rows of one table of one scenario as they pass, batch by batch."""

    def __init__(self, batches: Sequence[Batch], table: str) -> None:
        self._batches, self._table = batches, table
        ranges = sorted((first, last, place) for place, batch in enumerate(batches) for first, last in batch.ok)
        self._firsts = np.array([first for first, _, _ in ranges], dtype=np.int64)
        self._ranges = ranges
        self._hashes: dict[int, RowsHash] = {}
        self._failed = {number: digest for batch in batches for number, digest in batch.failed.items()}
        self._wrong: set[int] = set()

    def passing(self, chunks: Iterable[Table]) -> Iterator[Table]:
        for chunk in chunks:
            if chunk.num_rows:
                self._take_in(chunk)
            yield chunk

    def _take_in(self, chunk: Table) -> None:
        numbers = replications_of(chunk)
        place = int(np.searchsorted(self._firsts, numbers[0], side="right")) - 1
        for first, last, batch in self._ranges[max(place, 0) :]:
            if first > numbers[-1]:
                break
            rows = keep_replications(chunk, first, last)
            if rows.num_rows:
                known = self._hashes.setdefault(batch, RowsHash(doubles=self._table == METRICS))
                known.take_in(rows)

    def wrong(self) -> list[Batch]:
        """Batches of which this table's rows are not what was saved, once all have passed."""
        return [
            batch
            for place, batch in enumerate(self._batches)
            if batch.tables.get(self._table) != (self._hashes[place].digest() if place in self._hashes else None)
        ]
