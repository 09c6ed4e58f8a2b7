"""What a Python model returns, rule by rule; nothing is lost, rounded or renamed in silence."""

from __future__ import annotations

import datetime
import decimal
import enum
import fractions
import math
import types
from collections import OrderedDict
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from returned import INF, NAN, UTC, exact, metrics

from replicast.models.results import UnusableResult, as_number, describe, read_result


class TestNumbers:
    def test_numbers_of_an_inner_mapping_are_named_by_both_where_names_collide(self) -> None:
        by_ward = {"icu": {"wait": 1.0, "beds": 3}, "total": 7, "er": {"wait": 2.0}}
        assert exact(metrics(by_ward)) == exact({"icu.wait": 1.0, "beds": 3, "total": 7, "er.wait": 2.0})
        assert metrics({"wait": 1.0, "icu": {"wait": 2.0}}) == {"wait": 1.0, "icu.wait": 2.0}
        assert metrics({"icu": {}, "total": 7}) == {"total": 7}

    @pytest.mark.parametrize(
        ("returned", "value"),
        [
            (1.5, 1.5),
            (3, 3),
            (0, 0),
            (-0.0, -0.0),
            (True, True),
            (False, False),
            (NAN, NAN),
            (-INF, -INF),
            (5e-324, 5e-324),
            (2**63 - 1, 2**63 - 1),
            (2**53 + 1, 2**53 + 1),
            (2**63, float(2**63)),
            (-(2**70), -float(2**70)),
            (np.float64(0.1), 0.1),
            (np.float32(0.1), float(np.float32(0.1))),
            (np.float16(0.1), float(np.float16(0.1))),
            (np.longdouble(1.5), 1.5),
            (np.int8(-5), -5),
            (np.uint64(2**63 - 1), 2**63 - 1),
            (np.uint64(2**64 - 1), float(2**64 - 1)),
            (np.bool_(True), True),
            (np.array(3), 3),
            (np.array(2.5), 2.5),
            (decimal.Decimal("1.25"), 1.25),
            (fractions.Fraction(1, 4), 0.25),
            (enum.IntEnum("Level", "LOW HIGH").HIGH, 2),  # type: ignore[attr-defined]
        ],
    )
    def test_a_number_is_the_metric_value(self, returned: Any, value: Any) -> None:
        assert exact(metrics(returned)) == exact({"value": value})
        assert exact(metrics({"wait": returned})) == exact({"wait": value})
        assert read_result(returned)[1] == {}

    @given(st.floats() | st.integers(-(2**63) + 1, 2**63 - 1))
    def test_any_number_comes_through_bit_for_bit(self, number: float) -> None:
        assert exact(as_number(number)) == exact(number)
        assert exact(metrics({"a": number, "b": number})) == exact({"a": number, "b": number})

    @given(st.floats())
    def test_a_numpy_double_comes_through_bit_for_bit(self, number: float) -> None:
        assert exact(metrics({"a": np.float64(number)})) == exact({"a": number})

    @pytest.mark.parametrize("missing", [None, pd.NA])
    def test_a_named_number_may_be_missing(self, missing: Any) -> None:
        assert metrics({"wait": missing, "los": 1}) == {"wait": None, "los": 1}


class TestNamedNumbers:
    def test_they_keep_their_order(self) -> None:
        returned = {"z": 1, "a": 2.0, "m": None}
        assert list(metrics(returned).items()) == list(returned.items())

    @pytest.mark.parametrize("kind", [dict, OrderedDict, types.MappingProxyType])
    def test_any_mapping_names_them(self, kind: Any) -> None:
        assert metrics(kind({"a": 1.5, "b": 2})) == {"a": 1.5, "b": 2}

    def test_a_series_with_names_is_named_numbers(self) -> None:
        frame = pd.DataFrame({"wait": [1.0, 3.0], "los": [2.0, 6.0]})
        assert metrics(frame.mean()) == {"wait": 2.0, "los": 4.0}
        assert metrics({"means": frame.mean(), "n": 2}) == {"wait": 2.0, "los": 4.0, "n": 2}

    def test_a_mapping_of_numbers_inside_gives_its_numbers(self) -> None:
        assert metrics({"kpis": {"wait": 1.5, "ok": True}, "n": 7}) == {"wait": 1.5, "ok": 1, "n": 7}

    def test_names_that_are_no_text_become_text(self) -> None:
        assert metrics({1: 2.0, (1, 2): 3.0}) == {"1": 2.0, "(1, 2)": 3.0}

    def test_scenario_and_replication_give_way_to_ours(self) -> None:
        assert metrics({"scenario": 3, "replication": 9.0, "wait": 1.0}) == {"wait": 1.0}

    @pytest.mark.parametrize(
        "returned",
        [
            {"icu": {"wait": 1.0}, "wait": 2.0, "icu.wait": 3.0},
            {"a": {1: 1.0, "1": 2.0}},
            {1: 1.0, "1": 2.0},
        ],
    )
    def test_two_metrics_of_one_name_are_refused(self, returned: Any) -> None:
        with pytest.raises(UnusableResult, match=r"two metrics are called '(icu.wait|a.1|1)'"):
            read_result(returned)


