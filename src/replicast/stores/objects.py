"""Runs in an object store: a folder, S3, Google Cloud Storage or Azure, all through obstore.

    <store>/<run>/run.json, model/…, artefacts/…
    <store>/<run>/parts/<table>/<scenario>/<first>-<last>.<token>.<schema>.parquet
    <store>/<run>/parts/replications/<scenario>/<first>-<last>.<token>.parquet
    <store>/<run>/parts/metrics/<scenario>/<first>-<last>.<failed>.<token>.<schema>.parquet

A part is the files of one token. Its metrics file is written last and commits it; without one the others do not exist.
<first> and <last> are those of the part, and of a table those of the replications that returned it in that schema. The
names alone say which replications are stored, so no file is opened to answer "what is missing?".
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, from_url

from replicast.core.errors import StoreError
from replicast.core.record import NAME as RUN
from replicast.core.replication import Outcome

from .coverage import Part, RunCoverage, ScenarioCoverage, Segment, cover
from .registry import StoreKind
from .removing import MARKER, finish_removal, remove_folder, remove_objects

if TYPE_CHECKING:
    from arro3.core import Schema, Table

METRICS, LEDGER = "metrics", "replications"
METRICS_NAME = re.compile(r"(\d+)-(\d+)\.(\d+)\.([0-9a-z]+)\.([0-9a-f]{8})\.parquet")
TABLE_NAME = re.compile(r"(\d+)-(\d+)\.([0-9a-z]+)(?:\.([0-9a-f]{8}))?\.parquet")
HALF_WRITTEN = re.compile(r"#\d+$")
UNSAFE = re.compile(r"[\x00-\x1f\x7f]|#(?=\d+(?:/|$))")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_token() -> str:
    """A token that sorts by time of commit and is unique without asking anyone."""
    number, text = time.time_ns() // 1000, ""
    while number:
        number, digit = divmod(number, 36)
        text = DIGITS[digit] + text
    return text.rjust(11, "0") + os.urandom(4).hex()


def encode_name(name: str) -> str:
    """A scenario's or table's name as one path segment that no tool takes for a Hive partition."""
    return quote(name, safe=" ,+-_@~").replace(".", "%2E") if name.startswith(".") else quote(name, safe=" ,+-_.@~")


class ObjectStore:
    """Fulfils `core.ports.Store`. `url` is a folder or `s3://bucket/prefix`, `gs://…`, `az://…`."""

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        self.label = url
        local = "://" not in url or url.startswith("file://")
        self.folder = Path(url.removeprefix("file://")).absolute() if local else None
        self.url = str(self.folder) if self.folder else url
        self._objects: Any = None
        self._options = dict(options or {})

    @property
    def objects(self) -> Any:
        if self._objects is None:
            try:
                if self.folder is not None:
                    self.folder.mkdir(parents=True, exist_ok=True)
                    self._objects = LocalStore(prefix=self.folder)
                else:
                    self._objects = from_url(self.url, **self._options)
            except (BaseError, OSError, ValueError) as error:
                raise StoreError(f"cannot open the store '{self.label}': {one_line(error)}") from error
        return self._objects

    def runs(self) -> list[str]:
        return self.runs_with("run.json")

    def runs_with(self, document: str) -> list[str]:
        """The IDs of all runs that have this document, in order."""
        if self.folder is not None:
            return sorted(path.relative_to(self.folder).parts[0] for path in self.folder.glob(f"*/{document}"))
        listing = self._call(obstore.list_with_delimiter, None)
        names = [prefix.rstrip("/").rpartition("/")[2] for prefix in listing["common_prefixes"]]
        return sorted(name for name in names if self.read(name, document) is not None)

    def write(self, run: str, name: str, content: bytes, *, new: bool = False) -> bool:
        if new and name == RUN and self.folder is None and self.read(run, MARKER) is not None:
            finish_removal(self, run)
        try:
            self._call(obstore.put, f"{run}/{name}", content, mode="create" if new else "overwrite")
        except AlreadyExistsError:
            return False
        return True

    def read(self, run: str, name: str) -> bytes | None:
        try:
            return bytes(self._call(obstore.get, f"{run}/{name}").bytes())
        except (NotFoundError, FileNotFoundError):
            return None

    def documents(self, run: str, prefix: str) -> list[str]:
        """Names of the run's documents below `prefix`, ordered."""
        return sorted(path.removeprefix(f"{run}/") for path, _ in self._list(f"{run}/{prefix}"))

    def delete(self, run: str, name: str) -> None:
        try:
            self._call(obstore.delete, f"{run}/{name}")
        except (NotFoundError, FileNotFoundError):
            return

    def remove(self, run: str) -> None:
        if self.folder is not None:
            remove_folder(self.folder, run)
        else:
            remove_objects(self, run)

    def save(self, run: str, outcomes: Sequence[Outcome]) -> None:
        """Tables and artefacts first, then the ledger, then the metrics file, which commits the part."""
        from . import parts  # imports numpy, which a conductor's first batch does not wait for

        scenario, token = encode_name(outcomes[0].scenario), new_token()
        span = f"{outcomes[0].replication:09d}-{outcomes[-1].replication:09d}"
        for outcome in outcomes:
            self._save_artefacts(run, outcome)
        for group in parts.table_groups(outcomes):
            own = f"{group.first:09d}-{group.last:09d}.{token}.{parts.schema_digest(group.rows.schema)}"
            self.write(run, f"parts/{encode_name(group.name)}/{scenario}/{own}.parquet", parts.to_parquet(group.rows))
        ledger = parts.to_parquet(parts.ledger_table(outcomes))
        self.write(run, f"parts/{LEDGER}/{scenario}/{span}.{token}.parquet", ledger)
        metrics = parts.metrics_table(outcomes)
        failed = sum(outcome.failure is not None for outcome in outcomes)
        name = f"{span}.{failed}.{token}.{parts.schema_digest(metrics.schema)}.parquet"
        self.write(run, f"parts/{METRICS}/{scenario}/{name}", parts.to_parquet(metrics))

    def _save_artefacts(self, run: str, outcome: Outcome) -> None:
        if outcome.folder is None:
            return
        folder = Path(outcome.folder)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = safe_name(path.relative_to(folder).as_posix())
                target = f"{run}/{artefact_folder(outcome.scenario, outcome.replication)}/{name}"
                self._call(obstore.put, target, path, mode="overwrite")

    def coverage(self, run: str) -> RunCoverage:
        return RunCoverage({name: self._cover(run, name, own) for name, own in self._committed(run).items()})

    def _segments(self, run: str, scenario: str) -> list[Segment]:
        own = self._committed(run, encode_name(scenario)).get(scenario, [])
        return self._cover(run, scenario, own).segments

    def _cover(self, run: str, scenario: str, own: Sequence[Part]) -> ScenarioCoverage:
        return cover(own, {part: self._failures(run, scenario, part) for part in own if part.failed})

    def _committed(self, run: str, encoded_scenario: str = "") -> dict[str, list[Part]]:
        committed: dict[str, list[Part]] = {}
        for path, size in self._list(f"{run}/parts/{METRICS}/{encoded_scenario}".rstrip("/")):
            scenario, name = path.split("/")[-2:]
            match = METRICS_NAME.fullmatch(name)
            if match and size:
                first, last, failed, token, schema = match.groups()
                part = Part(int(first), int(last), token, int(failed), schema)
                committed.setdefault(unquote(scenario), []).append(part)
        return committed

    def _failures(self, run: str, scenario: str, part: Part) -> list[int]:
        if part.failed == part.last - part.first + 1:
            return list(range(part.first, part.last + 1))
        ledger = self._table(run, self._ledger_path(scenario, part))
        pairs = zip(ledger.column("replication").to_pylist(), ledger.column("state").to_pylist(), strict=True)
        return [replication for replication, state in pairs if state == "failed"]

    def _ledger_path(self, scenario: str, part: Part) -> str:
        return f"parts/{LEDGER}/{encode_name(scenario)}/{part.first:09d}-{part.last:09d}.{part.token}.parquet"

    def ledger(self, run: str, scenario: str) -> Iterator[Table]:
        segments = self._segments(run, scenario)
        paths = {s.part.token: [self._ledger_path(scenario, s.part)] for s in segments}
        return self._read_segments(run, segments, paths)

    def tables(self, run: str) -> dict[str, list[Schema]]:
        """Each table's distinct schemas, in order of first appearance over scenarios by name and replications."""
        committed = self._committed(run)
        found = {METRICS: self._metrics_schemas(run, committed)}
        tokens = {(scenario, part.token) for scenario, own in committed.items() for part in own}
        names = {path.split("/")[1] for path, _ in self._list_relative(run, "parts")} - {METRICS, LEDGER}
        for name in sorted(names):
            paths = self._first_paths(run, name, tokens)
            if paths:
                found[unquote(name)] = [self._table(run, path).schema for path in paths]
        return found

    def _metrics_schemas(self, run: str, committed: Mapping[str, Sequence[Part]]) -> list[Schema]:
        """Of all parts with a row: a failed replication has none, so that nothing is missing in it."""
        seen: dict[str, str] = {}
        for scenario in sorted(committed, key=encode_name):
            for part in sorted(committed[scenario]):
                if part.failed <= part.last - part.first:
                    seen.setdefault(part.schema, self._metrics_path(scenario, part))
        return [self._table(run, path).schema for path in seen.values()]

    def _metrics_path(self, scenario: str, part: Part) -> str:
        name = f"{part.first:09d}-{part.last:09d}.{part.failed}.{part.token}.{part.schema}.parquet"
        return f"parts/{METRICS}/{encode_name(scenario)}/{name}"

    def _first_paths(self, run: str, encoded_table: str, tokens: Container[tuple[str, str]]) -> list[str]:
        """For each schema of a table, the committed file in which it appeared first."""
        found = []
        for path, _ in self._list_relative(run, f"parts/{encoded_table}"):
            scenario, name = path.split("/")[-2:]
            match = TABLE_NAME.fullmatch(name)
            if match and (unquote(scenario), match[3]) in tokens:
                found.append((scenario, int(match[1]), int(match[2]), match[4] or "", path))
        seen: dict[str, str] = {}
        for *_, schema, path in sorted(found):
            seen.setdefault(schema, path)
        return list(seen.values())

    def rows(self, run: str, table: str, scenario: str) -> Iterator[Table]:
        return self._read_segments(run, self._segments(run, scenario), self._paths_by_token(run, table, scenario))

    def _paths_by_token(self, run: str, table: str, scenario: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for path, _ in self._list_relative(run, f"parts/{encode_name(table)}/{encode_name(scenario)}"):
            name = path.rpartition("/")[2]
            match = METRICS_NAME.fullmatch(name) or TABLE_NAME.fullmatch(name)
            if match:
                found.setdefault(match.groups()[-2], []).append(path)
        return {token: sorted(own) for token, own in found.items()}

    def _read_segments(
        self, run: str, segments: Sequence[Segment], paths: Mapping[str, Sequence[str]]
    ) -> Iterator[Table]:
        """Tables of one schema each, whose rows follow each other by replication."""
        from .reading import keep_replications, order_by_replication

        for segment in segments:
            read = [self._table(run, path) for path in paths.get(segment.part.token, ())]
            if (segment.first, segment.last) != (segment.part.first, segment.part.last):
                read = [keep_replications(table, segment.first, segment.last) for table in read]
            yield from read if len(read) < 2 else order_by_replication(read)

    def _table(self, run: str, path: str) -> Table:
        from . import parts

        content = self.read(run, path)
        if content is None:
            raise StoreError(f"'{path}' of run {run} is gone from the store '{self.label}'")
        try:
            return parts.from_parquet(content)
        except BaseException as error:  # arro3 raises untyped errors for damaged files, or panics
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            raise StoreError(f"'{path}' of run {run} cannot be read: {one_line(error)}") from error

    def reach(self) -> str:
        return ""

    def keep_summary(self, _run: str, _make: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        """Files have no place for it: it is made anew of what is stored."""

    def collated(self, _run: str, _folder: Path) -> None:
        return None

    def artefacts(self, run: str, scenario: str | None = None, replication: int | None = None) -> list[str]:
        prefix = "artefacts"
        if scenario is not None:
            prefix += f"/scenario={encode_name(scenario)}"
            prefix += "" if replication is None else f"/replication={replication:06d}"
        return self.documents(run, prefix)

    def _list_relative(self, run: str, prefix: str) -> Iterator[tuple[str, int]]:
        return ((path.removeprefix(f"{run}/"), size) for path, size in self._list(f"{run}/{prefix}"))

    def _list(self, prefix: str) -> Iterator[tuple[str, int]]:
        """(path, size) of every object below a prefix, in no order; all pages."""
        if self.folder is not None:
            yield from _list_folder(self.folder, prefix)
            return
        try:
            for page in obstore.list(self.objects, prefix, chunk_size=1000):
                yield from ((item["path"], item["size"]) for item in page)
        except NotFoundError:
            return
        except BaseError as error:
            raise StoreError(f"the store '{self.label}' cannot be listed: {one_line(error)}") from error

    def _call(self, operation: Any, *arguments: Any, **options: Any) -> Any:
        try:
            return operation(self.objects, *arguments, **options)
        except (AlreadyExistsError, NotFoundError, FileNotFoundError):
            raise
        except (BaseError, OSError, ValueError) as error:
            raise StoreError(f"the store '{self.label}' failed: {one_line(error)}") from error


def can_be_written(folder: Path) -> bool:
    """Whether files can be made in a folder, or where it would be made; tried, since rights do not tell."""
    try:
        there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
        with tempfile.TemporaryFile(dir=there):
            return True
    except OSError:
        return False


def safe_name(name: str) -> str:
    """A file's name with what no store takes percent-encoded: control characters, and `#1` at the end."""
    return UNSAFE.sub(lambda found: quote(found[0], safe=""), name)


def artefact_folder(scenario: str, replication: int) -> str:
    return f"artefacts/scenario={encode_name(scenario)}/replication={replication:06d}"


def _list_folder(folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
    """As obstore lists, ten times faster, and without what a writer that died left half-written (`name#1`)."""
    waiting = [folder / prefix]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(Path(entry.path))
                    elif not HALF_WRITTEN.search(entry.name):
                        yield Path(entry.path).relative_to(folder).as_posix(), entry.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            continue


def one_line(error: BaseException) -> str:
    """An error's message without obstore's debug dump."""
    text = str(error).split("\n\nDebug source:")[0]
    return " ".join(text.split())[:400] or type(error).__name__


def open_files(url: str, *, reached: bool = False) -> ObjectStore:  # noqa: ARG001 - files are there or not
    return ObjectStore(url)


KIND = StoreKind(open_files)
