"""What no batch of a database holds, edited or added by hand: found, and taken out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from replicast.core.planning import less, merge
from replicast.core.ports import Damage

from .sql_batches import batches_of, remove_values, rows_of, scenario_number
from .sql_checking import Held
from .sql_layout import METRICS, ModelTable
from .sql_schema import Schema

LEFT_OVER = "left over"
"""What `Damage.part` says of values for which the ledger has no success."""


def leftovers(schema: Schema, tables: Mapping[str, ModelTable], run: str, connection: sa.Connection) -> list[Damage]:
    """Metrics and rows of replications that did not succeed, as far as the ledger knows: nothing reads them."""
    scenarios = schema.scenarios.c
    own = connection.execute(sa.select(scenarios.scenario_id, scenarios.scenario).where(scenarios.run == run))
    return [damage for number, name in own.fetchall() for damage in _of_scenario(
        schema, tables, run, number, name, connection)]  # fmt: skip


def _of_scenario(
    schema: Schema, tables: Mapping[str, ModelTable], run: str, number: int, scenario: str, connection: sa.Connection
) -> Iterator[Damage]:
    values: list[tuple[str, Any]] = [(METRICS, schema.metric_values)]
    for name, table in values + [(name, rows_of(stored)) for name, stored in tables.items()]:
        kept = schema.replications.c
        success = (kept.run == run) & (kept.scenario == scenario) & (kept.state == "ok")
        held = sa.select(kept.replication).where(success, kept.replication == table.c.replication).exists()
        query = sa.select(table.c.replication).distinct().where(table.c.scenario_id == number, ~held)
        for first, last in merge((found, found) for found in connection.scalars(query)):
            what = f"'{name}' has rows of replications that 'replications' does not have as successful"
            yield Damage(scenario, first, last, f"{what}: not what was stored", LEFT_OVER)


def remove_loose(
    schema: Schema, tables: Mapping[str, ModelTable], run: str, damage: Iterable[Damage], connection: sa.Connection
) -> None:
    """Takes out the rows that these say, but for what a batch holds by now."""
    kept = schema.replications
    for one in damage:
        number = scenario_number(connection, schema, run, one.scenario)
        mine = (kept.c.run == run) & (kept.c.scenario == one.scenario) & (kept.c.state == one.part)
        ranges = [(one.first, one.last)]
        if one.part != "failed":
            ranges = less(ranges, Held.by(batches_of(connection, schema, run, one.scenario)).ok)
        for first, last in ranges:
            connection.execute(kept.delete().where(mine & kept.c.replication.between(first, last)))
            if one.part != "failed":
                remove_values(connection, schema, tables, number, first, last)
