"""The model's own collation and output chunk, called after the standard one with the results of all replications."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from arro3.core import Table

from replicast.core.errors import ModelError, StoreError
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.models.python import load_module, model_traceback, working_in
from replicast.models.results import UnusableResult, as_table
from replicast.source import check_out

from .collate import Collated, Report, collate, file_names, write_frames
from .rows import Rows
from .tables import RunTables
from .unify import plain, polars_types

OWN_TABLE = "collated"


def collate_run(
    store: Store, record: RunRecord, folder: Path, *, run: Any, own: bool = True, **options: Any
) -> Collated:
    """`collate`, then the model's own collation if it has one. Raises ModelError for an error of the latter.

    `run` is the public handle that a Python model's `collate(run)` takes.
    """
    collated = collate(store, record, folder, **options)
    if own and not options.get("only") and has_own_collation(record):
        report: Report = options.get("report", lambda _table, _rows: None)
        file_format = options.get("file_format", "csv")
        with tempfile.TemporaryDirectory(prefix="replicast-") as scratch:
            _collate_own(store, record, folder, Path(scratch), collated, report, file_format, run)
    return collated


def has_own_collation(record: RunRecord) -> bool:
    return record.experiment.collation is not None or bool(record.signature.get("has_collate"))


def _collate_own(
    store: Store,
    record: RunRecord,
    folder: Path,
    scratch: Path,
    collated: Collated,
    report: Report,
    file_format: str,
    run: Any,
) -> None:
    source = scratch / "model"
    check_out(store, record.id, source)
    collation = record.experiment.collation
    if collation is not None and collation.command:
        _by_command(store, record, source, scratch, folder, collated)
        return
    file = collation.file if collation is not None else record.experiment.model.file
    if Path(file).suffix.lower() == ".r":
        tables = _by_r(store, record, source, scratch)
    else:
        tables = _by_python(source, file, collation.function if collation else "collate", run)
    files = file_names(tables)
    for name, table in tables.items():
        path = folder / f"{files[name]}.{file_format}"
        frame = plain(pl.DataFrame(table)) if table.num_columns else pl.DataFrame()
        collated.rows[name] = write_frames([frame], dict(polars_types(table.schema)), path, file_format)
        collated.files[name] = path
        report(name, collated.rows[name])


def _by_python(source: Path, file: str, function: str, run: Any) -> Mapping[str, Table]:
    with working_in(source):
        collate_function = getattr(load_module(source, file), function, None)
        if not callable(collate_function):
            raise ModelError(f"{file} has no function '{function}' to collate with")
        try:
            returned = collate_function(run)
        except (Exception, SystemExit) as error:
            message = f"{file}:{function} failed: {type(error).__name__}: {error}"
            raise ModelError(message, model_traceback(error, os.path.realpath(source))) from None
    return as_tables(returned, f"{file}:{function}")


def as_tables(returned: Any, label: str) -> dict[str, Table]:
    """A table is called `collated`; a mapping gives tables by name; nothing gives none. All columns are kept."""
    if returned is None:
        return {}
    try:
        table = as_table(_frame(returned), OWN_TABLE, ())
        if table is not None:
            return {OWN_TABLE: table}
        if isinstance(returned, Mapping):
            tables = {str(name): as_table(_frame(value), str(name), ()) for name, value in returned.items()}
            if all(found is not None for found in tables.values()):
                return {name: found for name, found in tables.items() if found is not None}
    except UnusableResult as error:
        raise ModelError(f"{label}: {error}") from None
    raise ModelError(f"{label} returned a {type(returned).__name__}; it must return a table or a dict of tables")


def _frame(value: Any) -> Any:
    """What `run.metrics()` and its like give is a table as well."""
    return value.pl() if isinstance(value, Rows) else value


def _by_r(store: Store, record: RunRecord, source: Path, scratch: Path) -> Mapping[str, Table]:
    from replicast.models.r import RModel

    model = RModel(source, record.experiment, timeout_seconds=None, scratch=scratch)
    if record.signature.get("collate_argument") == "objects":
        return model.collate(None, lay_out_artefacts(store, record, scratch / "objects", only="result.rds"))
    tables = RunTables(store, record)
    return model.collate({name: Table.from_arrow(tables.frame(name)) for name in tables.names}, [])


def _by_command(store: Store, record: RunRecord, source: Path, scratch: Path, folder: Path, collated: Collated) -> None:
    from replicast.models.command import CommandModel

    artefacts, out = scratch / "artefacts", scratch / "out"
    lay_out_artefacts(store, record, artefacts)
    out.mkdir()
    model = CommandModel(source, record.experiment, timeout_seconds=None, scratch=scratch)
    model.collate(artefacts, out, dict(record.experiment.scenarios[0].parameters))
    for path in sorted(out.rglob("*")):
        if path.is_file():
            target = folder / path.relative_to(out)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
            collated.files[path.stem] = target


def lay_out_artefacts(store: Store, record: RunRecord, folder: Path, only: str = "") -> list[Path]:
    """Writes the kept files of all successful replications to one flat folder, in whose order by name they stand.

    With several scenarios, the name of each file begins with that of its scenario.
    """
    folder.mkdir(parents=True, exist_ok=True)
    coverage, scenarios = store.coverage(record.id), [s.name for s in record.experiment.scenarios]
    prefixes = {name: f"{file}." if len(scenarios) > 1 else "" for name, file in file_names(scenarios).items()}
    paths = []
    for scenario in scenarios:
        successful = {i for first, last in coverage.ok(scenario) for i in range(first, last + 1)}
        for name in store.artefacts(record.id, scenario):
            number, file = name.split("/replication=")[1].split("/", 1)
            if int(number) in successful and (not only or file == only):
                path = folder / f"{prefixes[scenario]}{number}.{file.replace('/', '.')}"
                path.write_bytes(_content(store, record.id, name))
                paths.append(path)
    return paths


def _content(store: Store, run: str, name: str) -> bytes:
    content = store.read(run, name)
    if content is None:
        raise StoreError(f"'{name}' of run {run} is gone from the store")
    return content
