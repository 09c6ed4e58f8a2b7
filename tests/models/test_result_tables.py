"""Tables, labels and columns that a Python model returns: every value comes through, with its type and its label."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
from typing import Any, NamedTuple

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pydantic
import pytest
from arro3.core import Table
from returned import LONDON, NAN, UTC, ZULU, columns, exact, kinds, metrics, table

from replicast.models.results import UnusableResult, read_result
from replicast.models.tables import LEFT_OUT, keys_of

DOUBLES = [1.5, NAN, -0.0]
FRAMES: dict[str, Any] = {
    "dict of lists": {"x": DOUBLES, "n": [1, 2, 3]},
    "dict of tuples": {"x": tuple(DOUBLES), "n": (1, 2, 3)},
    "dict of arrays": {"x": np.array(DOUBLES), "n": np.array([1, 2, 3])},
    "list of dicts": [{"x": x, "n": n} for n, x in enumerate(DOUBLES, 1)],
    "tuple of dicts": tuple({"x": x, "n": n} for n, x in enumerate(DOUBLES, 1)),
    "pandas": pd.DataFrame({"x": DOUBLES, "n": [1, 2, 3]}),
    "polars": pl.DataFrame({"x": DOUBLES, "n": [1, 2, 3]}),
    "pyarrow table": pa.table({"x": DOUBLES, "n": [1, 2, 3]}),
    "pyarrow batch": pa.record_batch({"x": DOUBLES, "n": [1, 2, 3]}),
    "chunked": pa.concat_tables([pa.table({"x": [x], "n": [n]}) for n, x in enumerate(DOUBLES, 1)]),
    "arro3": Table.from_arrow(pa.table({"x": DOUBLES, "n": [1, 2, 3]})),
}


class TestTables:
    @pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
    def test_every_kind_of_table_is_the_same_table(self, frame: Any) -> None:
        expected = {"x": DOUBLES, "n": [1, 2, 3]}
        assert exact(table(frame)) == exact(expected)
        assert exact(table({"patients": frame}, "patients")) == exact(expected)
        assert metrics(frame) == {}

    @pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES)
    def test_numbers_and_tables_may_be_mixed(self, frame: Any) -> None:
        found, tables = read_result({"wait": 1.5, "patients": frame, "beds": {"y": [1]}})
        assert found == {"wait": 1.5}
        assert list(tables) == ["patients", "beds"]

    def test_columns_called_scenario_and_replication_give_way_to_ours(self) -> None:
        frame = {"replication": [7, 7], "x": [1, 2], "scenario": ["a", "b"]}
        for given_frame in (frame, pd.DataFrame(frame), pl.DataFrame(frame), pa.table(frame)):
            assert table(given_frame) == {"x": [1, 2], "scenario_1": ["a", "b"]}

    def test_a_key_column_of_the_models_own_is_kept_where_it_is_not_constant_and_a_note_says_so(self) -> None:
        notes: list[str] = []
        rows = [{"replication": 1, "replication_1": 5}, {"replication": 2, "replication_1": 6}]
        found = read_result(rows, notes.append)[1]["table"]
        assert columns(found) == {"replication_1_1": [1, 2], "replication_1": [5, 6]}
        assert notes == ["the model's own column 'replication' of table 'table' is kept as 'replication_1_1'"]
        read_result([{"replication": 3, "x": 5}] * 2, notes.append)
        assert len(notes) == 1

    @pytest.mark.parametrize(
        ("column", "value", "left_out"),
        [("replication", 5, True), ("replication", "5", True), ("scenario", "winter", True), ("replication", 3, False),
         ("replication", 3.0, True), ("replication", 1, False), ("scenario", "base", False), ("scenario", None, False)],
    )  # fmt: skip
    def test_a_key_column_that_is_constant_and_is_not_ours_is_left_out_with_a_note(
        self, column: str, value: Any, left_out: bool
    ) -> None:
        notes: list[str] = []
        _, tables = read_result({"t": [{column: value, "x": 5}] * 2}, notes.append, keys_of("base", 3))
        assert tables["t"].column_names == ["x"]
        assert notes == [f"the model's own column '{column}' of table 't' {LEFT_OUT}"] * left_out

    @pytest.mark.parametrize("rows", [0, 1, 2])
    @pytest.mark.parametrize("make", [list, pd.DataFrame, pl.DataFrame], ids=["rows", "pandas", "polars"])
    def test_a_table_is_a_table_however_many_rows_it_has(self, make: Any, rows: int) -> None:
        made = make([{"wait": 1.5, "n": 3}] * rows)
        assert metrics(made) == {}
        assert metrics({"patients": made}) == {}
        assert metrics({"patients": made, "wait": 2.5}) == {"wait": 2.5}
        assert read_result({"patients": made, "wait": 2.5})[1]["patients"].num_rows == rows

    @pytest.mark.parametrize("empty", [[], [{}], pd.DataFrame(), pl.DataFrame(), {"x": []}])
    def test_a_table_may_have_no_rows_and_no_columns(self, empty: Any) -> None:
        found = read_result({"t": empty, "n": 1})[1]["t"]
        assert found.num_rows == 0
        assert found.column_names in ([], ["x"])

    def test_rows_need_not_have_the_same_columns(self) -> None:
        assert table([{"a": 1}, {"b": "x"}, {"a": 3, "b": None}]) == {"a": [1, None, 3], "b": [None, "x", None]}

    def test_a_named_index_of_pandas_is_a_column(self) -> None:
        frame = pd.DataFrame({"ward": ["a", "b", "b"], "los": [1.0, 2.0, 4.0]}).groupby("ward").mean()
        assert table(frame) == {"ward": ["a", "b"], "los": [1.0, 3.0]}
        assert table(frame.reset_index(drop=True)) == {"los": [1.0, 3.0]}

    def test_columns_of_pandas_with_several_levels_keep_them_in_their_names(self) -> None:
        frame = pd.DataFrame({"w": ["a", "a"], "x": [1.0, 3.0]}).groupby("w").agg({"x": ["mean", "max"]})
        assert table(pd.concat([frame, frame]))["('x', 'max')"] == [3.0, 3.0]

    @pytest.mark.parametrize(
        "twice",
        [
            pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"]),
            pd.DataFrame([[1, 2], [3, 4]], columns=[1, "1"]),
            pa.table([pa.array([1, 3]), pa.array([2, 4])], names=["a", "a"]),
            {1: [1, 3], "1": [2, 4]},
        ],
    )
    def test_two_columns_of_one_name_are_refused_since_one_would_be_lost(self, twice: Any) -> None:
        with pytest.raises(UnusableResult, match=r"two columns of table 'table' are called '(a|1)'"):
            read_result(twice)

    def test_lists_of_different_lengths_are_no_table(self) -> None:
        with pytest.raises(UnusableResult, match="'a' of what the model returned is a list"):
            read_result({"a": [1, 2], "b": [1]})

    @pytest.mark.parametrize("name", ["metrics", "replications", "summary"])
    def test_a_table_cannot_have_the_name_of_one_of_ours(self, name: str) -> None:
        with pytest.raises(UnusableResult, match=f"a table cannot be called '{name}'"):
            read_result({name: [{"x": 1}, {"x": 2}], "n": 1})


Ward = enum.Enum("Ward", ["ICU", "ER"])
Named = collections.namedtuple("Named", ["wait", "ward"])


@dataclasses.dataclass
class Plain:
    wait: float
    ward: str


@attrs.define
class Slotted:
    wait: float
    ward: str


class Validated(pydantic.BaseModel):
    wait: float
    ward: str


class TestLabels:
    """What rows are called by is kept."""

    FRAME = pd.DataFrame({"wait": [1.0, 2.0, 3.0]})

    @pytest.mark.parametrize("rows", [0, 1, 3])
    def test_labels_that_only_count_are_left_out(self, rows: int) -> None:
        assert table(self.FRAME.iloc[:rows]) == {"wait": [1.0, 2.0, 3.0][:rows]}

    def test_labels_without_a_name_are_the_column_index(self) -> None:
        assert table(self.FRAME[self.FRAME.wait > 1]) == {"index": [1, 2], "wait": [2.0, 3.0]}
        assert table(self.FRAME.describe())["index"] == ["count", "mean", "std", "min", "25%", "50%", "75%", "max"]
        days = pd.date_range("2026-01-01", periods=3)
        assert table(self.FRAME.set_index(days))["index"] == days.to_pydatetime().tolist()
        assert table(self.FRAME.set_index(pd.Index([2, 1, 0]))) == {"index": [2, 1, 0], "wait": [1.0, 2.0, 3.0]}

    def test_labels_of_several_levels_and_names_that_are_taken_are_all_kept(self) -> None:
        several = self.FRAME.set_index([["a", "a", "b"], [1, 2, 3]])
        assert table(several) == {"level_0": ["a", "a", "b"], "level_1": [1, 2, 3], "wait": [1.0, 2.0, 3.0]}
        assert table(pd.DataFrame({"index": [5]}, index=["x"])) == {"level_0": ["x"], "index": [5]}
        grouped = self.FRAME.groupby(pd.cut(self.FRAME.wait, [0, 2, 6]), observed=True).wait.mean().to_frame()
        assert table(grouped) == {"wait_1": ["(0, 2]", "(2, 6]"], "wait": [1.5, 3.0]}

    @pytest.mark.parametrize("kind", [Named, Plain, Slotted, Validated])
    def test_objects_with_named_fields_are_rows_and_one_alone_is_a_mapping(self, kind: Any) -> None:
        one, other = kind(wait=1.0, ward="a"), kind(wait=2.0, ward="b")
        assert table([one, other]) == {"wait": [1.0, 2.0], "ward": ["a", "b"]}
        assert table({"patients": [one], "n": 1}, "patients") == {"wait": [1.0], "ward": ["a"]}
        assert metrics(one) == {"wait": 1.0}
        assert table(one, "texts") == {"name": ["ward"], "text": ["a"]}

    @pytest.mark.parametrize(
        ("values", "labels"),
        [
            (pd.cut([1, 5], [0, 2, 6]), ["(0, 2]", "(2, 6]"]),
            (pd.period_range("2026-01", periods=2, freq="M"), ["2026-01", "2026-02"]),
            (pd.Categorical(["lo", None], categories=["hi", "lo"], ordered=True), ["lo", None]),
            ([Ward.ICU, None], ["ICU", None]),
        ],
        ids=["interval", "period", "ordered", "enum"],
    )
    def test_intervals_periods_categories_and_members_become_their_labels(self, values: Any, labels: Any) -> None:
        assert table(pd.DataFrame({"c": values}))["c"] == labels
        if labels[-1] is not None:
            assert table([{"c": value} for value in values])["c"] == labels

    @pytest.mark.parametrize(
        "vector", [[1, 2], (1, 2), np.array([1, 2]), pd.Series([1, 2]), pl.Series([1, 2]), pa.array([1, 2])]
    )
    def test_a_vector_without_names_is_a_table_of_one_column(self, vector: Any) -> None:
        assert table({"waits": vector, "n": 1}, "waits") == {"value": [1, 2]}

    def test_a_vector_of_one_number_or_none_is_a_table_too(self) -> None:
        for numbers in ([], [1.5]):
            assert metrics({"waits": np.array(numbers), "n": 1}) == {"n": 1}
            assert table({"waits": np.array(numbers), "n": 1}, "waits") == {"value": numbers}

    def test_texts_beside_numbers_are_rows_of_the_table_texts(self) -> None:
        returned = {"wait": 1.5, "policy": "fifo", "icu": {"beds": 3, "head": "Ann"}, "day": datetime.date(2026, 1, 2)}
        assert metrics(returned) == {"wait": 1.5, "beds": 3}
        expected = {"name": ["policy", "icu.head", "day"], "text": ["fifo", "Ann", "2026-01-02"]}
        assert table(returned, "texts") == expected
        both = read_result({"texts": [{"x": 1}], "policy": "fifo"})[1]
        assert {name: columns(own) for name, own in both.items()} == {
            "texts": {"x": [1]}, "texts_1": {"name": ["policy"], "text": ["fifo"]}
        }  # fmt: skip

    @pytest.mark.parametrize("hours", [datetime.timedelta(hours=2), np.timedelta64(2, "h"), pd.Timedelta(2, "h")])
    def test_a_duration_is_a_metric_in_seconds_and_a_note_says_so(self, hours: Any) -> None:
        notes: list[str] = []
        assert exact(read_result({"stay": hours}, notes.append)[0]) == exact({"stay": 7200.0})
        assert notes == ["'stay' is a duration: its value is in seconds"]


class Wait(NamedTuple):
    mean: float
    n: int


class TestWhatLooksAlike:
    """Values of types that are also those of lists, arrays and numbers."""

    def test_named_tuples_by_name_are_mappings_and_no_columns(self) -> None:
        wards = {"icu": Wait(1.5, 3), "ward": Wait(2.5, 4)}
        expected = {"icu.mean": 1.5, "icu.n": 3, "ward.mean": 2.5, "ward.n": 4}
        assert read_result(wards) == (expected, {})
        assert read_result({"x": 1, **wards}) == ({"x": 1, **expected}, {})
        assert read_result(collections.namedtuple("Both", "icu ward")(**wards)) == (expected, {})

    def test_what_is_masked_is_missing(self) -> None:
        masked = np.ma.array([1.5, 99.0], mask=[0, 1])
        assert table({"n": 1, "t": masked}, "t") == {"value": [1.5, None]}
        assert table({"n": 1, "t": {"x": masked, "k": np.ma.array([1, 99], mask=[0, 1])}}, "t") == {
            "x": [1.5, None], "k": [1, None],
        }  # fmt: skip
        assert table({"n": 1, "t": {"x": [np.ma.masked, 1.5]}}, "t") == {"x": [None, 1.5]}
        assert metrics({"x": np.ma.masked, "y": masked[1:].mean(), "z": masked.mean()}) == {
            "x": None, "y": None, "z": 1.5,
        }  # fmt: skip

    @pytest.mark.parametrize(
        "values",
        [
            pa.chunked_array([[1.5], [None]]),
            pa.array([1.5, None]),
            pl.Series([1.5, None]),
            pd.Series([1.5, None], dtype="Float64"),
        ],
    )
    def test_vectors_of_every_kind_are_one_column(self, values: Any) -> None:
        assert table({"n": 1, "t": values}, "t") == {"value": [1.5, None]}

    @pytest.mark.parametrize(
        "made",
        [
            pd.DataFrame({"d": pd.to_timedelta([90, 30], unit="s")}),
            pl.DataFrame({"d": [datetime.timedelta(seconds=90), datetime.timedelta(seconds=30)]}),
            pa.table({"d": pa.array([90, 30], type=pa.duration("s"))}),
            {"d": np.array([90, 30], dtype="m8[s]")},
            [{"d": datetime.timedelta(seconds=90)}, {"d": datetime.timedelta(seconds=30)}],
            [{"d": pd.Timedelta(seconds=90)}, {"d": pd.Timedelta(seconds=30)}],
        ],
    )
    def test_durations_are_seconds_and_a_note_says_so(self, made: Any) -> None:
        notes: list[str] = []
        _, tables = read_result({"n": 1, "t": made}, notes.append)
        assert columns(tables["t"]) == {"d": [90.0, 30.0]}
        assert set(notes) == {"column 'd' of table 't' holds durations: they are written in seconds"}

    @pytest.mark.parametrize(
        ("returned", "message"),
        [
            ({"m": np.timedelta64(3, "M")}, "'m' is in months or years, which have no one length in seconds"),
            ({"t": {"m": np.array([1], "m8[Y]")}}, "column 'm' of table 't' holds months or years"),
            ({"t": pl.DataFrame({"i": pl.Series([2**80], dtype=pl.Int128)})}, "table 't', .*: column 'i' holds Int128"),
            ({"t": pl.DataFrame({"o": pl.Series([len], dtype=pl.Object)})}, "table 't', .*: column 'o' holds Object"),
            ({"t": [{"a": datetime.datetime(2024, 1, 1, tzinfo=UTC)}, {"a": datetime.datetime(2024, 1, 1)}]},
             "column 'a' of table 't' mixes times with and without a time zone"),
            ({"x": 1, "t": (v for v in [1.5])}, "'t' of what .* is a generator, .*; make a list of it"),
            ({"x": 1, "t": {1.5, 2.5}}, "'t' of what .* is a set .*; make a list of it"),
            ({"x": 1, "t": pl.LazyFrame({"a": [1]})}, r"'t' of what .* is a .*LazyFrame.*; collect\(\) it"),
        ],
    )  # fmt: skip
    def test_what_has_no_place_is_refused_by_name_with_what_to_do(self, returned: Any, message: str) -> None:
        with pytest.raises(UnusableResult, match=message):
            read_result(returned)


class TestMemory:
    """A model may fill the same arrays anew for each replication; results already taken must not change."""

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda x, n: {"x": x, "n": n},
            lambda x, n: pd.DataFrame({"x": x, "n": n}, copy=False),
            lambda x, n: pl.DataFrame({"x": x, "n": n}),
            lambda x, n: pa.table({"x": x, "n": n}),
            lambda x, n: {"t": {"x": x, "n": n}},
        ],
    )
    def test_a_table_holds_its_own(self, wrap: Any) -> None:
        x, n = np.array([1.5, 2.5]), np.array([1, 2])
        (found,) = read_result(wrap(x, n))[1].values()
        x[:], n[:] = 99.0, 99
        assert columns(found) == {"x": [1.5, 2.5], "n": [1, 2]}


class TestColumns:
    @pytest.mark.parametrize(
        ("values", "kind", "kept"),
        [
            ([1, None, 3], "Int64", [1, None, 3]),
            ([2**63 - 1, -(2**63)], "Int64", [2**63 - 1, -(2**63)]),
            ([1, 2.5], "Float64", [1.0, 2.5]),
            ([1, NAN], "Float64", [1.0, NAN]),
            ([2**63, 1], "Float64", [2.0**63, 1.0]),
            ([None, NAN], "Float64", [None, NAN]),
            ([True, None], "Boolean", [True, None]),
            ([True, 2], "Int64", [1, 2]),
            ([None, None], "Boolean", [None, None]),
            (["", "NA", None, "ü\0\n"], "Utf8", ["", "NA", None, "ü\0\n"]),
            ([np.float32(0.5), None], "Float64", [0.5, None]),
            ([np.int64(2**60 + 1), 3], "Int64", [2**60 + 1, 3]),
            ([np.str_("x")], "Utf8", ["x"]),
            ([pd.NA, 1.5], "Float64", [None, 1.5]),
            ([decimal.Decimal("0.5"), 1], "Float64", [0.5, 1.0]),
            ([enum.IntEnum("L", "A").A, 5], "Int64", [1, 5]),  # type: ignore[attr-defined]
            ([enum.StrEnum("S", "A").A], "Utf8", ["a"]),  # type: ignore[attr-defined]
            ([datetime.date(2020, 2, 29), None], "Date32", [datetime.date(2020, 2, 29), None]),
            ([datetime.timedelta(seconds=1.5), None], "Float64", [1.5, None]),
            ([datetime.time(1, 2, 3)], "Utf8", ["01:02:03"]),
        ],
    )
    def test_a_list_has_the_type_of_its_values(self, values: list[Any], kind: str, kept: list[Any]) -> None:
        doubled = {"c": values * 2}
        assert kinds(doubled) == {"c": kind}
        assert exact(table(doubled)) == exact({"c": kept * 2})
        assert exact(table([{"c": value} for value in values * 2])) == exact({"c": kept * 2})

    @pytest.mark.parametrize(
        ("array", "kept"),
        [
            (np.array([1, -1], "i1"), [1, -1]),
            (np.array([1, 2], "u4"), [1, 2]),
            (np.array([2**53 + 1, 5], "u8"), [2**53 + 1, 5]),
            (np.array([2**63, 5], "u8"), [2.0**63, 5.0]),
            (np.array([2**53 + 1, 5], ">i8"), [2**53 + 1, 5]),
            (np.array([0.1, NAN], ">f8"), [0.1, NAN]),
            (np.array([0.1], "f4"), [float(np.float32(0.1))]),
            (np.array([0.5], "f2"), [0.5]),
            (np.array([0.5], np.longdouble), [0.5]),
            (np.array([True, False]), [True, False]),
            (np.array(["a", "ü"]), ["a", "ü"]),
            (np.array(["a", None, 5][:2], dtype=object), ["a", None]),
            (np.arange(10)[::3], [0, 3, 6, 9]),
            (np.array([1500, "NaT"], "m8[ms]"), [1.5, None]),
            (np.array([1, 2], "m8[ns]"), [1e-9, 2e-9]),
            (np.array(["2020-01-01", "NaT"], "M8[D]"), [datetime.datetime(2020, 1, 1), None]),
            (np.array(["2020-01-01T00:00:00.5"], "M8[ns]"), [datetime.datetime(2020, 1, 1, 0, 0, 0, 500000)]),
        ],
    )
    def test_an_array_of_numpy_keeps_its_values(self, array: Any, kept: list[Any]) -> None:
        assert exact(table({"c": array})) == exact({"c": kept})
        assert exact(table({"c": list(array)})) == exact({"c": kept})

    @pytest.mark.parametrize(
        ("column", "kept"),
        [
            (pd.Series([2**53 + 1, None], dtype="Int64"), [2**53 + 1, None]),
            (pd.Series([1.5, None], dtype="Float64"), [1.5, None]),
            (pd.Series([True, None], dtype="boolean"), [True, None]),
            (pd.Series([True, None], dtype=object), [True, None]),
            (pd.Series(["x", None]), ["x", None]),
            (pd.Series(["x", NAN], dtype=object), ["x", None]),
            (pd.Series(["x", None, "x"], dtype="category"), ["x", None, "x"]),
            (pd.Series([3, 1, 3], dtype="category"), [3, 1, 3]),
            (pd.Series([1, None], dtype="int64[pyarrow]"), [1, None]),
            (pd.Series([2**63 + 1, 1], dtype="uint64"), [float(2**63 + 1), 1.0]),
            (pd.to_timedelta(pd.Series([1.5, None]), unit="s"), [1.5, NAN]),
            (pd.Series(pd.date_range("2020-01-01", periods=2)), [datetime.datetime(2020, 1, d) for d in (1, 2)]),
            (
                pd.Series(pd.to_datetime(["2020-07-01T12:00", None])).dt.tz_localize("Europe/London"),
                [datetime.datetime(2020, 7, 1, 12, tzinfo=LONDON), None],
            ),
            (
                pd.Series(pd.to_datetime(["2020-07-01T12:00+02:00"])),
                [datetime.datetime(2020, 7, 1, 10, tzinfo=ZULU)],
            ),
        ],
    )
    def test_a_column_of_pandas_keeps_its_values(self, column: Any, kept: list[Any]) -> None:
        assert exact(table(pd.DataFrame({"c": column}))) == exact({"c": kept})

    @pytest.mark.parametrize(
        ("column", "kept"),
        [
            (pl.Series([2**53 + 1, None], dtype=pl.UInt64), [2**53 + 1, None]),
            (pl.Series([1, -1], dtype=pl.Int8), [1, -1]),
            (pl.Series([0.5], dtype=pl.Float32), [0.5]),
            (pl.Series(["x", None], dtype=pl.Categorical), ["x", None]),
            (pl.Series(["x"], dtype=pl.Enum(["x", "y"])), ["x"]),
            (pl.Series([None, None]), [None, None]),
            (pl.Series([decimal.Decimal("1.5")]), [1.5]),
            (pl.Series([datetime.timedelta(seconds=1.5), None]), [1.5, None]),
            (pl.Series([datetime.time(1, 2, 3)]), ["01:02:03"]),
            (pl.Series([datetime.date(2020, 1, 1)]), [datetime.date(2020, 1, 1)]),
            (pl.Series([datetime.datetime(2020, 1, 1)], dtype=pl.Datetime("ms")), [datetime.datetime(2020, 1, 1)]),
        ],
    )
    def test_a_column_of_polars_keeps_its_values(self, column: Any, kept: list[Any]) -> None:
        assert exact(table(pl.DataFrame({"c": column}))) == exact({"c": kept})

    @pytest.mark.parametrize(
        ("column", "kept"),
        [
            (pa.array(["x", None], pa.large_string()), ["x", None]),
            (pa.array(["x"], pa.string_view()), ["x"]),
            (pa.array([3, 1, None]).dictionary_encode(), [3, 1, None]),
            (pa.array(["x", "y"]).dictionary_encode(), ["x", "y"]),
            (pa.nulls(2), [None, None]),
            (pa.array([np.float16(1.5)], pa.float16()), [1.5]),
            (pa.array([86_400_000], pa.date64()), [datetime.date(1970, 1, 2)]),
            (pa.array([1500], pa.duration("ms")), [1.5]),
            (pa.array([0], pa.timestamp("us", tz="+01:00")), [datetime.datetime(1970, 1, 1, tzinfo=ZULU)]),
            (pa.array([0], pa.timestamp("us", tz="Europe/London")), [datetime.datetime(1970, 1, 1, 1, tzinfo=LONDON)]),
            (pa.chunked_array([], pa.float64()), []),
        ],
    )
    def test_a_column_of_arrow_keeps_its_values(self, column: Any, kept: list[Any]) -> None:
        assert exact(table(pa.table({"c": column}))) == exact({"c": kept})

    def test_times_with_a_zone_are_the_same_instants(self) -> None:
        moments = [datetime.datetime(2020, 7, 1, 12, tzinfo=LONDON), datetime.datetime(2020, 1, 1, tzinfo=UTC), None]
        found = table({"t": moments})["t"]
        assert found == moments
        assert found[0].utcoffset() == datetime.timedelta(0)

    @pytest.mark.parametrize("year", [1, 9999])
    def test_the_first_and_last_years_are_kept(self, year: int) -> None:
        moment = datetime.datetime(year, 12, 31, 23, 59, 59, 999999)
        assert table({"d": [moment.date()] * 2, "t": [moment] * 2}) == {"d": [moment.date()] * 2, "t": [moment] * 2}


class TestNamesOfFields:
    @pytest.mark.parametrize("beside", [{}, {"n": 1.0}], ids=["alone", "beside a number"])
    def test_a_structured_array_is_a_table_with_the_names_of_its_fields(self, beside: dict[str, float]) -> None:
        rows = np.array([(1, 2.5, "x"), (2, 3.5, "y")], dtype=[("i", "i4"), ("f", "f4"), ("s", "U3")])
        for made in (rows, rows.view(np.recarray)):
            _, tables = read_result({"t": made, **beside})
            assert pl.DataFrame(tables["t"]).to_dict(as_series=False) == {"i": [1, 2], "f": [2.5, 3.5], "s": ["x", "y"]}

    @pytest.mark.parametrize(("name", "column"), [("wait", "wait"), (None, "value"), (3, "value")])
    def test_a_series_keeps_its_name(self, name: Any, column: str) -> None:
        _, tables = read_result({"n": 1.0, "t": pd.Series([1.5, 2.5], name=name)})
        assert pl.DataFrame(tables["t"]).to_dict(as_series=False) == {column: [1.5, 2.5]}
