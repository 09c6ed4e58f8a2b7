import io
import json
import math
from pathlib import Path

import arro3.io
import pytest
from arro3.core import Array, DataType, Table
from hypothesis import given
from hypothesis import strategies as st

from replicast.models.columns import ROUNDED
from replicast.models.command_results import parse_column, read_csv, read_metrics, read_printed, take_results
from replicast.models.results import UnusableResult


def columns_of(table: Table) -> dict[str, list]:
    return {name: table.column(name).to_pylist() for name in table.column_names}


def columns(text: str) -> dict[str, list]:
    return columns_of(read_csv(text.encode(), "t.csv"))


def test_metrics_are_numbers_missing_values_and_numbers_one_level_down() -> None:
    text = '{"wait": 1.5, "n": 3, "late": true, "lost": null, "queue": {"mean": 2, "max": Infinity}, "odd": NaN}'
    metrics, tables = read_metrics(text.encode())
    assert not tables
    assert math.isnan(metrics.pop("odd"))  # type: ignore[arg-type]
    assert metrics == {"wait": 1.5, "n": 3, "late": 1, "lost": None, "mean": 2, "max": math.inf}
    assert type(metrics["n"]) is int


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"wait": [1, 2]}', r"'wait' of metrics.json is a list \[1, 2\]"),
        ('{"wait": {"mean": [1]}}', r"'wait.mean' of metrics.json is a list \[1\]"),
        ('{"wait": {"a": {"b": 1}}}', r"'wait.a' of metrics.json is a dict"),
        ('{"wait": {}}', r"'wait' of metrics.json is a dict"),
        ('{"a": 1, "q": {"a": 2}, "q.a": 3}', r"two metrics are called 'q\.a'"),
        ('{"a": 1, "a": 2}', "two metrics are called 'a'"),
        ("[1, 2]", "it must hold an object of numbers"),
        ("{", "metrics.json is not JSON"),
        ("\x00", "metrics.json is not JSON"),
    ],
)
def test_metrics_that_are_no_numbers_are_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(UnusableResult, match=message):
        read_metrics(text.encode())


def test_texts_beside_numbers_are_rows_of_the_table_texts(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"wait": 1.5, "policy": "fifo", "icu": {"beds": 3, "head": "Ann"}}')
    (tmp_path / "texts.csv").write_text("x\n1\n2\n")
    metrics, tables = take_results(tmp_path)
    assert metrics == {"wait": 1.5, "beds": 3}
    assert {name: columns_of(table) for name, table in tables.items()} == {
        "texts": {"x": [1, 2]}, "texts_1": {"name": ["policy", "icu.head"], "text": ["fifo", "Ann"]},
    }  # fmt: skip


def test_blanks_around_numbers_and_names_do_not_make_texts_of_them() -> None:
    assert columns("a, b,\tok , s\n1, 2.5, true, x\n 3 ,  , NA,y \n") == {
        "a": [1, 3], "b": [2.5, None], "ok": [True, None], "s": [" x", "y "],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "mark"), [("a;b\n1.5;x\n", "semicolons"), ("a;b\n1,5;x\n", "semicolons"), ("a\tb\n1\t2\n", "tabs")]
)
def test_other_separators_are_named(text: str, mark: str) -> None:
    with pytest.raises(UnusableResult, match=f"the columns of t.csv are parted by {mark}: write them with commas"):
        columns(text)


@pytest.mark.parametrize("text", ["9223372036854775809", "9007199254740993\n1.5"])
def test_digits_that_a_column_loses_are_noted(text: str) -> None:
    notes: list[str] = []
    table = read_csv(f"n\n{text}\n".encode(), "t.csv", notes.append)
    assert DataType.is_float64(table.column("n").type)
    assert notes == [f"column 'n' of table 't' {ROUNDED}"]


def test_columns_get_the_narrowest_type_that_keeps_all_values() -> None:
    found = columns("i,f,b,s,date\n1,1,TRUE,a,2024-01-01\n-2,2.5,false,1,2024-01-02\n")
    assert found == {
        "i": [1, -2], "f": [1.0, 2.5], "b": [True, False], "s": ["a", "1"], "date": ["2024-01-01", "2024-01-02"],
    }  # fmt: skip


def test_na_and_empty_fields_are_missing_in_columns_of_any_type() -> None:
    found = columns("i,f,b,s,none\n1,,NA,a,NA\nNA,2.5,TRUE,,\n")
    assert found == {"i": [1, None], "f": [None, 2.5], "b": [None, True], "s": ["a", None], "none": [None, None]}


def test_not_a_number_and_infinity_are_floats_and_not_missing() -> None:
    values = columns("x\nNaN\nInf\n-inf\n1\n")["x"]
    assert math.isnan(values[0])
    assert values[1:] == [math.inf, -math.inf, 1.0]


def test_codes_with_leading_zeros_stay_texts() -> None:
    assert columns("code\n007\n12\n") == {"code": ["007", "12"]}


@given(st.lists(st.floats(allow_nan=False), min_size=1))
def test_a_double_written_in_full_comes_back_bit_for_bit(values: list[float]) -> None:
    text = "x\n" + "".join(f"{value!r}\n" for value in values)
    assert [v.hex() for v in map(float, columns(text)["x"])] == [v.hex() for v in values]


def test_integers_beyond_64_bits_become_floats() -> None:
    assert columns("x\n123456789012345678901234567890\n")["x"] == [1.2345678901234568e29]


