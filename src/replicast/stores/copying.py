"""A run from one store to another, of whatever kinds: verified by hashes of all that was stored."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from arro3.core import Array, DataType, Schema, Table

from replicast.core.arrow import fields_of, table_of
from replicast.core.errors import RunChanged, RunNotFound, StoreError
from replicast.core.planning import merge
from replicast.core.ports import Store
from replicast.core.record import NAME, RunRecord
from replicast.core.replication import Failure, Outcome
from replicast.core.segments import edits_of
from replicast.machine.inside import inside

from .names import ARTEFACT
from .reading import replications_of
from .rows_hash import KEYS, hash_rows

METRICS, MODEL = "metrics", "model"
OF_THE_MOMENT, CLOUD, SHARING = ("conductor.json", "cancel"), "cloud/", "at-work/"
"""Documents that say who is at work on a run, and how far, which is nobody at work on its copy."""

BATCH_REPLICATIONS = 1000
BATCH_BYTES = 32 << 20


@dataclass(slots=True)
class CopyReport:
    """What the copy holds, and the SHA-256 over all of it, which the source has too."""

    run: str
    documents: int = 0
    replications: int = 0
    failed: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    content_hash: str = ""


def copy_run(source: Store, target: Store, run: str) -> CopyReport:
    """Copies what `target` lacks of a run, then reads both and compares.

    A copy that was interrupted is finished by copying again: what is there already stays. Raises RunNotFound;
    RunChanged where `target` has another experiment of that name; StoreError where the two differ in the end, or where
    the source shows only some of what is stored.
    """
    if why := source.reach():
        raise StoreError(f"run '{run}' cannot be copied from here: {why}")
    record = source.read(run, NAME)
    if record is None:
        raise RunNotFound(f"there is no run '{run}' in '{source.label}'")
    refuse_another(target, run, record)
    said = RunRecord.from_json(record, f"{NAME} of run {run}", run)
    names = [name for name in documents_of(source, run) if name != NAME]
    _refuse_changes(source, said)
    for name in names:
        content = source.read(run, name)
        if content is not None:
            target.write(run, name, content)
    coverage = source.coverage(run)
    scenarios = [scenario.name for scenario in said.experiment.scenarios]
    for scenario in scenarios:
        kept = _artefacts_by_replication(source, run, scenario)
        for batch in outcomes_of(source, run, scenario):
            with tempfile.TemporaryDirectory(prefix="replicast-") as scratch:
                _with_artefacts(source, run, batch, kept, scratch)
                target.save(run, batch)
    target.write(run, NAME, record)
    report = CopyReport(run, documents=len(names) + 1)
    report.failed = sum(len(coverage.failed(name)) for name in scenarios)
    report.replications = sum(last - first + 1 for name in scenarios for first, last in merge(coverage.ok(name)))
    report.content_hash = _compare(source, target, run, scenarios, report)
    return report


def _refuse_changes(source: Store, record: RunRecord) -> None:
    """Raises StoreError where the record, or the copy of the model, is not what was stored."""
    found = edits_of(record)
    for name, sha256 in record.files.items():
        content = source.read(record.id, f"{MODEL}/{name}")
        if content is None or hashlib.sha256(content).hexdigest() != sha256:
            found.append(
                f"'{MODEL}/{name}' is {'gone' if content is None else 'not what it was (its SHA-256 differs)'}"
            )
    if found:
        raise StoreError(
            f"{'; '.join(found)}; so nothing of run {record.id} in '{source.label}' was copied. "
            f"The ways on: replicast resume {record.id}"
        )


def refuse_another(target: Store, run: str, record: bytes) -> None:
    """Raises RunChanged where `target` has a run of that name and another experiment than `record` says."""
    there = target.read(run, NAME)
    if there is not None:
        ours, theirs = (RunRecord.from_json(content, f"{NAME} of run {run}", run) for content in (record, there))
        if (ours.experiment, ours.code_hash) != (theirs.experiment, theirs.code_hash):
            raise RunChanged(f"'{target.label}' has a run '{run}' of another experiment; nothing was copied")


def documents_of(store: Store, run: str) -> list[str]:
    """Names of all documents, without artefacts and the parts in which an object store keeps rows."""
    names = store.documents(run, "")
    elsewhere = ("parts/", "artefacts/", CLOUD, SHARING)
    return [name for name in names if not name.startswith(elsewhere) and name not in OF_THE_MOMENT]


def _with_artefacts(source: Store, run: str, batch: list[Outcome], kept: Mapping[int, list[str]], scratch: str) -> None:
    """Lays out what each replication left, in a folder of its own, from which it is saved with the replication."""
    for outcome in batch:
        for name in kept.get(outcome.replication, ()):
            match = ARTEFACT.fullmatch(name)
            if match is None:
                raise StoreError(f"'{name}' of run {run} is no name of a kept file; nothing was written")
            outcome.folder = f"{scratch}/{outcome.replication}"
            path = inside(Path(outcome.folder), match[3])
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read(run, name) or b"")


def _artefacts_by_replication(source: Store, run: str, scenario: str) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name in source.artefacts(run, scenario):
        if match := ARTEFACT.fullmatch(name):
            found.setdefault(int(match[2]), []).append(name)
    return found


class RowsByReplication:
    """A table's rows, taken replication by replication from chunks that need not end with one."""

    def __init__(self, chunks: Iterator[Table]) -> None:
        self._chunks = chunks
        self._waiting: list[tuple[np.ndarray, Table]] = []

    def take(self, replication: int) -> Table | None:
        """Rows of this replication without keys; replications are asked for in order."""
        while not self._waiting or self._waiting[-1][0][-1] <= replication:
            chunk = next(self._chunks, None)
            if chunk is None:
                break
            if chunk.num_rows:
                self._waiting.append((replications_of(chunk), chunk))
        pieces = []
        for numbers, chunk in self._waiting:
            start, end = np.searchsorted(numbers, [replication, replication + 1])
            if start < end:
                pieces.append(chunk.slice(int(start), int(end - start)))
        self._waiting = [(numbers, chunk) for numbers, chunk in self._waiting if numbers[-1] > replication]
        if not pieces:
            return None
        batches = [batch for piece in pieces for batch in piece.to_batches()]
        return Table.from_batches(batches, schema=pieces[0].schema).drop_columns(list(KEYS))


