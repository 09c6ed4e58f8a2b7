"""Outcomes as rows of the database's tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import numpy as np
from arro3.core import Table

from replicast.core.replication import Metric, Outcome

from . import parts
from .sql_connections import Kind
from .sql_layout import ModelTable, Shape, column_types, is_nothing
from .sql_reading import LEDGER_TYPES
from .sql_types import Constant, Values, encode, encode_doubles, merge_notes

INT64_MIN, INT64_MAX = -(2**63), 2**63 - 1


def ledger_rows(run: str, outcomes: Sequence[Outcome], shapes: Mapping[int, Shape], kind: Kind) -> dict[str, Values]:
    """Rows of `replications`."""
    ledger = parts.ledger_table(outcomes)
    columns = {
        "run": Values("text", Constant(run)),
        "scenario": Values("text", Constant(outcomes[0].scenario)),
        "replication": encode(ledger.column("replication"), "int64", kind),
    }
    for name, type_name in LEDGER_TYPES:
        if name != "fingerprint":
            columns[name] = encode(ledger.column(name), type_name, kind)
    (prints,) = ledger.column("fingerprint").chunks
    columns["fingerprint"] = Values("integer", np.asarray(prints.to_numpy()).view(np.int64))
    found = (shapes.get(outcome.replication) for outcome in outcomes)
    columns["shape"] = Values("text", [None if shape is None else shape.digest for shape in found])
    now = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us").astype(np.int64)
    columns["saved"] = Values("time", np.full(len(outcomes), now))
    return columns


def metric_rows(
    scenario_id: int, returned: Sequence[Outcome], metric_ids: Mapping[str, int], kind: Kind
) -> tuple[dict[str, Values], int]:
    """Rows of `metric_values`, and how many: one metric after the other."""
    numbers: list[int] = []
    ids: list[int] = []
    values: list[Metric] = []
    for name in dict.fromkeys(name for outcome in returned for name in outcome.metrics):
        having = [outcome for outcome in returned if name in outcome.metrics]
        numbers += [outcome.replication for outcome in having]
        values += [outcome.metrics[name] for outcome in having]
        ids += [metric_ids[name]] * len(having)
    keys = {
        "scenario_id": Values("key", Constant(scenario_id)),
        "metric_id": Values("key", np.array(ids, dtype=np.int32)),
        "replication": Values("integer", np.array(numbers, dtype=np.int64)),
    }
    return keys | _metric_values(values, kind), len(values)


def _metric_values(values: Sequence[Metric], kind: Kind) -> dict[str, Values]:
    """`value` holds every number; `whole` holds integers exactly, so that they come back as such, and booleans."""
    kinds = set(map(type, values))
    missing = np.array([v is None for v in values]) if type(None) in kinds else None
    doubles = np.array([0.0 if v is None else v for v in values], dtype=np.float64)
    value = encode_doubles(doubles, missing, kind)
    exact: Values = Values("text", Constant(None))
    if value.notes:
        exact = Values("text", [value.notes.get(row) for row in range(len(values))])
    whole = Values("integer", Constant(None))
    if kinds & {int, bool}:
        is_whole = [isinstance(v, int) and INT64_MIN <= v <= INT64_MAX for v in values]
        numbers = np.array([v if w else 0 for v, w in zip(values, is_whole, strict=True)], dtype=np.int64)
        whole = Values("integer", numbers, ~np.array(is_whole))
    return {"value": value, "whole": whole, "exact": exact}


def table_rows(
    scenario_id: int,
    returned: Sequence[Outcome],
    tables: Mapping[str, ModelTable],
    kind: Kind,
) -> Iterator[tuple[str, dict[str, Values], int]]:
    """(table in the database, columns, rows) for each table and each schema that it came in."""
    for name, table in parts.model_tables(returned) if returned else ():
        if table.num_rows:
            stored = tables[name]
            yield stored.rows_name, _model_rows(scenario_id, stored, table, kind), table.num_rows


def _model_rows(scenario_id: int, stored: ModelTable, table: Table, kind: Kind) -> dict[str, Values]:
    numbers = np.concatenate([np.asarray(chunk.to_numpy()) for chunk in table.column("replication").chunks])
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 1))
    lengths = np.diff(starts, append=len(numbers))
    row_numbers = np.arange(1, len(numbers) + 1) - np.repeat(starts, lengths)
    own: dict[str, Values] = {}
    stored_as: dict[str, Values] = {}
    for place, (name, type_name) in enumerate(column_types(table.schema, stored.view_name)[2:], 2):
        if type_name == "bool" and is_nothing(table.column(place)):
            continue
        own[name] = encode(table.column(place), type_name, kind)
        stored_as[stored.column(name, type_name)] = own[name]
    keys = {
        "scenario_id": Values("key", Constant(scenario_id)),
        "replication": Values("integer", numbers),
        "row_no": Values("integer", row_numbers.astype(np.int64)),
        "exact": merge_notes(own, len(numbers)),
    }
    return keys | stored_as
