"""What a database holds of replications: which there are, and their rows, checked against what was saved."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

import sqlalchemy as sa
from arro3.core import Schema as ArrowSchema
from arro3.core import Table

from replicast.core.commands import command as hint
from replicast.core.errors import StoreError
from replicast.core.ports import Damage

from .coverage import Part, RunCoverage, ScenarioCoverage, Segment
from .names import ARTEFACT, LEDGER, encode_name
from .sql_batches import Batch, batches_of, damage_to
from .sql_checking import Checker, Held, damage_by_number, without_loose
from .sql_documents import SqlDocuments
from .sql_intact import intact
from .sql_islands import islands
from .sql_layout import METRICS, ModelTable, Shape, arrow_schema, named
from .sql_loose import leftovers
from .sql_reading import Reader, Stretch, ledger_chunks


class SqlResults(SqlDocuments):
    """Reads what `SqlStore` saves."""

    def coverage(self, run: str) -> RunCoverage:
        """From one state of the database: a batch that is committed meanwhile is seen with all its rows, or not."""
        found = RunCoverage()
        if not self._is_there():
            return found
        kept = self.schema.replications.c
        failures = sa.select(kept.scenario, kept.replication).where(kept.run == run, kept.state == "failed")

        def look(connection: sa.Connection) -> tuple[list[Any], list[Any], list[Batch]]:
            stretches = connection.execute(islands(kept, kept.run == run, [kept.scenario])).fetchall()
            failed = connection.execute(failures.order_by(kept.scenario, kept.replication)).fetchall()
            return list(stretches), list(failed), self._batches_in(connection, run)

        stretches, failed, batches = self.database.perform(look, snapshot=True)
        for scenario, first, last in stretches:
            own = found.scenarios.setdefault(scenario, ScenarioCoverage())
            own.segments.append(Segment(first, last, Part(first, last, "", 0)))
        for scenario, replication in failed:
            found.of(scenario).failed.append(replication)
        if self._has_digests:
            self._compare(found, batches)
        return found

    def _compare(self, found: RunCoverage, batches: Sequence[Batch]) -> None:
        by_scenario: dict[str, list[Batch]] = {scenario: [] for scenario in found.scenarios}
        for batch in batches:
            by_scenario.setdefault(batch.scenario, []).append(batch)
        for scenario, own in by_scenario.items():
            found.damage += damage_by_number(scenario, found.of(scenario), own)
            without_loose(found.of(scenario), Held.by(own))

    def damage(self, run: str) -> Iterator[Damage]:
        if not self._is_there() or not self._has_digests:
            return
        for scenario in self._scenarios(run):
            batches = self._batches(run, scenario)
            for name in dict.fromkeys([LEDGER, *(name for batch in batches for name in batch.tables)]):
                checker = Checker(batches, name)
                with intact(self.label, run):
                    for _ in checker.passing(self._stored_rows(run, name, scenario)):
                        pass
                yield from (damage_to(batch, name) for batch in checker.wrong())
                if name == LEDGER:
                    again = partial(self._batches, run, scenario)
                    yield from (loose.damage(scenario) for loose in checker.loose(again))
            yield from self._artefact_damage(run, batches)
            yield from self._loose_artefacts(run, scenario)
        yield from self.database.perform(partial(leftovers, self.schema, self._known_tables(), run))

    def _scenarios(self, run: str) -> list[str]:
        """Whatever any of our tables calls a scenario of the run."""
        named = [table.c for table in (self.schema.batches, self.schema.scenarios, self.schema.replications)]
        queries = [sa.select(own.scenario).where(own.run == run).distinct() for own in named]
        found = self.database.perform(lambda connection: [list(connection.scalars(query)) for query in queries])
        return list(dict.fromkeys(chain.from_iterable(found)))

    def _known_tables(self) -> dict[str, ModelTable]:
        self.database.perform(self.layout.load)
        return self.layout.tables

    def _artefact_damage(self, run: str, batches: Sequence[Batch]) -> Iterator[Damage]:
        for batch in batches:
            for name, sha256 in batch.artefacts.items():
                if hashlib.sha256(self.read(run, name) or b"").hexdigest() != sha256:
                    yield damage_to(batch, name)

    def _loose_artefacts(self, run: str, scenario: str) -> Iterator[Damage]:
        """Kept files that no batch says to hold; batches are read after them, since both are saved at once."""
        names = self.artefacts(run, scenario)
        batches = self._batches(run, scenario) if names else []
        if any(batch.old for batch in batches):
            return
        for name in sorted(set(names).difference(*(batch.artefacts for batch in batches))):
            place = ARTEFACT.fullmatch(name)
            number = int(place[2]) if place else 0
            yield Damage(scenario, number, number, f"'{name}' is of no replication that was stored", name)

    def _batches(self, run: str, scenario: str | None = None) -> list[Batch]:
        return self.database.perform(lambda connection: self._batches_in(connection, run, scenario))

    def _batches_in(self, connection: sa.Connection, run: str, scenario: str | None = None) -> list[Batch]:
        return batches_of(connection, self.schema, run, scenario) if self._is_there() and self._has_digests else []

    def _checked(self, run: str, table: str, scenario: str) -> Iterator[Table]:
        """The rows, and StoreError before the end where they are not those that were saved."""
        if not self._is_there() or not self._has_digests:
            yield from self._stored_rows(run, table, scenario)
            return
        checker = Checker(self._batches(run, scenario), table)
        with intact(self.label, run):
            yield from checker.passing(self._stored_rows(run, table, scenario))
        wrong = [damage_to(batch, table) for batch in checker.wrong()]
        wrong += [loose.damage(scenario) for loose in checker.loose(partial(self._batches, run, scenario))]
        if wrong:
            raise StoreError(
                f"{wrong[0]}; it is part of run {run} in '{self.label}', and "
                f"{hint('resume', run, self.label)} simulates what it held again"
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
