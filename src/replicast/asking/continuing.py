"""Going on with a run: is it still made of what it was made of? Its copy, its packages, and code from elsewhere."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from replicast.core.commands import command as hint
from replicast.core.errors import ModelError, RunChanged, StoreError
from replicast.core.parameters import Signature
from replicast.core.planning import count
from replicast.core.ports import Store
from replicast.core.record import RunRecord, Segment
from replicast.core.segments import OURS, edits_of, source_changes, what_is_new, with_segment
from replicast.executors.pool import Pool
from replicast.models import language_of
from replicast.performing.copies import FOLDER, code_hash, digest


def check_unchanged(record: RunRecord, store: Store, found: list[str]) -> None:
    """Raises RunChanged where something was found, naming it and the ways on."""
    if found:
        listed = "\n".join(f"  - {line}" for line in found)
        raise RunChanged(
            f"run '{record.id}' is not made any more of what it was made of:\n{listed}\n"
            "Its results stay as they are. Put back what changed; or go on, with results from one more version of the "
            f"model and every summary saying so: {hint('resume', record.id, store.label, '--accept-changes')}"
        )


def surroundings_of(record: RunRecord, pool: Pool) -> tuple[dict[str, str], Signature]:
    """Files of the run's copy as they are in the pool's folder, and what the model says that is loaded from them."""
    folder, names = pool.folder or Path(), set(record.files)
    if names:  # a function that no file defines has none
        names |= {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return {name: digest(folder / name) for name in sorted(names)}, _described(record, pool)


def _described(record: RunRecord, pool: Pool) -> Signature:
    """As the model says of itself. Raises ModelError; of a module from outside that is gone it says where it was."""
    try:
        return pool.describe()
    except ModelError as error:
        said = language_of(record.experiment.model).missed(str(error), record.outside)
        raise ModelError(said, error.detail) from None


def changes_of(record: RunRecord, pool: Pool) -> list[str]:
    """What a run is made of otherwise than when its results were stored."""
    files, signature = surroundings_of(record, pool)
    return what_is_new(record, files, signature.versions, signature.outside)


def ready_to_go_on(record: RunRecord, store: Store, pool: Pool, *, accept: bool) -> RunRecord:
    """The record, with a segment more where changes were found and are accepted. Raises RunChanged where not."""
    files, signature = surroundings_of(record, pool)
    found = what_is_new(record, files, signature.versions, signature.outside)
    if not accept or not found:
        check_unchanged(record, store, found)
        return record
    versions = {name: version for name, version in record.versions.items() if name in OURS}
    return _accepted(record, store, found, files, versions | dict(signature.versions), signature.outside)


def ready_elsewhere(record: RunRecord, store: Store, *, accept: bool) -> RunRecord:
    """As `ready_to_go_on`, for a run whose packages are not this machine's."""
    files = stored_files(record, store)
    found = [*edits_of(record), *source_changes(record.files, files)]
    if not accept or not found:
        check_unchanged(record, store, found)
        return record
    return _accepted(record, store, found, files, record.versions, record.outside)


def _accepted(
    record: RunRecord,
    store: Store,
    found: list[str],
    files: Mapping[str, str],
    versions: Mapping[str, str],
    outside: Mapping[str, str],
) -> RunRecord:
    coverage = store.coverage(record.id)
    stored = sum(count(coverage.done(scenario.name)) for scenario in record.experiment.scenarios)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return with_segment(record, Segment(now, code_hash(files), versions, outside, tuple(found), stored), files)


def stored_files(record: RunRecord, store: Store) -> dict[str, str]:
    """Raises StoreError for a file that is gone."""
    found = {}
    for name in record.files:
        content = store.read(record.id, f"{FOLDER}/{name}")
        if content is None:
            raise StoreError(f"'{FOLDER}/{name}' of run {record.id} is gone from the store")
        found[name] = hashlib.sha256(content).hexdigest()
    return found


def edited_in_project(record: RunRecord) -> list[str]:
    """Files that are not any more in the project what the run's copy has of them; nothing where it is elsewhere."""
    project = Path(record.project) if record.project else None
    if project is None or not project.is_dir():
        return []
    there = [name for name in record.files if (project / name).is_file()]
    return [name for name in there if digest(project / name) != record.files[name]] if there else []
