"""A table as a file that R reads bit for bit: a first line that says what follows, then the raw columns of r_frames."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from arro3.core import Table

from replicast.core.factor_levels import FactorLevels
from replicast.models.r_frames import contents, frame_columns, request_of

MAGIC = "replicast columns 2"
SUFFIX = "rcolumns"


def write_r_columns(
    frames: Iterable[pl.DataFrame],
    schema: dict[str, Any],
    path: Path,
    booleans: Sequence[str] = (),
    levels: Mapping[str, FactorLevels] | None = None,
) -> int:
    """Writes all rows at once, as much memory as they take, for the R package's `rc_table()`; returns their number.

    The first line is the magic text, a tab, and JSON: name, rows, columns, kinds, zones, and which columns are factors.
    `booleans` are metrics that are true or false, which elsewhere are read as 0 and 1; `levels` makes factors of
    columns of texts that hold nothing else. Raises ModelError for a column that has no place in a data.frame.
    """
    frame = pl.concat([pl.DataFrame(schema=schema), *frames], rechunk=True)
    frame = frame.cast(dict.fromkeys(booleans, pl.Boolean()))
    factors = {name: own for name, own in (levels or {}).items() if _holds_only(frame, name, own.labels)}
    frame = frame.cast({name: pl.Enum(own.labels) for name, own in factors.items()})
    name, rows = path.name.strip(".").partition(".")[0], len(frame)
    columns = frame_columns(name, Table.from_arrow(frame))
    (described,) = request_of({name: columns}, {name: rows})
    described["factors"] = [_factor_kind(factors.get(column)) for column in columns]
    with path.open("wb") as file:
        file.write(f"{MAGIC}\t{json.dumps(described)}\n".encode())
        for content in contents({name: columns}):
            file.write(content)
    return rows


def _holds_only(frame: pl.DataFrame, column: str, labels: Sequence[str]) -> bool:
    return frame.schema.get(column) == pl.String and bool(frame[column].drop_nulls().is_in(list(labels)).all())


def _factor_kind(levels: FactorLevels | None) -> str:
    return "" if levels is None else "ordered" if levels.ordered else "factor"
