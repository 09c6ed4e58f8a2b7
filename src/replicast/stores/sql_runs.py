"""Rows of `runs` and `scenarios`: what a run's record says, so that SQL can ask for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from .sql_schema import Schema


def add_run(connection: sa.Connection, schema: Schema, run: str) -> None:
    if connection.execute(sa.select(schema.runs.c.run).where(schema.runs.c.run == run)).first() is None:
        connection.execute(schema.runs.insert(), {"run": run, "created": datetime.now(UTC).isoformat()})


def add_scenario(connection: sa.Connection, schema: Schema, run: str, scenario: str, **facts: Any) -> int:
    """The scenario's ID, which the database gives; `facts` are columns to be set."""
    table = schema.scenarios
    mine = (table.c.run == run) & (table.c.scenario == scenario)
    found = connection.scalar(sa.select(table.c.scenario_id).where(mine))
    if found is not None:
        if facts:
            connection.execute(table.update().where(mine).values(**facts))
        return int(found)
    made = connection.execute(table.insert(), {"run": run, "scenario": scenario} | facts)
    assert made.inserted_primary_key is not None
    return int(made.inserted_primary_key[0])


def describe_run(connection: sa.Connection, schema: Schema, run: str, record: bytes) -> None:
    """Fills `runs` and `scenarios` from the run's record, so that SQL can ask for what it says."""
    try:
        saved = json.loads(record)
        experiment = saved["experiment"]
        model = experiment["model"]
        facts = {name: saved.get(name) for name in ("created", "replications", "host", "code_hash", "git_commit")}
        facts |= {"executor": saved.get("place"), "seed": experiment["seed"]}
        facts["model"] = model["file"] or model["module"] or " ".join(model["command"])
        scenarios = [(s["name"], json.dumps(s["parameters"], ensure_ascii=False)) for s in experiment["scenarios"]]
    except (ValueError, KeyError, TypeError):
        return
    connection.execute(schema.runs.update().where(schema.runs.c.run == run).values(**facts))
    for position, (scenario, parameters) in enumerate(scenarios, 1):
        add_scenario(connection, schema, run, scenario, position=position, parameters=parameters)
