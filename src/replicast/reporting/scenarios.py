"""The scenarios of an experiment as a table: a row each, a column for each parameter that any of them was given."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from replicast.core.experiment import Experiment


def scenarios_frame(experiment: Experiment) -> pl.DataFrame:
    """`scenario`, then the parameters in order of first appearance; empty where the model's default holds.

    Values of several types stand as text; lists and dicts as JSON. A parameter called `scenario` is `params.scenario`.
    What a design says of them in its column `note` stands last.
    """
    listed = experiment.scenarios
    names = dict.fromkeys(name for scenario in listed for name in scenario.parameters)
    columns = [pl.Series("scenario", [scenario.name for scenario in listed], pl.String())]
    for name in names:
        values = [scenario.parameters.get(name) for scenario in listed]
        columns.append(_column("params.scenario" if name == "scenario" else name, values))
    if any(scenario.note for scenario in listed):
        columns.append(pl.Series("note", [scenario.note or None for scenario in listed], pl.String()))
    return pl.DataFrame(columns)


def _column(name: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pl.Series(name, values, pl.Boolean())
    if kinds == {int} and all(abs(value) < 2**63 for value in values if value is not None):
        return pl.Series(name, values, pl.Int64())
    if kinds and kinds <= {int, float}:
        return pl.Series(name, [None if value is None else float(value) for value in values], pl.Float64())
    return pl.Series(name, [None if value is None else as_text(value) for value in values], pl.String())


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