def test_quoted_fields_hold_commas_quotes_and_newlines() -> None:
    assert columns('a,b\n"x, ""y""","two\nlines"\n') == {"a": ['x, "y"'], "b": ["two\nlines"]}


def test_a_file_of_windows_with_a_byte_order_mark_is_read() -> None:
    assert columns("\ufeffa,b\r\n1,2\r\n") == {"a": [1], "b": [2]}


def test_row_names_that_only_count_are_left_out_and_others_are_kept() -> None:
    assert columns('"","x"\n"1",5\n"2",6\n') == {"x": [5, 6]}
    assert columns(",x\n0,5\n1,6\n") == {"x": [5, 6]}
    assert columns('"","x"\n"ward A",5\n') == {"row": ["ward A"], "x": [5]}


def test_a_table_without_rows_keeps_its_columns() -> None:
    table = read_csv(b"a,b\n", "t.csv")
    assert (table.column_names, table.num_rows) == (["a", "b"], 0)


def test_blank_lines_are_skipped_but_are_missing_values_of_a_single_column() -> None:
    assert columns("a,b\n1,2\n\n3,4\n\n") == {"a": [1, 3], "b": [2, 4]}
    assert columns("a\n1\n\n2\n") == {"a": [1, None, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "t.csv does not begin with a line of column names"),
        ("a,b\n1,2\n3\n", "line 3 of t.csv has 1 fields, and its header 2"),
        ("a,a\n1,2\n", "t.csv has two columns called 'a'"),
        ("a,\n1,2\n", "column 2 of t.csv has no name"),
        ('a\n"open\n', "t.csv is not CSV"),
    ],
)
def test_a_broken_csv_is_refused_with_the_place(text: str, message: str) -> None:
    with pytest.raises(UnusableResult, match=message):
        columns(text)


def test_a_csv_in_another_encoding_is_refused() -> None:
    with pytest.raises(UnusableResult, match=r"t.csv is not UTF-8 text"):
        read_csv(b"a\ncaf\xe9\n", "t.csv")


@pytest.mark.parametrize(
    ("printed", "value"),
    [("3\n", 3), ("text\n 2.5 \n\n", 2.5), ("NA", None), ("1e+05", 1e5), ("-inf", -math.inf), ("0", 0)],
)
def test_a_printed_number_is_read_from_the_last_line(printed: str, value: float | None) -> None:
    assert read_printed(printed) == value


@pytest.mark.parametrize("printed", ["", "\n", "[1] 3\n", "1 2\n", "3\ndone\n", "TRUE\n"])
def test_a_last_line_that_is_no_number_is_refused(printed: str) -> None:
    with pytest.raises(UnusableResult, match="the command left no file"):
        read_printed(printed)


def write_parquet(path: Path, table: Table) -> None:
    buffer = io.BytesIO()
    arro3.io.write_parquet(table, buffer)
    path.write_bytes(buffer.getvalue())


def test_parquet_tables_keep_their_types(tmp_path: Path) -> None:
    small = Array([1, None], DataType.int32())
    write_parquet(
        tmp_path / "beds.parquet", Table.from_pydict({"n": small, "scenario": Array([1, 2], DataType.int64())})
    )
    _, tables = take_results(tmp_path)
    assert columns_of(tables["beds"]) == {"n": [1, None], "scenario_1": [1, 2]}
    assert tables["beds"].schema.field("n").type == DataType.int64()


@pytest.mark.parametrize("content", [b"", b"no parquet at all", b"PAR1 but then nothing PAR1"])
def test_a_broken_parquet_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "beds.parquet").write_bytes(content)
    with pytest.raises(UnusableResult, match=r"beds.parquet is not a Parquet file"):
        take_results(tmp_path)


def test_a_table_of_one_row_is_a_table(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"n": 2, "wait": 4}')
    (tmp_path / "kpi.csv").write_text("wait,ward\n1.5,A\n")
    metrics, tables = take_results(tmp_path)
    assert metrics == {"n": 2, "wait": 4}
    assert tables["kpi"].num_rows == 1


def test_two_metrics_of_one_name_are_refused(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"a": {"x": 1}, "x": 2, "a.x": 3}')
    with pytest.raises(UnusableResult, match=r"two metrics are called 'a\.x'"):
        take_results(tmp_path)


def test_a_metric_and_a_table_may_share_a_name(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text('{"wait": 2}')
    (tmp_path / "wait.csv").write_text("t\n1\n2\n")
    metrics, tables = take_results(tmp_path)
    assert metrics == {"wait": 2}
    assert list(tables) == ["wait"]


def test_a_table_twice_and_a_table_with_one_of_our_names_are_refused(tmp_path: Path) -> None:
    (tmp_path / "beds.csv").write_text("n\n1\n2\n")
    write_parquet(tmp_path / "beds.parquet", Table.from_pydict({"n": Array([1], DataType.int64())}))
    with pytest.raises(UnusableResult, match="two tables called 'beds'"):
        take_results(tmp_path)
    (tmp_path / "beds.parquet").unlink()
    (tmp_path / "beds.csv").rename(tmp_path / "metrics.csv")
    with pytest.raises(UnusableResult, match="a table cannot be called 'metrics'"):
        take_results(tmp_path)


def test_only_files_at_the_top_are_results_and_all_others_stay(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"x": 1}))
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a.csv").write_text("x")
    assert take_results(tmp_path) == ({"x": 1}, {})
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["a.csv", "notes.txt"]


def test_an_all_missing_column_has_no_values() -> None:
    assert parse_column(["", "NA"]) == [None, None]
