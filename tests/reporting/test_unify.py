"""One schema for columns that came in several, by the stated rule and in no order but that of appearance."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl
import pytest
from arro3.core import Array, DataType, Schema, Table
from hypothesis import given
from hypothesis import strategies as st

from replicast.reporting.unify import common_type, fit, plain, type_name, unify, unify_metrics

LOGICAL, INTEGER, DOUBLE, TEXT, DATE = pl.Boolean(), pl.Int64(), pl.Float64(), pl.String(), pl.Date()
TIME, UTC, VIENNA = pl.Datetime("us"), pl.Datetime("us", "UTC"), pl.Datetime("us", "Europe/Vienna")
ALL = [LOGICAL, INTEGER, DOUBLE, TEXT, DATE, TIME, UTC, VIENNA, pl.Datetime("ms")]
TYPES = {
    "logical": DataType.bool(), "integer": DataType.int64(), "double": DataType.float64(), "text": DataType.utf8(),
    "date": DataType.date32(), "time": DataType.timestamp("us"),
}  # fmt: skip


def schema(**columns: str) -> Schema:
    return Table.from_pydict(
        {name: Array([], DataType.utf8()).cast(TYPES[kind]) for name, kind in columns.items()}
    ).schema


@pytest.mark.parametrize(
    ("kinds", "common"),
    [
        ([DOUBLE], DOUBLE),
        ([INTEGER, DOUBLE], DOUBLE),
        ([LOGICAL, DOUBLE], DOUBLE),
        ([LOGICAL, INTEGER], INTEGER),
        ([LOGICAL, INTEGER, DOUBLE], DOUBLE),
        ([LOGICAL, TEXT], TEXT),
        ([LOGICAL, DATE], DATE),
        ([LOGICAL, UTC], UTC),
        ([DATE, TIME], TIME),
        ([DATE, UTC], UTC),
        ([TIME, pl.Datetime("ms")], TIME),
        ([UTC, VIENNA], TEXT),
        ([TIME, UTC], TEXT),
        ([INTEGER, TEXT], TEXT),
        ([DOUBLE, DATE], TEXT),
        ([LOGICAL, INTEGER, DATE], TEXT),
    ],
)
def test_the_rule(kinds: list[pl.DataType], common: pl.DataType) -> None:
    for order in itertools.permutations(kinds):
        assert common_type(order) == common


@given(st.lists(st.sampled_from(ALL), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_order_and_number_of_types_change_nothing(kinds: list[pl.DataType], chance: Any) -> None:
    other = kinds * 2
    chance.shuffle(other)
    assert common_type(kinds) == common_type(other)


@given(st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from(list(TYPES)), max_size=4), max_size=5))
def test_columns_stand_in_order_of_first_appearance(shapes: list[dict[str, str]]) -> None:
    unified = unify("t", [schema(**shape) for shape in shapes])
    assert list(unified.schema) == list(dict.fromkeys(name for shape in shapes for name in shape))


def test_what_had_to_be_changed_is_said_once_for_each_column() -> None:
    found = unify("arrivals", [schema(a="integer", b="text"), schema(a="double", b="text"), schema(a="text", c="date")])
    assert found.notes == [
        "column 'a' of table 'arrivals' came as double, integer, text: written as text",
        "column 'b' of table 'arrivals' is missing in some replications: left empty there",
        "column 'c' of table 'arrivals' is missing in some replications: left empty there",
    ]
    assert unify("t", [schema(a="integer")]).notes == []
    assert unify("t", []).schema == {}


def test_only_the_rows_can_tell_true_from_missing_beside_dates() -> None:
    schemas = [schema(d="logical"), schema(d="date")]
    assert unify("t", schemas).doubtful == ("d",)
    assert unify("t", schemas).schema == {"d": DATE}
    assert unify("t", schemas, {"d"}).schema == {"d": TEXT}


def test_missing_values_alone_are_no_other_type() -> None:
    schemas = [schema(d="logical"), schema(d="text"), schema(d="logical")]
    assert unify("t", schemas).doubtful == ("d",)
    assert unify("t", schemas, ()).notes == []
    assert unify("t", schemas, ()).schema == {"d": TEXT}
    assert unify("t", schemas, {"d"}).notes == ["column 'd' of table 't' came as logical, text: written as text"]


def test_a_metric_is_a_number_also_where_it_was_always_missing() -> None:
    boolean = unify_metrics([schema(a="logical")])
    assert (boolean.schema, boolean.booleans) == ({"a": INTEGER}, ("a",))
    assert unify_metrics([schema(a="logical"), schema(a="double")]).booleans == ()
    assert unify_metrics([schema(a="logical"), schema(a="integer")]).schema == {"a": INTEGER}
    found = unify_metrics([schema(a="integer"), schema(a="double", b="double")])
    assert found.schema == {"a": DOUBLE, "b": DOUBLE}
    assert found.notes == ["metric 'a' came as integer and as double: written as double"]


@pytest.mark.parametrize(("kind", "name"), [(LOGICAL, "logical"), (TEXT, "text"), (UTC, "time"), (DATE, "date")])
def test_types_have_names_that_people_use(kind: pl.DataType, name: str) -> None:
    assert type_name(kind) == name


def test_rows_are_cast_and_absent_columns_left_empty() -> None:
    table = Table.from_pydict({"a": Array([1, None], DataType.int64()), "b": Array([None, None], DataType.bool())})
    frame = fit(table, {"z": TEXT, "a": DOUBLE, "b": DATE})
    assert frame.schema == {"z": TEXT, "a": DOUBLE, "b": DATE}
    assert frame.rows() == [(None, 1.0, None), (None, None, None)]


@pytest.mark.parametrize(
    ("values", "kind", "text"),
    [
        ([1.0, 0.1 + 0.2, float("nan"), -0.0, None], DataType.float64(), ["1.0", "0.30000000000000004", "NaN", "-0.0"]),
        ([2**63 - 1, None], DataType.int64(), ["9223372036854775807"]),
        ([True, False, None], DataType.bool(), ["true", "false"]),
    ],
)
def test_as_text_every_value_is_whole(values: list[Any], kind: DataType, text: list[str]) -> None:
    frame = fit(Table.from_pydict({"a": Array(values, kind)}), {"a": TEXT})
    assert frame["a"].to_list() == [*text, *[None] * values.count(None)]


def test_dictionaries_become_text() -> None:
    coded = pl.DataFrame({"a": ["x", "y"], "b": ["x", "x"]}, schema={"a": pl.Categorical, "b": pl.Enum(["x"])})
    assert plain(coded).schema == {"a": TEXT, "b": TEXT}