class TestRefusals:
    @pytest.mark.parametrize(
        ("returned", "said"),
        [
            (None, "nothing (None)"),
            ("text", "a str 'text'"),
            (b"bytes", "a bytes b'bytes'"),
            ({}, "an empty dict"),
            ({"scenario": 1}, "a dict {'scenario': 1}"),
            ({1, 2}, "a set {1, 2}"),
            (1j, "a complex"),
            ([1.5, 2.5], "a list [1.5, 2.5]; give its numbers names, as in {'wait': 1.5}"),
            ((1, 2), "give its numbers names"),
            (np.zeros((2, 2)), "a numpy.ndarray"),
            (np.array([3.0]), "a numpy.ndarray"),
            (object, "a type"),
            ((x for x in [1]), "a generator"),
            (print, "a builtin_function_or_method"),
            (pd.Series([1.0, 2.0]), "Series"),
            (pl.Series([1.0]), "Series"),
            (pl.LazyFrame({"a": [1]}), "LazyFrame"),
            ([[1, 2], [3, 4]], "a list [[1, 2], [3, 4]]"),
            (["x" * 100], "…"),
        ],
    )
    def test_what_came_is_said(self, returned: Any, said: str) -> None:
        with pytest.raises(UnusableResult) as refused:
            read_result(returned)
        assert said in str(refused.value)
        assert "it must return a number, named numbers (a dict), a table, or a dict of numbers and tables" in str(
            refused.value
        )

    @pytest.mark.parametrize("item", [{"a": {"b": 1}}, {1, 2}, np.zeros((2, 2)), [1, 2, [3]], 1 + 2j, b"x"])
    def test_an_item_that_is_neither_number_nor_table_is_named(self, item: Any) -> None:
        with pytest.raises(UnusableResult, match="'odd' of what the model returned is a"):
            read_result({"wait": 1.0, "odd": item})

    @pytest.mark.parametrize(
        "item", [object(), int, len, np.random.default_rng(1)], ids=lambda item: type(item).__name__
    )
    def test_an_item_that_holds_no_numbers_costs_a_note_and_not_the_replication(self, item: Any) -> None:
        notes: list[str] = []
        assert read_result({"wait": 1.0, "odd": item}, notes.append) == ({"wait": 1.0}, {})
        assert notes == [f"'odd' is {describe(item)}: it is not kept"]
        with pytest.raises(UnusableResult, match="it must return a number"):
            read_result({"odd": item})

    @pytest.mark.parametrize(
        ("values", "said"),
        [
            ([1, "x"], "holds int, str"),
            ([object(), 1], "holds int, object"),
            ([[1], [2]], "holds list"),
            ([b"x", b"y"], "holds bytes"),
            ([1j, 2j], "holds complex"),
            ([datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1)], "holds date, datetime"),
        ],
    )
    def test_a_column_of_mixed_or_nested_values_is_refused_by_name(self, values: list[Any], said: str) -> None:
        with pytest.raises(UnusableResult, match=f"column 'odd' of table 't' {said}; a column holds numbers, texts"):
            read_result({"n": 1, "t": {"x": [1, 2], "odd": values}})

    def test_times_with_and_without_zone_do_not_mix(self) -> None:
        with pytest.raises(UnusableResult, match="with and without a time zone"):
            read_result({"t": [datetime.datetime(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=UTC)]})

    @pytest.mark.parametrize(
        "column",
        [
            pa.array([[1], [2]]),
            pa.array([{"a": 1}, {"a": 2}]),
            pa.array([b"x", b"y"]),
            pa.array([b"xx", b"yy"], pa.binary(2)),
            pa.RunEndEncodedArray.from_arrays([2], [5]),
        ],
    )
    def test_nested_columns_of_arrow_are_refused_by_name(self, column: Any) -> None:
        with pytest.raises(UnusableResult, match=r"column 'odd' of table 'table' holds (nested|binary) values"):
            read_result(pa.table({"odd": column}))

    def test_a_type_that_arrow_cannot_carry_is_refused(self) -> None:
        with pytest.raises(UnusableResult, match="table 'table', a DataFrame, cannot be read"):
            read_result(pl.DataFrame({"a": [1, 2]}, schema={"a": pl.Int128}))

    @pytest.mark.parametrize(
        "returned",
        [
            {"\udcff": 1.0},
            {"a\0b": 1.0},
            {"\udcff": [{"x": 1}, {"x": 2}], "n": 1},
            [{"\ud800": 1}, {"\ud800": 2}],
            {"a\0b": [1, 2]},
            pd.DataFrame({"a\0b": [1, 2]}),
            {"t": ["\udcff", "x"]},
        ],
    )
    def test_text_that_no_file_can_hold_is_refused(self, returned: Any) -> None:
        with pytest.raises(UnusableResult, match=r"is not valid Unicode|holds a NUL character"):
            read_result(returned)

    def test_a_table_with_a_name_too_long_for_a_folder_is_refused(self) -> None:
        with pytest.raises(UnusableResult, match="too long for a folder"):
            read_result({"ü" * 60: [{"x": 1}, {"x": 2}], "n": 1})

    def test_an_iterator_is_left_alone(self) -> None:
        numbers = iter([1, 2, 3])
        with pytest.raises(UnusableResult):
            read_result(numbers)
        assert list(numbers) == [1, 2, 3]


