"""Runs in a relational database: SQLite, PostgreSQL, MySQL or MariaDB.

A batch is one transaction, so readers see all of it or nothing. A replication's key (run, scenario, replication) is the
primary key, so one that is delivered twice counts once: of successes the first stays, a success takes the place of a
failure, and a failure that of an earlier failure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa

from replicast.core.planning import merge
from replicast.core.ports import Damage
from replicast.core.replication import Outcome

from .names import artefact_folder, safe_name
from .registry import StoreKind
from .sql_batches import Batch, remove_artefacts, remove_batch, remove_values
from .sql_bulk import insert_rows
from .sql_documents import chunks_of
from .sql_layout import Shape, shapes_of
from .sql_loose import remove_loose
from .sql_results import SqlResults
from .sql_rows import ledger_rows, metric_rows, table_rows
from .sql_runs import add_run, add_scenario


class SqlStore(SqlResults):
    """Fulfils `core.ports.Store`."""

    def save(self, run: str, outcomes: Sequence[Outcome]) -> None:
        """Looks which of the replications are there already, and adds the others, in one transaction.

        Whoever is overtaken by another saver of the same replications meets the primary key, and looks again.
        """
        self._make_sure()
        waiting = list(outcomes)
        while waiting:
            shapes = shapes_of(waiting)
            scenario_id = self._make_room(run, outcomes[0].scenario, {s.digest: s for s in shapes.values()})
            commit = partial(self._commit, run, scenario_id, waiting, shapes, count())
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
        tries: Iterator[int],
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
        if next(tries):
            self._clear(connection, run, scenario_id, outcomes)
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
        kept = self.schema.replications
        for start in range(0, len(replications), 1000):
            some = replications[start : start + 1000]
            old = (kept.c.run == run) & (kept.c.scenario == scenario) & kept.c.replication.in_(some)
            connection.execute(kept.delete().where(old))
        for replication in replications:
            remove_artefacts(connection, self.schema, run, scenario, replication)

    def _clear(self, connection: sa.Connection, run: str, scenario_id: int, outcomes: Sequence[Outcome]) -> None:
        """Where a try met a key that is taken: what is left of replications whose row in the ledger somebody deleted.

        Only when the ledger has taken the new rows: from there on these replications are this transaction's.
        """
        known = self.layout.metric_ids
        metrics = [known[name] for name in dict.fromkeys(name for outcome in outcomes for name in outcome.metrics)]
        numbers = [outcome.replication for outcome in outcomes]
        for first, last in merge(zip(numbers, numbers, strict=True)):
            remove_values(connection, self.schema, self.layout.tables, scenario_id, first, last, metrics)
        for outcome in outcomes:
            remove_artefacts(connection, self.schema, run, outcome.scenario, outcome.replication)

    def _save_artefacts(self, connection: sa.Connection, run: str, outcome: Outcome) -> None:
        if outcome.folder is None:
            return
        folder = Path(outcome.folder)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                place = artefact_folder(outcome.scenario, outcome.replication)
                name = f"{place}/{safe_name(path.relative_to(folder).as_posix())}"
                for chunk in chunks_of(run, name, path.read_bytes()):
                    connection.execute(self.schema.documents.insert(), chunk)

    def set_aside(self, run: str, damage: Sequence[Damage]) -> None:
        """Takes the rows of each damaged batch out: a primary key takes no second row in their place."""
        if not damage:
            return
        self._make_sure()
        tables = self._known_tables()
        numbers = {one.part for one in damage if one.part.isdecimal()}
        for batch in [batch for batch in self._batches(run) if str(batch.number) in numbers]:
            self.database.perform(partial(remove_batch, self.schema, tables, run, batch), write=True)
        files = {one.part for one in damage if one.part.startswith("artefacts/")}
        for name in files:
            self.delete(run, name)
        loose = [one for one in damage if one.part not in numbers | files]
        if loose:
            self.database.perform(partial(remove_loose, self.schema, tables, run, loose), write=True)

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


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not np.isfinite(value) else value


KIND = StoreKind(lambda url, *, reached=False: SqlStore(url, reached=reached))
