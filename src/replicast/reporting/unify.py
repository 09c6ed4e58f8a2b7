"""One schema for a table that replications returned in several.

The rule, for each column by name: integers and logicals beside doubles become doubles; logicals beside integers become
integers; dates beside times become times; anything else beside another type becomes text; a column of nothing but
missing values takes the type it has elsewhere; a column that a replication did not return is missing there. Columns
stand in order of first appearance.

Types of replications that returned no row do not count beside those that did.

A column of nothing but missing values is stored as a logical one. Of a table, `doubtful` names the columns where only
the rows can tell. A metric that is logical wherever it is stored is a boolean: it is read as 0 and 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

import polars as pl
from arro3.core import Schema, Table

ROW_LABELS = "index"
"""The column in which labels of rows without a name are kept; a frame whose labels are 0..n-1 is stored without it."""

NUMBERS = (pl.Boolean, pl.Int64, pl.Float64)


@dataclass(slots=True)
class Unified:
    """The common schema, and a sentence for each column that had to be changed to fit it."""

    schema: dict[str, pl.DataType] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    doubtful: tuple[str, ...] = ()
    booleans: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """Columns of row labels, which are 0..n-1 in replications that returned none."""


Types = tuple[tuple[str, pl.DataType], ...]


def as_key(types: dict[str, pl.DataType]) -> Types:
    return tuple(types.items())


def polars_types(schema: Schema) -> dict[str, pl.DataType]:
    empty = pl.DataFrame(Table.from_batches([], schema=schema))
    return dict(plain(empty).schema)


def unify(
    table: str, schemas: Sequence[Schema], logical: Container[str] | None = None, filled: Container[Types] | None = None
) -> Unified:
    """The schema that all rows of `table` are cast to; `logical` names the doubtful columns that hold true or false.

    Without `logical`, as if all did but those beside dates and times.

    `filled` are the types of schemas of which there are rows: others decide on columns that no row has, and no more.
    """
    unified = Unified()
    types_of = [polars_types(schema) for schema in schemas]
    found: dict[str, list[pl.DataType]] = {name: [] for types in types_of for name in types}
    present = Counter(name for types in types_of for name in types)
    hollow = [types for types in types_of if filled is not None and as_key(types) not in filled]
    in_rows = {name for types in types_of if types not in hollow for name in types}
    for types in types_of:
        for name, kind in types.items():
            if kind not in found[name] and (name not in in_rows or types not in hollow):
                found[name].append(kind)
    for name, kinds in found.items():
        if pl.Boolean in kinds and len(kinds) > 1:
            unified.doubtful += (name,)
            if logical is not None and name not in logical:
                kinds.remove(pl.Boolean())
        common = common_type(kinds)
        if common.is_temporal() and pl.Boolean in kinds and logical is not None:
            common = pl.String()
        unified.schema[name] = common
        if len(kinds) > 1:
            names = ", ".join(sorted(map(type_name, kinds)))
            became = type_name(common)
            unified.notes.append(f"column '{name}' of table '{table}' came as {names}: written as {became}")
        if present[name] < len(schemas) and name == ROW_LABELS and common == pl.Int64:
            unified.labels += (name,)
        elif present[name] < len(schemas):
            unified.notes.append(
                f"column '{name}' of table '{table}' is missing in some replications: left empty there"
            )
    return unified


def unify_metrics(schemas: Sequence[Schema]) -> Unified:
    """As `unify`; that a metric is missing in some replications, the summary says of each."""
    unified = Unified()
    found: dict[str, set[pl.DataType]] = {}
    for types in map(polars_types, schemas):
        for name, kind in types.items():
            found.setdefault(name, set()).add(kind)
    for name, kinds in found.items():
        unified.schema[name] = common_type(kinds - {pl.Boolean()} or {pl.Int64()})
        if kinds == {pl.Boolean()}:
            unified.booleans += (name,)
        if {pl.Int64(), pl.Float64()} <= kinds:
            unified.notes.append(f"metric '{name}' came as integer and as double: written as double")
    return unified


def common_type(kinds: Iterable[pl.DataType]) -> pl.DataType:
    """The type of the rule above; it does not depend on the order of `kinds`."""
    kinds = set(kinds)
    if len(kinds) > 1:
        others = kinds - {pl.Boolean()}
        if not all(kind in NUMBERS for kind in others):
            kinds = others
    if len(kinds) == 1:
        return next(iter(kinds))
    if all(kind in NUMBERS for kind in kinds):
        return pl.Float64() if pl.Float64 in kinds else pl.Int64()
    if all(kind.is_temporal() and kind != pl.Time for kind in kinds):
        zones = {kind.time_zone for kind in kinds if isinstance(kind, pl.Datetime)}
        if len(zones) == 1:
            return pl.Datetime("us", next(iter(zones)))
    return pl.String()


def type_name(kind: pl.DataType) -> str:
    names = {pl.Boolean: "logical", pl.Int64: "integer", pl.Float64: "double", pl.String: "text", pl.Date: "date"}
    return next((name for known, name in names.items() if kind == known), "time")


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame without dictionary types, whose codes differ from part to part."""
    coded = [name for name, kind in frame.schema.items() if kind in (pl.Categorical, pl.Enum)]
    return frame.with_columns(pl.col(coded).cast(pl.String)) if coded else frame


def fit(table: Table, schema: dict[str, pl.DataType], labels: Container[str] = ()) -> pl.DataFrame:
    """Rows of one stored schema, cast to the common one; `labels` that it lacks are counted from 0."""
    frame = plain(pl.DataFrame(table))
    own, columns = dict(frame.schema), []  # asked once: a wide frame makes its schema anew each time
    for name, kind in schema.items():
        if name not in own and name in labels:
            columns.append(pl.int_range(pl.len()).cast(kind).over("replication").alias(name))
        elif name not in own:
            columns.append(pl.lit(None, dtype=kind).alias(name))
        elif own[name] == kind:
            columns.append(pl.col(name))
        elif own[name] == pl.Boolean and kind not in NUMBERS and frame[name].null_count() == len(frame):
            columns.append(pl.lit(None, dtype=kind).alias(name))
        else:
            columns.append(pl.col(name).cast(kind))
    return frame.select(columns)
