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
import sqlalchemy as sa
from arro3.core import Table

from replicast.core.planning import Range, merge
from replicast.core.ports import Damage
from replicast.core.replication import Outcome

from . import parts
from .names import LEDGER, METRICS, artefact_folder, safe_name
from .rows_hash import hash_rows
from .sql_islands import islands
from .sql_layout import ModelTable
from .sql_schema import Schema


class Batch(msgspec.Struct, frozen=True):
    """`ok` are the successful replications as ranges; digests are by table, and of failures by replication.

    `old` rows were there before batches were, and have no digests.
    """

    scenario: str
    ok: Sequence[Range]
    tables: Mapping[str, str]
    failed: Mapping[int, str] = {}
    artefacts: Mapping[str, str] = {}
    number: int = 0
    old: bool = False

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
    """In the order in which they were saved. One that cannot be read is none: its rows belong to no batch, then."""
    table = schema.batches.c
    query = sa.select(table.batch_id, table.scenario, table.content).where(table.run == run).order_by(table.batch_id)
    query = query if scenario is None else query.where(table.scenario == scenario)
    read = (_read(*row) for row in connection.execute(query).fetchall())
    return [batch for batch in read if batch is not None]


def _read(number: int, scenario: str, content: str) -> Batch | None:
    try:
        batch = msgspec.json.decode(content, type=Batch)
    except (msgspec.DecodeError, UnicodeError):
        return None
    return msgspec.structs.replace(batch, number=number) if batch.scenario == scenario else None


def rows_without_digests(connection: sa.Connection, schema: Schema) -> list[dict[str, str]]:
    """Rows of `batches` for replications of a schema that had none: from now on they belong to an old batch."""
    kept = schema.replications.c
    found: dict[tuple[str, str], tuple[list[Range], dict[int, str]]] = {}
    for run, scenario, state, first, last in connection.execute(
        islands(kept, sa.true(), [kept.run, kept.scenario, kept.state])
    ).fetchall():
        ok, failed = found.setdefault((run, scenario), ([], {}))
        if state == "ok":
            ok.append((first, last))
        else:
            failed.update(dict.fromkeys(range(first, last + 1), ""))
    return [Batch(scenario, ok, {}, failed, old=True).to_row(run) for (run, scenario), (ok, failed) in found.items()]


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
    kept, documents = schema.replications, schema.documents
    mine = (kept.c.run == run) & (kept.c.scenario == batch.scenario)
    for number in batch.failed:
        failure = (kept.c.replication == number) & (kept.c.state == "failed")
        connection.execute(kept.delete().where(mine & failure))
    for first, last in batch.ok:
        connection.execute(kept.delete().where(mine & kept.c.replication.between(first, last)))
        remove_values(connection, schema, tables, scenario_number(connection, schema, run, batch.scenario), first, last)
    for name in batch.artefacts:
        connection.execute(documents.delete().where(documents.c.run == run, documents.c.name == name))
    connection.execute(schema.batches.delete().where(schema.batches.c.batch_id == batch.number))


def scenario_number(connection: sa.Connection, schema: Schema, run: str, scenario: str) -> int | None:
    table = schema.scenarios.c
    return connection.scalar(sa.select(table.scenario_id).where(table.run == run, table.scenario == scenario))


def remove_values(
    connection: sa.Connection,
    schema: Schema,
    tables: Mapping[str, ModelTable],
    scenario: int | None,
    first: int,
    last: int,
    metrics: Sequence[int] | None = None,
) -> None:
    """The metrics and rows of replications first..last; of some `metrics` alone, there is an index."""
    values = schema.metric_values
    these = (values.c.scenario_id == scenario) & values.c.replication.between(first, last)
    connection.execute(values.delete().where(these if metrics is None else these & values.c.metric_id.in_(metrics)))
    for rows in map(rows_of, tables.values()):
        connection.execute(rows.delete().where(rows.c.scenario_id == scenario, rows.c.replication.between(first, last)))


def remove_artefacts(connection: sa.Connection, schema: Schema, run: str, scenario: str, replication: int) -> None:
    documents = schema.documents
    these = documents.c.name.startswith(artefact_folder(scenario, replication) + "/", autoescape=True)
    connection.execute(documents.delete().where(documents.c.run == run, these))


def rows_of(stored: ModelTable) -> sa.TableClause:
    """A table of rows of a model, by the columns that each has."""
    return sa.table(sa.quoted_name(stored.rows_name, quote=True), sa.column("scenario_id"), sa.column("replication"))
