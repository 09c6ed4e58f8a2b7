"""A table as a file that R reads bit for bit: a first line that says what follows, then the raw columns of r_frames."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from arro3.core import Table

from replicast.models.r_frames import contents, frame_columns, request_of

MAGIC = "replicast columns 1"
SUFFIX = "rcolumns"


def write_r_columns(frames: Iterable[pl.DataFrame], schema: dict[str, Any], path: Path) -> int:
    """Writes all rows at once, as much memory as they take, for the R package's `rc_table()`; returns their number.

    The first line is the magic text, a tab, and JSON: name, rows, columns, kinds and zones. Raises ModelError for a
    column that has no place in a data.frame.
    """
    frame = pl.concat([pl.DataFrame(schema=schema), *frames], rechunk=True)
    name, rows = path.name.strip(".").partition(".")[0], len(frame)
    columns = frame_columns(name, Table.from_arrow(frame))
    (described,) = request_of({name: columns}, {name: rows})
    with path.open("wb") as file:
        file.write(f"{MAGIC}\t{json.dumps(described)}\n".encode())
        for content in contents({name: columns}):
            file.write(content)
    return rows


def with_truths(
    frames: Iterable[pl.DataFrame], schema: dict[str, Any], booleans: Sequence[str]
) -> tuple[Iterator[pl.DataFrame], dict[str, Any]]:
    """The same rows with metrics that are booleans as such, which elsewhere are read as 0 and 1."""
    logical = schema | dict.fromkeys(booleans, pl.Boolean())
    return (frame.cast(dict.fromkeys(booleans, pl.Boolean)) for frame in frames), logical