class TestWhatLosesDigits:
    def test_a_decimal_of_more_digits_than_a_double_has_is_noted(self) -> None:
        notes: list[str] = []
        short, long = decimal.Decimal("1.1"), decimal.Decimal("12345678901234567890.123")
        read_result({"x": short, "t": [{"d": short}], "p": pl.DataFrame({"d": [short]})}, notes.append)
        assert notes == []
        read_result({"x": long, "t": [{"d": long}], "p": pl.DataFrame({"d": [long]})}, notes.append)
        assert [note.split(" of more")[0] for note in notes] == [
            "'x' is a decimal", "column 'd' of table 't' holds decimals", "column 'd' of table 'p' holds decimals",
        ]  # fmt: skip

    def test_a_time_of_pandas_in_a_row_is_cut_off_with_a_note(self) -> None:
        notes: list[str] = []
        read_result({"n": 1, "t": [{"at": pd.Timestamp(1704067200000000001)}]}, notes.append)
        assert notes == ["column 'at' of table 't' holds times finer than a microsecond: what is finer is cut off"]

    @pytest.mark.parametrize("value", [2**63, -(2**64) + 1, np.uint64(2**63 + 1)])
    def test_a_whole_number_beyond_64_bits_is_noted(self, value: Any) -> None:
        notes: list[str] = []
        assert read_result({"id": value, "x": {"inner": value}}, notes.append)[0]["id"] == float(value)
        assert notes == [
            "'id' is a whole number beyond 64 bits: the nearest double is kept",
            "'x.inner' is a whole number beyond 64 bits: the nearest double is kept",
        ]
        read_result(value, notes.append)
        assert notes[2] == "'value' is a whole number beyond 64 bits: the nearest double is kept"

    @pytest.mark.parametrize("value", [10**400, -(10**5000)], ids=["long", "longer than Python prints"])
    def test_what_no_double_holds_is_refused_by_name(self, value: int) -> None:
        with pytest.raises(UnusableResult, match=r"'id' is a whole number of [0-9]+ bits, which no double holds"):
            read_result({"id": value})
        with pytest.raises(UnusableResult, match=r"column 'id' of table 't' holds a whole number of [0-9]+ bits"):
            read_result({"t": [{"id": value}]})

    @pytest.mark.parametrize(
        "table",
        [
            [{"id": 2**53 + 1}, {"id": 0.5}],
            [{"id": 2**64 + 1}],
            {"id": [2**64 + 1, None]},
            {"id": np.array([2**63 + 1], dtype=np.uint64)},
            pd.DataFrame({"id": [2**64 + 1]}),
            pd.DataFrame({"id": np.array([2**63 + 1], dtype=np.uint64)}),
            pl.DataFrame({"id": [2**63 + 1]}, schema={"id": pl.UInt64}),
        ],
    )
    def test_a_column_that_loses_digits_is_noted(self, table: Any) -> None:
        notes: list[str] = []
        read_result({"t": table, "n": 1}, notes.append)
        assert notes
        assert set(notes) == {
            "column 'id' of table 't' holds whole numbers that no double holds exactly: the nearest doubles are kept"
        }

    @pytest.mark.parametrize(
        "table",
        [
            {"at": np.array(["2026-01-01T00:00:00.000000001"], dtype="datetime64[ns]")},
            pd.DataFrame({"at": pd.to_datetime(["2026-01-01T00:00:00.000000001", None])}),
            pd.DataFrame({"at": pd.to_datetime(["2026-01-01T00:00:00.000000001"]).tz_localize("Europe/London")}),
        ],
    )
    def test_times_finer_than_a_microsecond_are_noted(self, table: Any) -> None:
        notes: list[str] = []
        read_result({"t": table, "n": 1}, notes.append)
        assert notes == ["column 'at' of table 't' holds times finer than a microsecond: what is finer is cut off"]

    @pytest.mark.parametrize(
        "table",
        [
            [{"id": 2**53 + 1}, {"id": None}],
            [{"id": 2**60}, {"id": 0.5}, {"id": math.nan}, {"id": True}],
            pd.DataFrame({"at": pd.to_datetime(["2026-01-01T00:00:00.000001", None])}),
            pd.DataFrame({"at": np.array(["1300-01-01", "2026-01-01"], dtype="datetime64[us]")}),
        ],
    )
    def test_what_is_kept_whole_is_not_noted(self, table: Any) -> None:
        notes: list[str] = []
        read_result({"t": table, "n": 1}, notes.append)
        assert not notes
