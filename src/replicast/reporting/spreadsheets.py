"""A table as a spreadsheet: one sheet, the same bytes for the same rows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from replicast.core.errors import RequestError

MOST_ROWS = 1_048_576
"""Of a sheet, its header included."""

LONGEST_TEXT = 32_767
EXACT_DIGITS = 10**15
"""A spreadsheet's numbers have 15 digits: whole numbers beyond are written as text."""


def write_spreadsheet(frames: Iterable[pl.DataFrame], schema: dict[str, Any], path: Path) -> int:
    """Writes row by row, with no more of the table in memory than a chunk. Raises RequestError for too many rows."""
    try:
        import xlsxwriter
    except ImportError:
        needed = "collating to spreadsheets needs XlsxWriter: python -m pip install 'replicast[xlsx]'"
        raise RequestError(needed) from None
    rows, options = 0, {"constant_memory": True, "default_date_format": "yyyy-mm-dd hh:mm:ss"}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC)})
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(schema):
            sheet.write_string(0, column, name)
        for frame in frames:
            if rows + len(frame) >= MOST_ROWS:
                raise RequestError(f"a spreadsheet has at most {MOST_ROWS:,} rows: collate as csv or parquet")
            for row in frame.iter_rows():
                rows += 1
                for column, value in enumerate(row):
                    _write(sheet, rows, column, value)
    return rows


def _write(sheet: Any, row: int, column: int, value: Any) -> None:
    """A missing value is an empty cell; what a cell cannot hold as a number is text."""
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif (isinstance(value, float) and math.isfinite(value)) or (isinstance(value, int) and abs(value) <= EXACT_DIGITS):
        sheet.write_number(row, column, value)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, column, value.replace(tzinfo=None))
    elif isinstance(value, date):
        sheet.write_datetime(row, column, datetime(value.year, value.month, value.day, tzinfo=UTC).replace(tzinfo=None))
    else:
        sheet.write_string(row, column, str(value)[:LONGEST_TEXT])
