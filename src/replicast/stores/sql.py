"""Runs in a relational database: SQLite, PostgreSQL, MySQL or MariaDB.

A batch is one transaction, so readers see all of it or nothing. A replication's key (run, scenario, replication) is the
primary key, so one that is delivered twice counts once: of successes the first stays, a success takes the place of a
failure, and a failure that of an earlier failure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from arro3.core import Schema as ArrowSchema
from arro3.core import Table

from replicast.core.errors import StoreError
from replicast.core.planning import without
from replicast.core.ports import Damage
from replicast.core.record import NAME
from replicast.core.replication import Outcome

from .coverage import Part, RunCoverage, ScenarioCoverage, Segment
from .names import LEDGER, artefact_folder, encode_name, safe_name
from .registry import StoreKind
from .sql_batches import Batch, Checker, batches_of, damage_to, lacking, remove_batch
from .sql_bulk import insert_rows
from .sql_connections import WAIT_SECONDS, AddressSource, Database
from .sql_intact import intact
from .sql_layout import METRICS, Layout, Shape, arrow_schema, named, shapes_of
from .sql_reading import Reader, Stretch, ledger_chunks
from .sql_removing import remove_run
from .sql_rows import ledger_rows, metric_rows, table_rows
from .sql_runs import add_run, add_scenario, describe_run
from .sql_schema import VERSION, Schema, Server, check_version, create_schema, schema_of, stored_version

CHUNK_BYTES = 4 << 20
"""Documents are kept in pieces that fit into one packet of any server."""


class SqlStore:
    """Fulfils `core.ports.Store`. `url` holds the password, for other processes; `label` does not, for people.

    With a `source`, the password is kept there, and `url` only says where that is.
    """

    def __init__(
        self,
        url: str,
        *,
        wait_seconds: float = WAIT_SECONDS,
        source: AddressSource | None = None,
        reached: bool = False,
    ) -> None:
        self.database = Database(url, wait_seconds, source, reached)
        self.url, self.label = self.database.url, self.database.label
        self._schema: Schema | None = None
        self._layout: Layout | None = None
        self._exists = self._has_digests = False
        self._known_shapes: set[tuple[str, str]] = set()
        self._scenario_ids: dict[tuple[str, str], int] = {}

    def __repr__(self) -> str:
        return f"<SqlStore {self.label}>"

    @property
    def schema(self) -> Schema:
        if self._schema is None:
            of_file = self.database.kind == "sqlite"
            self._schema = schema_of(Server("sqlite") if of_file else self.database.perform(Server.of))
        return self._schema

    @property
    def layout(self) -> Layout:
        if self._layout is None:
            self._layout = Layout(self.database, self.schema)
        return self._layout

    def _is_there(self) -> bool:
        """Whether the database holds our tables; nothing is created. Raises StoreError for another version's."""
        if not self._exists:
            if self.database.file is not None and not self.database.file.exists():
                return False
            server, version = self.database.perform(
                lambda connection: (Server.of(connection), stored_version(connection))
            )
            self._schema = schema_of(server)
            if version is not None:
                check_version(version, self.label)
                self._exists, self._has_digests = True, version >= VERSION
        return self._exists

    def reach(self) -> str:
        """Connects once: a server that was there and is away later is waited for longer. Raises StoreError."""
        self._is_there()
        return ""

    def _make_sure(self) -> None:
        if not self._is_there() or not self._has_digests:
            create_schema(self.database, self.schema)
            self._exists = self._has_digests = True

    def runs(self) -> list[str]:
        if not self._is_there():
            return []
        documents = self.schema.documents.c
        query = sa.select(documents.run).distinct().where(documents.name == NAME)
        return sorted(self.database.perform(lambda connection: connection.scalars(query).all()))

    def write(self, run: str, name: str, content: bytes, *, new: bool = False) -> bool:
        self._make_sure()

        def write(connection: sa.Connection) -> bool:
            documents = self.schema.documents
            this = (documents.c.run == run) & (documents.c.name == name)
            add_run(connection, self.schema, run)
            if new and connection.execute(sa.select(documents.c.chunk).where(this).limit(1)).first() is not None:
                return False
            connection.execute(documents.delete().where(this))
            connection.execute(documents.insert(), _chunks(run, name, content))
            if name == NAME:
                describe_run(connection, self.schema, run, content)
            return True

        return self.database.perform(write, write=True)

    def read(self, run: str, name: str) -> bytes | None:
        if not self._is_there():
            return None
        documents = self.schema.documents.c
        this = sa.select(documents.content).where(documents.run == run, documents.name == name)
        query = this.order_by(documents.chunk)
        chunks = self.database.perform(lambda connection: connection.scalars(query).all())
        return b"".join(map(bytes, chunks)) if chunks else None

    def documents(self, run: str, prefix: str) -> list[str]:
        if not self._is_there():
            return []
        documents = self.schema.documents.c
        query = sa.select(documents.name).where(documents.run == run, documents.chunk == 0)
        if prefix:
            query = query.where(documents.name.startswith(prefix.rstrip("/") + "/", autoescape=True))
        return sorted(self.database.perform(lambda connection: connection.scalars(query).all()))

    def delete(self, run: str, name: str) -> None:
        if self._is_there():
            documents = self.schema.documents
            statement = documents.delete().where(documents.c.run == run, documents.c.name == name)
            self.database.perform(lambda connection: connection.execute(statement), write=True)

    def remove(self, run: str) -> None:
        if self._is_there():
            self.database.perform(lambda connection: remove_run(connection, self.schema, self.layout, run), write=True)
            self._scenario_ids = {key: number for key, number in self._scenario_ids.items() if key[0] != run}
            self._known_shapes = {key for key in self._known_shapes if key[0] != run}

    def artefacts(self, run: str, scenario: str | None = None, replication: int | None = None) -> list[str]:
        if scenario is None:
            return self.documents(run, "artefacts")
        if replication is None:
            return self.documents(run, f"artefacts/scenario={encode_name(scenario)}")
        return self.documents(run, artefact_folder(scenario, replication))

    def save(self, run: str, outcomes: Sequence[Outcome]) -> None:
        """Looks which of the replications are there already, and adds the others, in one transaction.

        Whoever is overtaken by another saver of the same replications meets the primary key, and looks again.
        """
        self._make_sure()
        waiting = list(outcomes)
        while waiting:
            shapes = shapes_of(waiting)
            scenario_id = self._make_room(run, outcomes[0].scenario, {s.digest: s for s in shapes.values()})
            commit = partial(self._commit, run, scenario_id, waiting, shapes)
            waiting = self.database.perform(commit, write=True)

    def _make_room(self, run: str, scenario: str, shapes: Mapping[str, Shape]) -> int:
        """Sees to it that all that rows of these shapes refer to is there; returns the scenario's ID."""
        key = (run, scenario)
        new = {digest: shape for digest, shape in shapes.items() if (run, digest) not in self._known_shapes}
        lacking = self.layout.lacks(shapes.values())

        def add(connection: sa.Connection) -> int:
            add_run(connection, self.schema, run)
            table = self.schema.shapes
            stored = set(connection.scalars(sa.select(table.c.shape).where(table.c.run == run))) if new else set()
            rows = [{"run": run, "shape": d, "definition": s.definition} for d, s in new.items() if d not in stored]
            if rows:
                connection.execute(table.insert(), rows)
            if lacking:
                self.layout.load(connection)
            return add_scenario(connection, self.schema, run, scenario)

        if new or lacking or key not in self._scenario_ids:
            self._scenario_ids[key] = self.database.perform(add, write=True)
            self._known_shapes.update((run, digest) for digest in new)
        self.layout.make_room(list(shapes.values()))
        return self._scenario_ids[key]

    def _commit(
        self,
        run: str,
        scenario_id: int,
        outcomes: list[Outcome],
        shapes: Mapping[int, Shape],
        connection: sa.Connection,
    ) -> list[Outcome]:
        """Adds all outcomes, and returns none; or adds none, and returns those for which there is no success yet."""
        states = self._states(connection, run, outcomes)
        free = [outcome for outcome in outcomes if states.get(outcome.replication) != "ok"]
        if len(free) < len(outcomes):
            return free
        if states:
            self._drop_failures(connection, run, outcomes[0].scenario, list(states))
        returned = [outcome for outcome in outcomes if outcome.failure is None]
        kind = self.database.kind
        insert_rows(connection, "replications", ledger_rows(run, outcomes, shapes, kind), len(outcomes))
        insert_rows(connection, "metric_values", *metric_rows(scenario_id, returned, self.layout.metric_ids, kind))
        for name, columns, rows in table_rows(scenario_id, returned, self.layout.tables, kind):
            insert_rows(connection, name, columns, rows)
        for outcome in outcomes:
            self._save_artefacts(connection, run, outcome)
        connection.execute(self.schema.batches.insert(), Batch.of(outcomes).to_row(run))
        return []

    def _states(self, connection: sa.Connection, run: str, outcomes: Sequence[Outcome]) -> dict[int, str]:
        kept = self.schema.replications.c
        numbers = (outcomes[0].replication, outcomes[-1].replication)
        query = sa.select(kept.replication, kept.state).where(
            kept.run == run, kept.scenario == outcomes[0].scenario, kept.replication.between(*numbers)
        )
        asked = {outcome.replication for outcome in outcomes}
        return {number: state for number, state in connection.execute(query) if number in asked}

    def _drop_failures(self, connection: sa.Connection, run: str, scenario: str, replications: Sequence[int]) -> None:
        kept, documents = self.schema.replications, self.schema.documents
        for start in range(0, len(replications), 1000):
            some = replications[start : start + 1000]
            old = (kept.c.run == run) & (kept.c.scenario == scenario) & kept.c.replication.in_(some)
            connection.execute(kept.delete().where(old))
        for replication in replications:
            folder = artefact_folder(scenario, replication) + "/"
            old = (documents.c.run == run) & documents.c.name.startswith(folder, autoescape=True)
            connection.execute(documents.delete().where(old))

    def _save_artefacts(self, connection: sa.Connection, run: str, outcome: Outcome) -> None:
        if outcome.folder is None:
            return
        folder = Path(outcome.folder)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                place = artefact_folder(outcome.scenario, outcome.replication)
                name = f"{place}/{safe_name(path.relative_to(folder).as_posix())}"
                for chunk in _chunks(run, name, path.read_bytes()):
                    connection.execute(self.schema.documents.insert(), chunk)

    def coverage(self, run: str) -> RunCoverage:
        found = RunCoverage()
        if not self._is_there():
            return found
        kept = self.schema.replications.c
        failures = sa.select(kept.scenario, kept.replication).where(kept.run == run, kept.state == "failed")

        def look(connection: sa.Connection) -> tuple[list[Any], list[Any]]:
            stretches = connection.execute(islands(kept, kept.run == run, [kept.scenario]))
            return list(stretches), list(
                connection.execute(failures.order_by(kept.scenario, kept.replication)).fetchall()
            )

        stretches, failed = self.database.perform(look)
        batches = self._batches(run)
        for scenario, first, last in stretches:
            own = found.scenarios.setdefault(scenario, ScenarioCoverage())
            own.segments.append(Segment(first, last, Part(first, last, "", 0)))
        for scenario, replication in failed:
            found.of(scenario).failed.append(replication)
        for batch in batches:
            own = found.of(batch.scenario)
            if lacking(batch.ok, without(own.done(), own.failed)):
                found.damage.append(damage_to(batch, LEDGER))
        return found

    def damage(self, run: str) -> Iterator[Damage]:
        for scenario in dict.fromkeys(batch.scenario for batch in self._batches(run)):
            batches = self._batches(run, scenario)
            for name in dict.fromkeys([LEDGER, *(name for batch in batches for name in batch.tables)]):
                checker = Checker(batches, name)
                with intact(self.label, run):
                    for _ in checker.passing(self._stored_rows(run, name, scenario)):
                        pass
                yield from (damage_to(batch, name) for batch in checker.wrong())
            yield from self._artefact_damage(run, batches)

    def _artefact_damage(self, run: str, batches: Sequence[Batch]) -> Iterator[Damage]:
        for batch in batches:
            for name, sha256 in batch.artefacts.items():
                if hashlib.sha256(self.read(run, name) or b"").hexdigest() != sha256:
                    yield damage_to(batch, name)

    def _batches(self, run: str, scenario: str | None = None) -> list[Batch]:
        if not self._is_there() or not self._has_digests:
            return []
        with intact(self.label, run):
            return self.database.perform(lambda connection: batches_of(connection, self.schema, run, scenario))

    def set_aside(self, run: str, damage: Sequence[Damage]) -> None:
        """Takes the rows of each damaged batch out: a primary key takes no second row in their place."""
        self._make_sure()
        self.database.perform(self.layout.load)
        numbers = {int(one.part) for one in damage}
        for batch in [batch for batch in self._batches(run) if batch.number in numbers]:
            self.database.perform(partial(remove_batch, self.schema, self.layout.tables, run, batch), write=True)

    def _checked(self, run: str, table: str, scenario: str) -> Iterator[Table]:
        """The rows, and StoreError before the end where they are not those that were saved."""
        batches = self._batches(run, scenario)
        checker = Checker(batches, table)
        with intact(self.label, run):
            yield from checker.passing(self._stored_rows(run, table, scenario))
        for batch in checker.wrong():
            raise StoreError(
                f"{damage_to(batch, table)}; it is part of run {run} in '{self.label}', and "
                f"replicast resume {run} simulates what it held again"
            )

    def ledger(self, run: str, scenario: str) -> Iterator[Table]:
        return self._checked(run, LEDGER, scenario)

    def tables(self, run: str) -> dict[str, list[ArrowSchema]]:
        """Each table's distinct schemas, in order of first appearance over scenarios by name and replications."""
        found: dict[str, dict[Any, None]] = {METRICS: {}}
        with intact(self.label, run):
            for shape in self._shapes_in_order(run) if self._is_there() else ():
                found[METRICS].setdefault(shape.metrics)
                for name, columns in shape.tables.items():
                    found.setdefault(name, {}).setdefault(named(columns))
            names = [METRICS, *sorted(found.keys() - {METRICS}, key=encode_name)]
            return {name: [arrow_schema(columns) for columns in found[name]] for name in names}

    def _shapes_in_order(self, run: str) -> list[Shape]:
        shapes = self._shapes(run)
        return [shapes[digest] for digest in self._first_appearances(run)]

    def _first_appearances(self, run: str) -> list[str]:
        kept = self.schema.replications.c
        query = (
            sa.select(kept.scenario, sa.func.min(kept.replication), kept.shape)
            .where(kept.run == run, kept.shape.is_not(None))
            .group_by(kept.scenario, kept.shape)
        )
        rows = self.database.perform(lambda connection: list(connection.execute(query).fetchall()))
        ordered = sorted(rows, key=lambda row: (encode_name(row[0]), row[1]))
        return [shape for _, _, shape in ordered]

    def _shapes(self, run: str) -> dict[str, Shape]:
        shapes = self.schema.shapes.c
        query = sa.select(shapes.shape, shapes.definition).where(shapes.run == run)
        rows = self.database.perform(lambda connection: list(connection.execute(query).fetchall()))
        return {digest: Shape.from_definition(definition) for digest, definition in rows}

    def rows(self, run: str, table: str, scenario: str) -> Iterator[Table]:
        return self._checked(run, table, scenario)

    def _stored_rows(self, run: str, table: str, scenario: str) -> Iterator[Table]:
        if not self._is_there():
            return
        if table == LEDGER:
            yield from ledger_chunks(self.database, self.schema, run, scenario)
            return
        found = self._stretches(run, scenario)
        self.database.perform(self.layout.load)
        stored = self.layout.tables.get(table)
        if found is None or (table != METRICS and stored is None):
            return
        scenario_id, stretches = found
        reader = Reader(self.database, self.schema, scenario, scenario_id, self._shapes(run))
        if table == METRICS:
            yield from reader.metrics(stretches, self.layout.metric_ids)
        elif stored is not None:
            yield from reader.rows(table, stored, stretches)

    def _stretches(self, run: str, scenario: str) -> tuple[int, list[Stretch]] | None:
        scenarios, kept = self.schema.scenarios.c, self.schema.replications.c
        key = sa.select(scenarios.scenario_id).where(scenarios.run == run, scenarios.scenario == scenario)
        mine = (kept.run == run) & (kept.scenario == scenario) & (kept.state == "ok") & kept.shape.is_not(None)
        query = islands(kept, mine, [kept.shape])

        def look(connection: sa.Connection) -> tuple[int | None, list[Any]]:
            return connection.scalar(key), list(connection.execute(query).fetchall())

        scenario_id, rows = self.database.perform(look)
        if scenario_id is None:
            return None
        stretches = [Stretch(first, last, shape) for shape, first, last in rows]
        return scenario_id, sorted(stretches, key=lambda stretch: stretch.first)

    def keep_summary(self, run: str, make: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        """Puts the summary (rows with the columns of the collated `summary`) in the place of an earlier one."""
        rows = make()
        self._make_sure()
        columns = set(self.schema.summary.c.keys())
        listed = [{name: _finite(row[name]) for name in columns & row.keys()} for row in rows]
        numbered = [row | {"run": run, "position": place} for place, row in enumerate(listed, 1)]

        def save(connection: sa.Connection) -> None:
            add_run(connection, self.schema, run)
            connection.execute(self.schema.summary.delete().where(self.schema.summary.c.run == run))
            if numbered:
                connection.execute(self.schema.summary.insert(), numbered)

        self.database.perform(save, write=True)

    def collated(self, _run: str, _folder: Path) -> None:
        return None


def islands(kept: Any, where: sa.ColumnElement[bool], by: Sequence[Any]) -> sa.Select[Any]:
    """(…by, first, last) of unbroken stretches of replications: those whose number less their rank is the same."""
    rank = sa.func.row_number().over(partition_by=by, order_by=kept.replication)
    numbered = sa.select(*by, kept.replication, (kept.replication - rank).label("island")).where(where).subquery()
    own = [numbered.c[column.name] for column in by]
    number = numbered.c.replication
    ends = (sa.func.min(number).label("first"), sa.func.max(number).label("last"))
    return sa.select(*own, *ends).group_by(*own, numbered.c.island).order_by(*own, sa.text("first"))


def _chunks(run: str, name: str, content: bytes) -> list[dict[str, Any]]:
    starts = range(0, max(len(content), 1), CHUNK_BYTES)
    pieces = (content[start : start + CHUNK_BYTES] for start in starts)
    return [{"run": run, "name": name, "chunk": number, "content": piece} for number, piece in enumerate(pieces)]


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


KIND = StoreKind(lambda url, *, reached=False: SqlStore(url, reached=reached))
