"""Outcomes as Arrow tables: exact, and independent of the batch in which they travelled."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from arro3.core import Array, DataType, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from replicast.core.replication import Failure, Metric, Outcome
from replicast.models.results import read_result
from replicast.stores import parts
from replicast.stores.parquet import from_parquet, schema_digest, to_parquet

NAN = math.nan
NAMES = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
metrics_values = st.one_of(
    st.none(), st.floats(), st.integers(-(2**63) + 1, 2**63 - 1), st.sampled_from([0, 0.0, -0.0, NAN, 1.0, 1])
)
metrics = st.dictionaries(st.sampled_from(["wait", "los", "ü", "a b", ""]), metrics_values, max_size=4)


def outcome(replication: int, values: dict[str, Metric] | None = None, tables: Any = None, draws: int = 0) -> Outcome:
    read = read_result(tables)[1] if tables is not None else {}
    return Outcome("base", replication, 0.5, values or {}, read, draws=draws)


def failed(replication: int, message: str = "no beds") -> Outcome:
    return Outcome("base", replication, 0.5, failure=Failure("error", "ValueError", message, "Traceback"))


def columns(table: Table) -> dict[str, list[Any]]:
    """Values of each column, floats as their text so that NaN and -0.0 compare."""
    return {
        name: [repr(v) if isinstance(v, float) else v for v in table.column(name).to_pylist()]
        for name in table.column_names
    }


def through_parquet(table: Table) -> Table:
    return from_parquet(to_parquet(table))


def prints(outcomes: Sequence[Outcome]) -> list[int]:
    return [int(mark) for mark in parts.fingerprints(outcomes)]


class TestMetrics:
    @settings(max_examples=200)
    @given(st.lists(metrics, min_size=1, max_size=6))
    def test_every_value_comes_back_as_it_was(self, returned: list[dict[str, Metric]]) -> None:
        table = through_parquet(parts.metrics_table([outcome(i, values) for i, values in enumerate(returned, 1)]))
        names = list(dict.fromkeys(name for values in returned for name in values))
        assert table.column_names == ["scenario", "replication", *names]
        for name in names:
            values = [own.get(name) for own in returned]
            mixed = any(isinstance(v, float) for v in values)
            expected = [float(v) if mixed and v is not None else v for v in values]
            assert columns(table)[name] == [repr(v) if isinstance(v, float) else v for v in expected]

    def test_failures_have_no_row(self) -> None:
        table = parts.metrics_table([outcome(1, {"a": 1.0}), failed(2), outcome(3, {"a": 3.0})])
        assert columns(table) == {"scenario": ["base"] * 2, "replication": [1, 3], "a": ["1.0", "3.0"]}
        assert parts.metrics_table([failed(1), failed(2)]).num_rows == 0

    @pytest.mark.parametrize(
        ("values", "kind"),
        [
            ([1, 2], DataType.int64()),
            ([1, None], DataType.int64()),
            ([2**63 - 1, -(2**63) + 1], DataType.int64()),
            ([1, 2.0], DataType.float64()),
            ([1.0, None], DataType.float64()),
            ([1, NAN], DataType.float64()),
            ([2**70, 1], DataType.float64()),
            ([None, None], DataType.bool()),
            ([True, None, False], DataType.bool()),
            ([True, 2, None], DataType.int64()),
            ([True, 2.5], DataType.float64()),
        ],
    )
    def test_the_type_of_a_metric_is_that_of_its_values(self, values: list[Metric], kind: DataType) -> None:
        assert parts.metric_column(values).type == kind

    def test_a_metric_that_is_missing_in_a_whole_part_says_nothing_of_its_type(self) -> None:
        """Else an integer metric would be written as a double or not, by where parts are cut."""
        alone = parts.metrics_table([outcome(1, {"a": None})])
        together = parts.metrics_table([outcome(1, {"a": None}), outcome(2, {"a": 5})])
        assert alone.schema.field("a").type == DataType.bool()
        assert together.schema.field("a").type == DataType.int64()

    def test_nan_is_not_missing(self) -> None:
        assert parts.metric_column([NAN, None]).null_count == 1


class TestTables:
    def test_replications_of_one_schema_are_stacked_and_keep_their_rows_in_order(self) -> None:
        (group,) = parts.table_groups([outcome(i, tables={"x": [i * 10, i], "s": ["b", "a"]}) for i in (4, 5)])
        assert (group.name, group.first, group.last) == ("table", 4, 5)
        assert columns(group.rows) == {
            "scenario": ["base"] * 4, "replication": [4, 4, 5, 5], "x": [40, 4, 50, 5], "s": ["b", "a"] * 2,
        }  # fmt: skip

    def test_each_schema_is_kept_apart_and_says_which_replications_returned_it(self) -> None:
        outcomes = [
            outcome(1, tables={"x": [1, 2]}),
            outcome(2, tables={"x": [1.5]}),
            outcome(3, tables={"x": [3], "y": [True]}),
            failed(4),
            outcome(5, tables={"x": [5]}),
        ]
        groups = parts.table_groups(outcomes)
        assert [(g.first, g.last, g.rows.num_rows) for g in groups] == [(1, 5, 3), (2, 2, 1), (3, 3, 1)]

    def test_a_table_without_rows_or_columns_is_a_table(self) -> None:
        (empty,) = parts.table_groups([outcome(1, tables=[]), outcome(2, tables=[])])
        assert (empty.first, empty.last, empty.rows.column_names) == (1, 2, ["scenario", "replication"])
        (rowless,) = parts.table_groups([outcome(3, tables={"x": np.array([], dtype=float)})])
        assert (rowless.first, rowless.last, rowless.rows.num_rows) == (3, 3, 0)
        assert through_parquet(rowless.rows).schema.names == ["scenario", "replication", "x"]

    def test_every_type_crosses_parquet_exactly(self) -> None:
        zone = datetime.UTC
        table = {
            "integer": [2**63 - 1, -(2**63), None],
            "double": [NAN, -0.0, 5e-324],
            "infinite": [math.inf, -math.inf, None],
            "logical": [True, False, None],
            "nothing": [None, None, None],
            "text": ["", "NA", 'q"\n,\t\0ü😀'],
            "date": [datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None],
            "time": [datetime.datetime(1, 1, 1), datetime.datetime(2020, 2, 29, 1, 2, 3, 456789), None],
            "zoned": [datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, zone), None, None],
        }
        (group,) = parts.table_groups([outcome(1, tables=table)])
        back = columns(through_parquet(group.rows))
        for name, values in table.items():
            assert back[name] == [repr(v) if isinstance(v, float) else v for v in values]  # type: ignore[attr-defined]

    @given(
        st.lists(st.tuples(st.text(NAMES, max_size=5), st.sampled_from(["Int64", "Utf8"])), unique_by=lambda p: p[0])
    )
    def test_schemas_that_differ_have_digests_that_differ(self, fields: list[tuple[str, str]]) -> None:
        kinds = {"Int64": DataType.int64(), "Utf8": DataType.utf8()}
        made = [(name, Array([], kinds[kind])) for name, kind in fields]
        schemas = [dict(made), dict(reversed(made)), dict(made) | {"more": Array([], DataType.bool())}]
        schemas += [{f"{name}x" if name == made[0][0] else name: array for name, array in made}] if made else []
        digests = [schema_digest(Table.from_pydict(dict(schema)).schema) for schema in schemas]
        described = {tuple((name, str(array.type)) for name, array in schema.items()) for schema in schemas}
        assert len(set(digests)) == len(described)

    def test_a_name_cannot_pass_for_two(self) -> None:
        one = Table.from_pydict({"a\tInt64\nb": Array([], DataType.int64())})
        two = Table.from_pydict({"a": Array([], DataType.int64()), "b": Array([], DataType.int64())})
        text = str(two.schema.field("a").type)
        disguised = Table.from_pydict({f"a\t{text}\nb": Array([], DataType.int64())})
        digests = {schema_digest(table.schema) for table in (one, two, disguised)}
        assert len(digests) == 3


class TestLedger:
    def test_it_says_how_each_replication_ended(self) -> None:
        ended = outcome(1, {"a": 1.0})
        ended.log, ended.warnings, ended.warning_count = "printed\n", ("one", "two"), 7
        ended.worker, ended.attempt = "w1", 2
        table = columns(through_parquet(parts.ledger_table([ended, failed(2, 'ü\n"x"')])))
        assert table["state"] == ["ok", "failed"]
        assert table["log"] == ["printed\n", ""]
        assert table["warnings"] == ["one\ntwo", ""]
        assert table["warning_count"] == [7, 0]
        assert table["attempt"] == [2, 1]
        assert table["worker"] == ["w1", ""]
        assert table["error"] == ["", 'ü\n"x"']
        assert table["error_kind"] == ["", "error"]
        assert table["traceback"] == ["", "Traceback"]
        assert table["fingerprint"][1] == 0

    @pytest.mark.parametrize("outcomes", [[failed(1, "file \udcff")], [failed(1, "file \udcff"), failed(2, "other")]])
    def test_text_that_is_no_unicode_does_not_stop_the_saving(self, outcomes: list[Outcome]) -> None:
        assert columns(parts.ledger_table(outcomes))["error"][0] == "file ?"


class TestFingerprints:
    @settings(max_examples=200)
    @given(st.lists(st.tuples(metrics, st.integers(0, 2)), min_size=1, max_size=6), st.integers(1, 5))
    def test_they_do_not_depend_on_the_batch(self, returned: list[tuple[dict[str, Metric], int]], place: int) -> None:
        outcomes = [outcome(i, values, draws=draws) for i, (values, draws) in enumerate(returned, 1)]
        cut = place % len(outcomes) or 1
        alone = [mark for one in outcomes for mark in prints([one])]
        assert prints(outcomes) == alone == prints(outcomes[:cut]) + (prints(outcomes[cut:]) if outcomes[cut:] else [])

    def test_copies_have_the_same_and_others_have_not(self) -> None:
        returned: list[dict[str, Metric]] = [
            {"a": 1.5}, {"a": 1.5}, {"b": 1.5}, {"a": 1.5, "b": 1.5}, {"a": NAN}, {"a": NAN}, {"a": 1.5000000000000002},
            {"b": 1.5, "a": 1.5}, {"a": 1.5, "c": None},
        ]  # fmt: skip
        marks = prints([outcome(i, values) for i, values in enumerate(returned, 1)])
        assert marks[0] == marks[1] == marks[8]
        assert marks[4] == marks[5]
        assert marks[3] == marks[7]
        assert len(set(marks)) == 5

    def test_values_that_change_places_are_no_copies(self) -> None:
        assert len({*prints([outcome(1, {"a": 1.0, "b": 2.0}), outcome(2, {"a": 2.0, "b": 1.0})])}) == 2

    def test_equal_results_of_different_draws_are_no_copies(self) -> None:
        assert len(set(prints([outcome(i, {"served": 3}, draws=i) for i in range(1, 200)]))) == 199

    def test_a_failure_has_none_and_a_success_has_one(self) -> None:
        first, second = prints([failed(1), outcome(2, {})])
        assert first == 0
        assert second != 0

    @pytest.mark.parametrize(
        "tables",
        [
            [{"x": [1.5, 2.5]}, {"x": [1.5, 2.6]}],
            [{"x": [1, 2]}, {"x": [2, 1]}],
            [{"s": ["a", "b"]}, {"s": ["a", "c"]}],
            [{"s": ["a", None]}, {"s": ["a", ""]}],
            [{"b": [True, False]}, {"b": [False, True]}],
            [{"d": [datetime.date(2020, 1, 1)]}, {"d": [datetime.date(2020, 1, 2)]}],
            [{"x": [1.5, None]}, {"x": [1.5, 0.0]}],
            [{"x": [1, 1]}, {"y": [1, 1]}],
            [{"x": [1]}, {"x": [1, 1]}],
            [{"x": []}, {"x": [], "y": []}],
        ],
    )
    def test_what_tables_hold_tells_replications_apart(self, tables: list[Any]) -> None:
        one, other = (prints([outcome(1, {}, table)])[0] for table in tables)
        assert one != other
        assert prints([outcome(7, {}, tables[0])])[0] == one

    def test_a_hundred_thousand_results_have_a_hundred_thousand_fingerprints(self) -> None:
        outcomes = [outcome(i, {"a": i / 7, "b": i}) for i in range(1, 100_001)]
        assert len(set(prints(outcomes))) == 100_000


@pytest.mark.parametrize("text", ["", "base", "größer"])
@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_column_of_one_text_is_that_text_in_every_row(text: str, rows: int) -> None:
    column = parts.constant_text(text, rows)
    assert (column.to_pylist(), column.null_count) == ([text] * rows, 0)
    table = Table.from_pydict({"log": column})
    assert from_parquet(to_parquet(table)).column("log").to_pylist() == [text] * rows
