"""Collation: one file per table, all replications one after the other, the same bytes however they were computed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl

from replicast.core.errors import RequestError, StoreError
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.segments import notes_on_record

from .files import beside
from .for_r import write_r_columns
from .noted import levels_of
from .scenarios import SCENARIOS, scenarios_frame
from .spreadsheets import write_spreadsheet
from .summary import Summary, summarise_run
from .tables import RunTables

R_FORMAT = "rcolumns"
"""How the R package reads tables: exact, and no format for people (see for_r.py)."""

SAFE_CSV = "safe-csv"
"""CSV in which no text is taken for a formula by a spreadsheet."""

FORMATS = ("csv", "parquet", "xlsx", R_FORMAT, SAFE_CSV)
FORMULA = r"^[=+\-@\t\r]"
"""What a text begins with that a spreadsheet takes for more: owasp.org/www-community/attacks/CSV_Injection."""

ROW_GROUP = 100_000
Report = Callable[[str, int], None]
Write = Callable[[Iterable[pl.DataFrame], dict[str, Any], Path], int]
"""Writes frames of a schema to a file, and returns the number of rows."""


@dataclass(slots=True)
class Collated:
    """The files written, in order, with their rows, and what had to be unified."""

    files: dict[str, Path] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    summary: Summary | None = None


def collate(
    store: Store,
    record: RunRecord,
    folder: Path,
    *,
    file_format: str = "csv",
    only: Iterable[str] = (),
    confidence: float = 0.95,
    report: Report = lambda _table, _rows: None,
    tables: RunTables | None = None,
) -> Collated:
    """Writes `metrics`, each model table and `summary` to `folder`, each whole or not at all.

    A run of several scenarios also has the table `scenarios`, unless the model has one of its own.

    Raises RequestError for a format or table that is not there, StoreError where a file cannot be written.
    """
    check_format(file_format)
    tables = tables or RunTables(store, record)
    ours = own_tables(tables)
    wanted = list(dict.fromkeys(only)) or [*tables.names, *sorted(ours)]
    for name in wanted:
        if name not in ours:
            tables.unified(name)
    collated = Collated(notes=[*notes_on_record(record)])
    files = file_names([*tables.names, *sorted(ours)])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in wanted:
            path = folder / f"{files[name]}.{ending(file_format)}"
            if name == "summary":
                collated.summary = summarise_run(store, record, tables, confidence=confidence)
                collated.notes += [note for note in collated.summary.notes if note not in collated.notes]
                rows = _write_frame(collated.summary.frame(), path, file_format)
            elif name in ours:
                rows = _write_frame(scenarios_frame(record.experiment), path, file_format)
            else:
                rows = _write_table(tables, name, path, file_format)
                collated.notes += tables.unified(name).notes
            collated.rows[name], collated.files[name] = rows, path
            report(name, rows)
    except OSError as error:
        raise StoreError(f"cannot write to '{folder}': {error.strerror or error}") from error
    return collated


def _write_frame(frame: pl.DataFrame, path: Path, file_format: str) -> int:
    return write_frames(iter([frame]), dict(frame.schema), path, WRITERS[file_format])


def _write_table(tables: RunTables, name: str, path: Path, file_format: str) -> int:
    """Writes a table that the model returned; returns the number of rows."""
    unified, write = tables.unified(name), WRITERS[file_format]
    if file_format == R_FORMAT:
        levels = levels_of(tables.store, tables.record.id, name)
        write = partial(write_r_columns, booleans=unified.booleans, levels=levels)
    return write_frames(tables.chunks(name), unified.schema, path, write)


def ending(file_format: str) -> str:
    """What the names of its files end in."""
    return "csv" if file_format == SAFE_CSV else file_format


def check_format(file_format: str) -> None:
    if file_format not in FORMATS:
        raise RequestError(f"collate writes csv, parquet or xlsx, not '{file_format}'")


def own_tables(tables: RunTables) -> set[str]:
    """Tables that are made here, and not returned by the model."""
    several = len(tables.record.experiment.scenarios) > 1
    return {"summary"} | ({SCENARIOS} if several else set()) - set(tables.names)


def file_name(table: str) -> str:
    """A table's name as a file's name."""
    return "".join(c if c.isalnum() or c in "-_. " else "_" for c in table).strip(". ") or "table"


def file_names(tables: Iterable[str]) -> dict[str, str]:
    """A name of its own for each table's file, also where names differ in nothing that a file's name can show."""
    ours = ("metrics", "summary")
    taken, names = set(ours), {}
    for table in tables:
        name = wanted = file_name(table)
        number = 1
        while name.casefold() in taken and not (table in ours and name == table):
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name.casefold())
        names[table] = name
    return names


def write_frames(frames: Iterable[pl.DataFrame], schema: dict[str, Any], path: Path, write: Write) -> int:
    """Writes to a file beside `path`, which then takes its place; returns the number of rows."""
    temporary = beside(path)
    try:
        rows = write(frames, schema, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return rows


def _write_csv(frames: Iterable[pl.DataFrame], schema: dict[str, Any], path: Path) -> int:
    rows = 0
    with path.open("wb") as file:
        pl.DataFrame(schema=schema).write_csv(file)
        for frame in frames:
            frame.write_csv(file, include_header=False)
            rows += len(frame)
    return rows


def _write_parquet(frames: Iterable[pl.DataFrame], schema: dict[str, Any], path: Path) -> int:
    """Row groups of exactly ROW_GROUP rows, so that the bytes do not depend on how the rows came."""
    import arro3.io
    from arro3.core import RecordBatchReader, Table

    rows = 0
    empty = Table.from_arrow(pl.DataFrame(schema=schema))

    def batches() -> Iterator[Any]:
        nonlocal rows
        for frame in _regrouped(frames, schema):
            rows += len(frame)
            yield from Table.from_arrow(frame.rechunk()).to_batches()

    with path.open("wb") as file:
        reader = RecordBatchReader.from_batches(empty.schema, batches())
        arro3.io.write_parquet(reader, file, compression="zstd(3)", max_row_group_size=ROW_GROUP)
    return rows


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


def _regrouped(frames: Iterable[pl.DataFrame], schema: dict[str, Any]) -> Iterator[pl.DataFrame]:
    waiting = pl.DataFrame(schema=schema)
    for frame in frames:
        waiting = pl.concat([waiting, frame])
        while len(waiting) >= ROW_GROUP:
            yield waiting[:ROW_GROUP]
            waiting = waiting[ROW_GROUP:]
    if len(waiting):
        yield waiting
