"""Removing a run from a database: one transaction, so that a death halfway leaves it whole."""

from __future__ import annotations

import sqlalchemy as sa

from .sql_layout import Layout
from .sql_schema import Schema


def remove_run(connection: sa.Connection, schema: Schema, layout: Layout, run: str) -> None:
    """The rows that carry a scenario's number first: they have no foreign key that would take them along."""
    layout.load(connection)
    scenarios = schema.scenarios.c
    mine = connection.scalars(sa.select(scenarios.scenario_id).where(scenarios.run == run)).all()
    rows = [schema.metric_values, *(_rows(table.rows_name) for table in layout.tables.values())]
    for number in mine:
        for table in rows:
            connection.execute(sa.delete(table).where(table.c.scenario_id == number))
    for own in (
        schema.batches,
        schema.documents,
        schema.summary,
        schema.shapes,
        schema.replications,
        schema.scenarios,
        schema.runs,
    ):
        connection.execute(sa.delete(own).where(own.c.run == run))


def _rows(name: str) -> sa.TableClause:
    return sa.table(sa.quoted_name(name, quote=True), sa.column("scenario_id"))
