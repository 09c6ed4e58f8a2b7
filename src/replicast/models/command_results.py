"""What a command left in its folder, as metrics and tables: `metrics.json`, `*.csv` and `*.parquet`.

CSV is read here and not by polars, whose import would cost every worker more than most files do.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

import arro3.io
from arro3.core import Table

from replicast.core.arrow import table_of
from replicast.core.replication import Metric

from .columns import Noted, ignore_note
from .pandas_frames import free_name
from .results import NOT_A_NUMBER, Returned, UnusableResult, as_number, column_array, describe, read_result
from .tables import ANY_KEYS, Keys

METRICS_FILE = "metrics.json"
MISSING = ("", "NA")
TRUTH = {"true": True, "TRUE": True, "True": True, "false": False, "FALSE": False, "False": False}
INTEGER = re.compile(r"[+-]?(0|[1-9]\d*)")
FLOAT = re.compile(r"[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity)|nan", re.IGNORECASE)
BLANKS = " \t"
EXACT_DIGITS = 15
SEPARATORS = {";": "semicolons", "\t": "tabs"}
SHOWN_CHARACTERS = 60


def take_results(folder: Path, noted: Noted = ignore_note, keys: Keys = ANY_KEYS) -> Returned:
    """Reads and removes what is metrics and tables; the other files stay. Raises UnusableResult."""
    metrics: dict[str, Metric] = {}
    tables: dict[str, Table] = {}
    texts: dict[str, Table] = {}
    taken = [path for path in sorted(folder.iterdir()) if path.is_file() and _is_result(path)]
    for path in taken:
        if path.name == METRICS_FILE:
            metrics, texts = read_metrics(path.read_bytes(), noted)
        else:
            tables |= _table_in(path, tables, noted, keys)
    for name, table in texts.items():
        tables[free_name(name, tables)] = table
    for path in taken:
        path.unlink()
    return metrics, tables


def _is_result(path: Path) -> bool:
    return path.name == METRICS_FILE or path.suffix.lower() in (".csv", ".parquet")


def _table_in(path: Path, tables: Container[str], noted: Noted, keys: Keys) -> dict[str, Table]:
    if path.stem in tables:
        raise UnusableResult(f"the command left two tables called '{path.stem}'")
    content = path.read_bytes()
    table = read_csv(content, path.name, noted) if path.suffix.lower() == ".csv" else read_parquet(content, path.name)
    return read_result({path.stem: table}, noted, keys)[1]


def read_metrics(content: bytes, noted: Noted = ignore_note) -> Returned:
    """The numbers of a `metrics.json`, those of an inner object beside the others, and a table of its texts.

    Raises UnusableResult.
    """
    try:
        named = json.loads(content, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise UnusableResult(f"{METRICS_FILE} is not JSON: {error}") from None
    if not isinstance(named, dict):
        raise UnusableResult(f"{METRICS_FILE} holds {describe(named)}; it must hold an object of numbers")
    for name, value in named.items():
        _check_singles(name, value)
    return read_result(named, noted) if named else ({}, {})


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    named = dict(pairs)
    if len(named) < len(pairs):
        twice = next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))
        raise UnusableResult(f"two metrics are called '{twice}'")
    return named


def _check_singles(name: str, value: Any) -> None:
    inner = {f"{name}.{key}": item for key, item in value.items()} if isinstance(value, dict) else {}
    for path, item in inner.items() or ((name, value),):
        if as_number(item) is NOT_A_NUMBER and not isinstance(item, str):
            raise UnusableResult(f"'{path}' of {METRICS_FILE} is {describe(item)}, not a number or a text")


def read_printed(text: str) -> Metric:
    """The number that stands alone on the last line of what a command printed. Raises UnusableResult."""
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    if not last:
        raise UnusableResult("the command left no file in {out} and printed nothing")
    if last != "NA" and not FLOAT.fullmatch(last):
        shown = last if len(last) <= SHOWN_CHARACTERS else last[: SHOWN_CHARACTERS - 1] + "…"
        raise UnusableResult(f"the command left no file in {{out}}, and its last line is no number: '{shown}'")
    return as_number(parse_column([last])[0])  # type: ignore[no-any-return]


MAGIC = b"PAR1"
"""A Parquet file begins and ends with it."""


def read_parquet(content: bytes, name: str) -> Table:
    if content[:4] != MAGIC:
        raise UnusableResult(f"{name} is not a Parquet file that can be read: it does not begin with the letters PAR1")
    if content[-4:] != MAGIC or len(content) < 12:
        raise UnusableResult(
            f"{name} is not a Parquet file that can be read: its end is missing; was it written whole, and closed?"
        )
    try:
        return arro3.io.read_parquet(io.BytesIO(content)).read_all()
    except BaseException as error:
        if type(error).__name__ != "PanicException" and not isinstance(error, Exception):
            raise
        raise UnusableResult(f"{name} is not a Parquet file that can be read: its content is damaged") from None


def read_csv(content: bytes, name: str, noted: Noted = ignore_note) -> Table:
    """A table with a header line, its columns typed by what all their values are: bool, int, float, else text.

    Blanks around a name, or around a value that is no text, do not count. Empty fields and NA are missing. R's row
    names and pandas' index (a first column without a name) are left out where they only count. Raises UnusableResult,
    naming the line or the column.
    """
    header, *rows = _csv_rows(content, name)
    header = [column.strip(BLANKS) for column in header]
    columns = [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in header]
    if header and not header[0]:
        if _counts(columns[0]):
            header, columns = header[1:], columns[1:]
        else:
            header[0] = "row"
    _check_header(header, name)
    stem = name.rpartition(".")[0]
    arrays = {h: column_array(parse_column(c), stem, h, noted) for h, c in zip(header, columns, strict=True)}
    return table_of(arrays)


def _csv_rows(content: bytes, name: str) -> list[list[str]]:
    """The header and the rows, all of one length. A blank line is a missing value where there is one column alone."""
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = [next(lines, [])]
        _check_separator(rows[0], name)
        for row in lines:
            if row and len(row) != len(rows[0]):
                message = f"line {lines.line_num} of {name} has {len(row)} fields, and its header {len(rows[0])}"
                raise UnusableResult(message)
            if row or len(rows[0]) == 1:
                rows.append(row or [""])
    except UnicodeDecodeError:
        raise UnusableResult(f"{name} is not UTF-8 text") from None
    except csv.Error as error:
        raise UnusableResult(f"{name} is not CSV: {error}") from None
    if not rows[0]:
        raise UnusableResult(f"{name} does not begin with a line of column names")
    return rows


def _check_separator(header: Sequence[str], name: str) -> None:
    found = next((mark for mark in SEPARATORS if len(header) == 1 and mark in header[0]), None)
    if found:
        raise UnusableResult(
            f"the columns of {name} are parted by {SEPARATORS[found]}: "
            "write them with commas between, and points in numbers"
        )


def _counts(column: Sequence[str]) -> bool:
    """Whether a column holds nothing but the rows' numbers, from 1 or from 0."""
    return any(all(text == str(i) for i, text in enumerate(column, first)) for first in (0, 1))


def _check_header(header: Sequence[str], name: str) -> None:
    for i, column in enumerate(header):
        if not column:
            raise UnusableResult(f"column {i + 1} of {name} has no name")
        if column in header[:i]:
            raise UnusableResult(f"{name} has two columns called '{column}'")


def _as_number(text: str) -> int | float:
    """A double, but for whole numbers of so many digits that a double may lose some, which is to be told."""
    return int(text) if len(text) > EXACT_DIGITS and INTEGER.fullmatch(text) else float(text)


def parse_column(texts: Sequence[str]) -> list[Any]:
    """The texts in the narrowest of bool, int, float and text that keeps all of them; a leading zero keeps a text."""
    present = {text.strip(BLANKS) for text in texts} - {*MISSING}
    kind: Any = None
    if present <= TRUTH.keys():
        kind = TRUTH.__getitem__
    elif all(map(INTEGER.fullmatch, present)):
        kind = int
    elif all(map(FLOAT.fullmatch, present)):
        kind = _as_number
    if kind is None:
        return [None if text in MISSING else text for text in texts]
    values: dict[str, Any] = {text: kind(text) for text in present} | dict.fromkeys(MISSING)
    return [values[text.strip(BLANKS)] for text in texts]