def outcomes_of(store: Store, run: str, scenario: str, *, tables_too: bool = True) -> Iterator[list[Outcome]]:
    """What is stored of a scenario as the outcomes that were saved, in batches of consecutive replications."""
    schemas = dict(store.tables(run)) if tables_too else {}
    tables = {name: RowsByReplication(iter(store.rows(run, name, scenario))) for name in schemas if name != METRICS}
    unseen = {name: _empty_tables(schemas[name]) for name in tables}
    metrics = by_row(store.rows(run, METRICS, scenario))
    batch: list[Outcome] = []
    size = 0
    for row in by_row(store.ledger(run, scenario)):
        follows = not batch or row["replication"] == batch[-1].replication + 1
        if not follows or len(batch) >= BATCH_REPLICATIONS or size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(_outcome(row, metrics, tables, unseen))
        size += sum(table.nbytes for table in batch[-1].tables.values())
    if batch:
        yield batch


def by_row(chunks: Iterator[Table]) -> Iterator[dict[str, Any]]:
    for chunk in chunks:
        columns = {name: chunk.column(name).to_pylist() for name in chunk.column_names}
        for values in zip(*columns.values(), strict=True):
            yield dict(zip(columns, values, strict=True))


def _empty_tables(schemas: Sequence[Schema]) -> list[Table]:
    """An empty table of each schema, for replications that returned the table with no rows."""
    empty = (
        table_of({f.name: Array([], DataType.utf8()).cast(f.type) for f in fields_of(schema)}) for schema in schemas
    )
    return [table.drop_columns(list(KEYS)) for table in empty]


def _outcome(
    row: Mapping[str, Any],
    metrics: Iterator[dict[str, Any]],
    tables: Mapping[str, RowsByReplication],
    unseen: Mapping[str, list[Table]],
) -> Outcome:
    outcome = Outcome(
        row["scenario"], row["replication"], row["seconds"], log=row["log"], worker=row["worker"],
        attempt=row["attempt"], warning_count=row["warning_count"],
        warnings=(row["warnings"],) if row["warnings"] else (),
        fingerprint=row["fingerprint"],
    )  # fmt: skip
    if row["state"] == "failed":
        outcome.failure = Failure(row["error_kind"], row["error_type"], row["error"], row["traceback"])
        return outcome
    found = next(metrics)
    while found["replication"] < outcome.replication:
        found = next(metrics)
    outcome.metrics = {name: value for name, value in found.items() if name not in KEYS}
    outcome.tables = _tables_of(outcome.replication, tables, unseen)
    return outcome


def _tables_of(
    replication: int, tables: Mapping[str, RowsByReplication], unseen: Mapping[str, list[Table]]
) -> dict[str, Table]:
    """A replication's rows of each table; where it has none, a schema that no rows have come in yet."""
    returned = {}
    for name, rows in tables.items():
        table = rows.take(replication)
        if table is not None:
            unseen[name][:] = [other for other in unseen[name] if other.schema != table.schema]
        elif unseen[name]:
            table = unseen[name].pop(0)
        if table is not None:
            returned[name] = table
    return returned


def _compare(source: Store, target: Store, run: str, scenarios: Sequence[str], report: CopyReport) -> str:
    ours, theirs = (content_hashes(store, run, scenarios) for store in (source, target))
    for name in {**ours.hashes, **theirs.hashes}:
        if ours.hashes.get(name) != theirs.hashes.get(name):
            raise StoreError(f"the copy of run {run} in '{target.label}' differs from its source in {name}")
    report.rows = theirs.rows
    return hashlib.sha256("\n".join(f"{k} {v}" for k, v in sorted(theirs.hashes.items())).encode()).hexdigest()


@dataclass(slots=True)
class ContentHashes:
    """SHA-256 of each document and of each table of each scenario, and how many rows each table has."""

    hashes: dict[str, str] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


def content_hashes(store: Store, run: str, scenarios: Sequence[str]) -> ContentHashes:
    """Hashes that depend on what is stored alone, not on how it was cut into batches or on the kind of store."""
    found = ContentHashes()
    for name in [*documents_of(store, run), *store.artefacts(run)]:
        found.hashes[f"document '{name}'"] = hashlib.sha256(store.read(run, name) or b"").hexdigest()
    for scenario in scenarios:
        where = f"of scenario '{scenario}'"
        hashed = hash_rows(store.ledger(run, scenario))
        found.hashes[f"the ledger {where}"] = hashed.digest()
        for table in store.tables(run):
            hashed = hash_rows(store.rows(run, table, scenario), doubles=table == METRICS)
            found.rows[table] = found.rows.get(table, 0) + hashed.rows
            if hashed.rows:
                found.hashes[f"table '{table}' {where}"] = hashed.digest()
    return found
