"""Collation: one file per table, all replications one after the other, the same bytes however they were computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from replicast.core.errors import StoreError
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.segments import notes_on_record

from . import straight
from .formats import R_FORMAT, check_format, ending, file_names
from .tables import RunTables

if TYPE_CHECKING:
    import polars as pl

    from .summary import Summary

SCENARIOS = "scenarios"
Report = Callable[[str, int], None]
HandOn = Callable[[Path], None]
"""Is given each file once it is whole, and may take it away."""


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
    hand_on: HandOn = lambda _path: None,
) -> Collated:
    """Writes `metrics`, each model table and `summary` to `folder`, each whole or not at all.

    A run of several scenarios also has the table `scenarios`, unless the model has one of its own. Each file is handed
    on before the next is made.

    Raises RequestError for a format or table that is not there, StoreError where a file cannot be written.
    """
    check_format(file_format)
    tables = tables or RunTables(store, record)
    ours = own_tables(tables)
    wanted = list(dict.fromkeys(only)) or [*tables.names, *sorted(ours)]
    for name in wanted:
        if name not in ours:
            tables.require(name)
    collated = Collated(notes=[*notes_on_record(record)])
    files = file_names([*tables.names, *sorted(ours)])
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in wanted:
            path = folder / f"{files[name]}.{ending(file_format)}"
            if name == "summary":
                collated.summary = _summarised(tables, confidence)
                collated.notes += [note for note in collated.summary.notes if note not in collated.notes]
                rows = _write_summary(collated.summary, path, file_format)
            elif name in ours:
                from .scenarios import scenarios_frame

                rows = _write_frame(scenarios_frame(record.experiment), path, file_format)
            else:
                rows = _write_table(tables, name, path, file_format, collated.notes)
            collated.rows[name], collated.files[name] = rows, path
            report(name, rows)
            hand_on(path)
    except OSError as error:
        raise StoreError(f"cannot write to '{folder}': {error.strerror or error}") from error
    return collated


def _summarised(tables: RunTables, confidence: float) -> Summary:
    from .summary import summarise_run

    return summarise_run(tables.store, tables.record, tables, confidence=confidence)


def _write_summary(summary: Summary, path: Path, file_format: str) -> int:
    if file_format in straight.FORMATS:
        table = summary.table()
        with suppress(straight.NotStraight):
            return straight.write_straight([table], table.schema, path, file_format)
    return _write_frame(summary.frame(), path, file_format)


def _write_frame(frame: pl.DataFrame, path: Path, file_format: str) -> int:
    from .writers import WRITERS, write_frames

    return write_frames(iter([frame]), dict(frame.schema), path, WRITERS[file_format])


def _write_table(tables: RunTables, name: str, path: Path, file_format: str, notes: list[str]) -> int:
    """Writes a table that the model returned, and adds what had to be unified to `notes`; returns the number of rows.

    Straight if it can be, whole tables at a time: which values decide that does not hang on how the rows were cut.
    """
    schema = tables.straight_schema(name) if file_format in straight.FORMATS else None
    if schema is not None:
        with suppress(straight.NotStraight):
            return straight.write_straight(tables.parts(name, None), schema, path, file_format)
    notes += tables.unified(name).notes
    return _write_unified(tables, name, path, file_format)


def _write_unified(tables: RunTables, name: str, path: Path, file_format: str) -> int:
    from .for_r import write_r_columns
    from .noted import levels_of
    from .writers import WRITERS, write_frames

    unified, write = tables.unified(name), WRITERS[file_format]
    if file_format == R_FORMAT:
        levels = levels_of(tables.store, tables.record.id, name)
        write = partial(write_r_columns, booleans=unified.booleans, levels=levels)
    return write_frames(tables.chunks(name), unified.schema, path, write)


def own_tables(tables: RunTables) -> set[str]:
    """Tables that are made here, and not returned by the model."""
    several = len(tables.record.experiment.scenarios) > 1
    return {"summary"} | ({SCENARIOS} if several else set()) - set(tables.names)
