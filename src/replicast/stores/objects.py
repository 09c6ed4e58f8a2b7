"""Runs in an object store: a folder, S3, Google Cloud Storage or Azure.

    <store>/<run>/run.json, model/…, artefacts/…
    <store>/<run>/parts/<table>/<scenario>/<first>-<last>.<token>.<schema>.parquet
    <store>/<run>/parts/replications/<scenario>/<first>-<last>.<token>.parquet
    <store>/<run>/parts/manifests/<scenario>/…                  (see manifests.py)

A part is the files that its manifest names. The manifest is written last and commits them; files that none names are
what a writer that died has left. No file is ever written twice: for a part that was damaged, another answers.
<first> and <last> are those of the part, and of a table those of the replications that returned it in that schema. The
names alone say which replications are stored, so no file is opened to answer "what is missing?".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from replicast.core.commands import command as hint
from replicast.core.errors import StoreError
from replicast.core.planning import gaps
from replicast.core.ports import Damage
from replicast.core.replication import Outcome

from . import old_parts
from .coverage import Part, RunCoverage, ScenarioCoverage, Segment, cover
from .damage import damage_of
from .inventory import Inventory
from .manifests import KeptFile, Manifest, read_manifest
from .names import (
    ARTEFACT,
    LEDGER,
    MANIFESTS,
    METRICS,
    SET_ASIDE,
    artefact_folder,
    encode_name,
    new_token,
    one_line,
    safe_name,
)
from .object_documents import READERS, ObjectDocuments, can_be_written
from .registry import StoreKind
from .removing import clear_half_written
from .several import in_order, readers_of

if TYPE_CHECKING:
    from arro3.core import Schema, Table

MANIFESTS_REMEMBERED = 20_000

__all__ = ["ObjectStore", "artefact_folder", "can_be_written", "encode_name", "new_token", "safe_name"]


class ObjectStore(ObjectDocuments):
    """Fulfils `core.ports.Store`. `url` is a folder or `s3://bucket/prefix`, `gs://…`, `az://…`."""

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        super().__init__(url, options)
        self._manifests: dict[tuple[str, str], Manifest] = {}
        self._kept: dict[tuple[str, str], KeptFile] = {}

    def save(self, run: str, outcomes: Sequence[Outcome]) -> None:
        """Tables and artefacts first, then ledger and metrics, then the manifest, which commits them."""
        from . import parts  # imports numpy, which a conductor's first batch does not wait for
        from .parquet import schema_digest

        scenario, token = encode_name(outcomes[0].scenario), new_token()
        first, last = outcomes[0].replication, outcomes[-1].replication
        span = f"{first:09d}-{last:09d}.{token}"
        files = [kept for outcome in outcomes for kept in self._save_artefacts(run, outcome, token)]
        for group in parts.table_groups(outcomes):
            own = f"{group.first:09d}-{group.last:09d}.{token}.{schema_digest(group.rows.schema)}"
            files.append(self._save_table(run, f"parts/{encode_name(group.name)}/{scenario}/{own}", group.rows))
        files.append(self._save_table(run, f"parts/{LEDGER}/{scenario}/{span}", parts.ledger_table(outcomes)))
        metrics = parts.metrics_table(outcomes)
        named = f"parts/{METRICS}/{scenario}/{span}.{schema_digest(metrics.schema)}"
        files.append(self._save_table(run, named, metrics))
        failed = [outcome.replication for outcome in outcomes if outcome.failure is not None]
        named_failed = failed if len(failed) < len(outcomes) else []
        manifest = Manifest(outcomes[0].scenario, first, last, token, named_failed, files)
        self.write(run, *manifest.written(len(failed)), new=True)

    def _save_table(self, run: str, name: str, table: Table) -> KeptFile:
        from .parquet import to_parquet

        content = to_parquet(table)
        # No other file has this name. A bucket may ask to be told so, to refuse whoever would write over a part.
        self.write(run, f"{name}.parquet", content, new=self.folder is None)
        return KeptFile.of(f"{name}.parquet", content)

    def _save_artefacts(self, run: str, outcome: Outcome, token: str) -> Iterator[KeptFile]:
        """Each under its own name, or beside it where another attempt has left one of that name."""
        if outcome.folder is None:
            return
        folder, place = Path(outcome.folder), artefact_folder(outcome.scenario, outcome.replication)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name, content = safe_name(path.relative_to(folder).as_posix()), path.read_bytes()
                key = "" if self.write(run, f"{place}/{name}", content, new=True) else f"{place}/@{token}/{name}"
                if key:
                    self.write(run, key, content, new=True)
                yield KeptFile.of(f"{place}/{name}", content, key)

    def coverage(self, run: str) -> RunCoverage:
        return self._covered(run, self._inventory(run))

    def _inventory(self, run: str) -> Inventory:
        """Looked at again where a file is not there: a part may be committed while it is listed."""
        found = Inventory.of(self._list_relative(run, "parts"))
        if not found.incomplete:
            return found
        again = Inventory.of(self._list_relative(run, "parts"))
        again.believe_those_not_in(found.incomplete)
        return again

    def _covered(self, run: str, found: Inventory) -> RunCoverage:
        """Damage that another part answers for is none."""
        covered = RunCoverage()
        damage = [self._seen_damage(run, scenario, part, found) for scenario, part in found.incomplete]
        self._read_ahead(run, [part for own in found.parts.values() for part in own])
        for scenario, own in found.parts.items():
            failures = {}
            for part in [part for part in own if part.failed]:
                try:
                    failures[part] = self._failures(run, scenario, part)
                except StoreError as error:
                    own.remove(part)
                    damage.append(Damage(scenario, part.first, part.last, str(error).partition("; ")[0], part.path))
            covered.scenarios[scenario] = cover(own, failures)
        covered.damage = [one for one in damage if _is_open(one, covered.of(one.scenario))]
        return covered

    def _read_ahead(self, run: str, parts: Sequence[Part]) -> None:
        """Which replications of a part failed stands in its manifest: from afar, they are fetched several at a time."""
        mixed = [part for part in parts if 0 < part.failed <= part.last - part.first and not old_parts.is_old(part)]
        if self.folder is not None or len(mixed) < 2:
            return

        def read(part: Part) -> None:
            with suppress(StoreError):  # told when it is its turn
                self._manifest(run, part)

        with readers_of(READERS) as readers:
            for _ in readers.map(read, mixed[:MANIFESTS_REMEMBERED]):
                pass

    def _seen_damage(self, run: str, scenario: str, part: Part, found: Inventory) -> Damage:
        """What a listing shows of a part: files that are gone, or have another length."""
        lengths = {file.path: file.length for file in found.files.get((encode_name(scenario), part.token), ())}
        return next(damage_of(scenario, part, partial(self._bytes, run), lengths.get))

    def _bytes(self, run: str, name: str) -> bytes | None:
        return self.read_part(run, name) if name.startswith("parts/") else super().read(run, name)

    def _segments(self, run: str, scenario: str) -> list[Segment]:
        """Which parts answer for a scenario, from two listings of its own."""
        encoded = encode_name(scenario)
        folders = [f"parts/{table}/{encoded}" for table in (MANIFESTS, METRICS)]
        listed = (found for folder in folders for found in self._list_relative(run, folder))
        own = Inventory.of(listed, complete=False).parts.get(scenario, [])
        return cover(own, {part: self._failures(run, scenario, part) for part in own if part.failed}).segments

    def _failures(self, run: str, scenario: str, part: Part) -> Sequence[int]:
        if part.failed == part.last - part.first + 1:
            return range(part.first, part.last + 1)
        if not old_parts.is_old(part):
            return self._manifest(run, part).failed
        ledger = self._table(run, old_parts.ledger_of(scenario, part))
        pairs = zip(ledger.column("replication").to_pylist(), ledger.column("state").to_pylist(), strict=True)
        return [replication for replication, state in pairs if state == "failed"]

    def _manifest(self, run: str, part: Part) -> Manifest:
        known = self._manifests.get((run, part.path))
        if known is None:
            read = read_manifest(part.path, self.read_part(run, part.path))
            if isinstance(read, str):
                raise self._refusal(run, f"'{part.path}' {read}")
            if len(self._manifests) >= MANIFESTS_REMEMBERED:
                self._manifests.clear()
            known = self._manifests[run, part.path] = read
        return known

    def _refusal(self, run: str, damage: str) -> StoreError:
        mend = f"{hint('resume', run, self.label)} simulates what it held again"
        return StoreError(f"{damage}; it is part of run {run} in '{self.label}', and {mend}")

    def tables(self, run: str) -> dict[str, list[Schema]]:
        """Each table's distinct schemas, in order of first appearance over scenarios by name and replications."""
        found = self._inventory(run)
        for damage in self._covered(run, found).damage:
            raise self._refusal(run, damage.name)
        return {
            unquote(table): [self._table(run, self._file(run, part, path)).schema for part, path in files]
            for table, files in found.first_files().items()
        }

    def _file(self, run: str, part: Part, path: str) -> KeptFile:
        if old_parts.is_old(part):
            return old_parts.unchecked(path)
        for file in self._manifest(run, part).files:
            if file.name == path:
                return file
        raise self._refusal(run, f"'{path}' is not in its manifest '{part.path}'")

    def ledger(self, run: str, scenario: str) -> Iterator[Table]:
        return self.rows(run, LEDGER, scenario)

    def rows(self, run: str, table: str, scenario: str) -> Iterator[Table]:
        """Tables of one schema each, whose rows follow each other by replication."""
        from .reading import order_by_replication

        encoded, segments = encode_name(table), self._segments(run, scenario)
        old: dict[str, list[KeptFile]] = {}
        if any(old_parts.is_old(segment.part) for segment in segments):
            old = old_parts.files_by_token(self._list_relative(run, f"parts/{encoded}/{encode_name(scenario)}"))
        read = partial(self._rows_of, run, encoded, old)
        for pieces in in_order(read, segments, 1 if self.folder is not None else READERS, bytes_of):
            yield from pieces if len(pieces) < 2 else order_by_replication(pieces)

    def _rows_of(self, run: str, table: str, old: Mapping[str, list[KeptFile]], segment: Segment) -> list[Table]:
        """What a segment's part has of a table, one piece for each schema."""
        from .reading import keep_replications

        part = segment.part
        files = old.get(part.token, []) if old_parts.is_old(part) else self._manifest(run, part).files_of(table)
        read = [self._table(run, file) for file in files]
        if (segment.first, segment.last) == (part.first, part.last):
            return read
        return [keep_replications(piece, segment.first, segment.last) for piece in read]

    def _table(self, run: str, file: KeptFile) -> Table:
        from .parquet import from_parquet

        content = self._content(run, file)
        try:
            return from_parquet(content)
        except BaseException as error:  # arro3 raises untyped errors for damaged files, or panics
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise StoreError(f"'{file.name}' of run {run} cannot be read: {one_line(error)}") from error

    def _content(self, run: str, file: KeptFile) -> bytes:
        """The file's bytes, once they are known to be what was stored."""
        content = self._bytes(run, file.place)
        wrong = file.wrong_with(content)
        if wrong or content is None:
            raise self._refusal(run, f"'{file.place}' {wrong}")
        return content

    def read(self, run: str, name: str) -> bytes | None:
        """As `artefacts` last listed it, an artefact is what was stored, or StoreError."""
        file = self._kept.get((run, name))
        return super().read(run, name) if file is None else self._content(run, file)

    def reach(self) -> str:
        return ""

    def keep_summary(self, _run: str, _make: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        """Files have no place for it: it is made anew of what is stored."""

    def collated(self, _run: str, _folder: Path) -> None:
        return None

    def artefacts(self, run: str, scenario: str | None = None, replication: int | None = None) -> list[str]:
        named = [scenario] if scenario is not None else list(self._inventory(run).parts)
        self._kept = {}
        found = [name for own in named for name in self._artefacts_of(run, own, replication)]
        return sorted(found)

    def _artefacts_of(self, run: str, scenario: str, replication: int | None) -> Iterator[str]:
        old: list[tuple[int, str]] | None = None
        for segment in self._segments(run, scenario):
            wanted = range(segment.first, segment.last + 1)
            wanted = wanted if replication is None else range(replication, replication + (replication in wanted))
            if old_parts.is_old(segment.part):
                old = list(self._listed_artefacts(run, scenario)) if old is None else old
                yield from (name for number, name in old if number in wanted)
                continue
            for file in self._manifest(run, segment.part).artefacts():
                if (match := ARTEFACT.fullmatch(file.name)) and int(match[2]) in wanted:
                    self._kept[run, file.name] = file
                    yield file.name

    def _listed_artefacts(self, run: str, scenario: str) -> Iterator[tuple[int, str]]:
        for name in self.documents(run, f"artefacts/scenario={encode_name(scenario)}"):
            if match := ARTEFACT.fullmatch(name):
                yield int(match[2]), name

    def damage(self, run: str) -> Iterator[Damage]:
        found = self._inventory(run)
        for scenario, part in found.incomplete:
            opened = list(damage_of(scenario, part, partial(self._bytes, run)))
            yield from opened or [self._seen_damage(run, scenario, part, found)]
        for scenario, own in found.parts.items():
            for part in sorted(own):
                yield from damage_of(scenario, part, partial(self._bytes, run))

    def set_aside(self, run: str, damage: Sequence[Damage]) -> None:
        for one in damage:
            self.write(run, one.part + SET_ASIDE, f"{one}\n".encode(), new=True)
        if self.folder is not None:
            clear_half_written(self.folder / run)

    def _list_relative(self, run: str, prefix: str) -> Iterator[tuple[str, int]]:
        return ((path.removeprefix(f"{run}/"), size) for path, size in self._list(f"{run}/{prefix}"))


def bytes_of(tables: Sequence[Table]) -> int:
    return sum(table.nbytes for table in tables)


def _is_open(damage: Damage, covered: ScenarioCoverage) -> bool:
    """Whether no other part answers for all of the replications."""
    before = [(1, damage.first - 1)] if damage.first > 1 else []
    return bool(gaps(damage.last, [*before, *covered.done()]))


def open_files(url: str, *, reached: bool = False) -> ObjectStore:  # noqa: ARG001 - files are there or not
    return ObjectStore(url)


KIND = StoreKind(open_files)
