"""All that collation writes: the standard tables, then what the model's own collation makes of the results."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from replicast.core.errors import CollationError, ModelError, RequestError, StoreError, nearest
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.models import language_or_any

from .collate import Collated, collate, own_tables
from .formats import check_format
from .tables import RunTables


def collate_run(
    store: Store, record: RunRecord, folder: Path, *, run: Any, own: bool = True, **options: Any
) -> Collated:
    """`collate`, then the model's own collation if it has one. Raises CollationError for an error of the latter.

    `run` is the public handle that a Python model's `collate(run)` takes.
    """
    if not own or not has_own_collation(record):
        return collate(store, record, folder, **options)
    from .own_collation import OwnCollation

    file_format, wanted = options.get("file_format", "csv"), list(options.get("only", ()))
    tables = options.setdefault("tables", RunTables(store, record))
    beyond = [name for name in wanted if name not in {*tables.names, *own_tables(tables)}]
    check_format(file_format)
    standard = [name for name in wanted if name not in beyond]
    collated = Collated() if beyond and not standard else collate(store, record, folder, **options | {"only": standard})
    if beyond or not wanted:
        with tempfile.TemporaryDirectory(prefix="replicast-") as scratch:
            target = Path(scratch) / "own" if beyond else folder
            standing = tuple(collated.files.values())
            chunk = OwnCollation(store, record, tables, target, Path(scratch), collated, file_format, standing)
            try:
                chunk.perform(run)
                if beyond:
                    _keep_only(collated, [*standard, *beyond], target, folder)
            except ModelError as error:
                raise CollationError(str(error), error.detail) from None
            except OSError as error:
                raise StoreError(f"cannot write to '{folder}': {error.strerror or error}") from error
    return collated


def _keep_only(collated: Collated, wanted: Sequence[str], written: Path, folder: Path) -> None:
    """Moves the wanted files of `written` to `folder`. Raises RequestError for a name that is not there."""
    for name in wanted:
        if name not in collated.files:
            raise RequestError(f"there is no table '{name}'{nearest(name, collated.files)}")
    collated.files = {name: collated.files[name] for name in wanted}
    collated.rows = {name: rows for name, rows in collated.rows.items() if name in wanted}
    for name, path in collated.files.items():
        if path.is_relative_to(written):
            collated.files[name] = target = folder / path.relative_to(written)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, target)


def has_own_collation(record: RunRecord) -> bool:
    if not language_or_any(record.experiment.model).travels:
        return False  # its source did not travel
    return record.experiment.collation is not None or bool(record.signature.get("has_collate"))
