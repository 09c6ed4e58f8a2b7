"""Frames of one schema as a file of each format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
from arro3.core import Table

from .files import whole
from .for_r import write_r_columns
from .formats import R_FORMAT, SAFE_CSV
from .spreadsheets import write_spreadsheet
from .straight import write_parquet

FORMULA = r"^[=+\-@\t\r]"
"""What a text begins with that a spreadsheet takes for more: owasp.org/www-community/attacks/CSV_Injection."""

Write = Callable[[Iterable[pl.DataFrame], dict[str, Any], Path], int]
"""Writes frames of a schema to a file, and returns the number of rows."""


def write_frames(frames: Iterable[pl.DataFrame], schema: dict[str, Any], path: Path, write: Write) -> int:
    """Writes to a file beside `path`, which then takes its place; returns the number of rows."""
    with whole(path) as temporary:
        return write(frames, schema, temporary)


def _write_csv(frames: Iterable[pl.DataFrame], schema: dict[str, Any], path: Path) -> int:
    rows = 0
    with path.open("wb") as file:
        pl.DataFrame(schema=schema).write_csv(file)
        for frame in frames:
            frame.write_csv(file, include_header=False)
            rows += len(frame)
    return rows


def _write_parquet(frames: Iterable[pl.DataFrame], schema: dict[str, Any], path: Path) -> int:
    return write_parquet(map(Table.from_arrow, frames), Table.from_arrow(pl.DataFrame(schema=schema)).schema, path)


def _write_safe_csv(frames: Iterable[pl.DataFrame], schema: dict[str, Any], path: Path) -> int:
    """An apostrophe before each text, and name of a column, that a spreadsheet would take for a formula."""
    names = {name: f"'{name}" if re.match(FORMULA, name) else name for name in schema}
    safe = (pl.when(pl.col(pl.String).str.contains(FORMULA)).then(pl.lit("'") + pl.col(pl.String))
            .otherwise(pl.col(pl.String)).name.keep())  # fmt: skip
    texts = any(kind == pl.String for kind in schema.values())
    disarmed = (frame.with_columns(safe).rename(names) if texts else frame.rename(names) for frame in frames)
    return _write_csv(disarmed, {names[name]: kind for name, kind in schema.items()}, path)


WRITERS: dict[str, Write] = {
    SAFE_CSV: _write_safe_csv,
    "csv": _write_csv,
    "parquet": _write_parquet,
    "xlsx": write_spreadsheet,
    R_FORMAT: write_r_columns,
}
