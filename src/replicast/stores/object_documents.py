"""Documents in an object store: a folder, S3, Google Cloud Storage or Azure, all through obstore."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, NotFoundError
from obstore.store import LocalStore, from_url

from replicast.core.errors import StoreError
from replicast.core.record import NAME as RUN

from .after_fork import check_frames, is_forked, refuse
from .names import one_line
from .plain_folder import IN_PLACE_OF
from .removing import HALF_WRITTEN, MARKER, finish_removal, remove_folder, remove_objects
from .several import readers_of

READERS = 32
"""Requests to a bucket at once, where each is of one small object."""


class ObjectDocuments:
    """The documents of all runs. `url` is a folder or `s3://bucket/prefix`, `gs://…`, `az://…`."""

    def __init__(self, url: str, options: Mapping[str, Any] | None = None) -> None:
        self.label = url
        local = "://" not in url or url.startswith("file://")
        self.folder = Path(url.removeprefix("file://")).expanduser().absolute() if local else None
        self.url = str(self.folder) if self.folder else url
        self._objects: Any = None
        self._begun: set[str] = set()
        """Runs of which a removal that was interrupted is finished, if there was one."""
        self._options = dict(options or {})
        self.listed: Mapping[str, frozenset[str]] | None = None
        """By run, its own documents (`labels.json`, `cancel`, …) as they were a moment ago: no other is asked for."""

    @property
    def objects(self) -> Any:
        if is_forked():
            refuse(self.label)
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
        if "/" in document:
            return [name for name in self.folders() if self.read(name, document) is not None]
        return [name for name, names in self.documents_by_run().items() if document in names]

    def folders(self) -> list[str]:
        """Names of what lies below the store's own prefix, runs or not, in order; one request of a bucket."""
        if self.folder is not None:
            return sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        return sorted(self._below("")[0])

    def _below(self, prefix: str) -> tuple[list[str], list[str]]:
        """Names of folders and of objects that lie right below a prefix, in a bucket."""
        found = self._call(obstore.list_with_delimiter, prefix or None)
        folders = [name.rstrip("/").rpartition("/")[2] for name in found["common_prefixes"]]
        return folders, [item["path"].rpartition("/")[2] for item in found["objects"]]

    def documents_by_run(self) -> Mapping[str, frozenset[str]]:
        """The documents that lie in each folder itself, at one request a folder, several at a time."""
        if self.listed is not None:
            return self.listed

        def listed(folder: str) -> frozenset[str]:
            return frozenset(self._below(f"{folder}/")[1])

        folders = self.folders()
        with readers_of(READERS) as readers:
            return dict(zip(folders, readers.map(listed, folders), strict=True))

    def write(self, run: str, name: str, content: bytes, *, new: bool = False) -> bool:
        if self.folder is None and run not in self._begun and (name == RUN or name.startswith("model/")):
            self._begun.add(run)
            if self.read(run, MARKER) is not None:
                finish_removal(self, run)
        try:
            self._put(f"{run}/{name}", content, mode="create" if new else "overwrite")
        except AlreadyExistsError:
            return False
        return True

    def write_file(self, run: str, name: str, file: Path) -> None:
        """As `write`, of a file that need not fit into memory: a bucket is given it part by part."""
        self._put(f"{run}/{name}", file)

    def read(self, run: str, name: str) -> bytes | None:
        if self.listed is not None and "/" not in name and name not in self.listed.get(run, (name,)):
            return None
        try:
            return bytes(self._call(obstore.get, f"{run}/{name}").bytes())
        except (NotFoundError, FileNotFoundError):
            return None

    def read_part(self, run: str, name: str) -> bytes | None:
        """A file of ours below `parts/`; from a folder without asking obstore, which takes ten times as long."""
        if self.folder is None or ".." in name:
            return ObjectDocuments.read(self, run, name)
        try:
            with open(f"{self.folder}/{run}/{name}", "rb") as file:  # noqa: PTH123 - a Path takes as long as the reading
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(f"the store '{self.label}' failed: {error}") from error

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

    def _put(self, path: str, content: bytes | Path, **options: Any) -> None:
        """Raises AlreadyExistsError, where that was asked; StoreError also of a bucket that is not there."""
        try:
            self._call(obstore.put, path, content, **options)
        except (NotFoundError, FileNotFoundError) as error:
            raise StoreError(f"the store '{self.label}' cannot be written: {one_line(error)}") from error

    def _call(self, operation: Any, *arguments: Any, **options: Any) -> Any:
        try:
            if self.folder is not None and is_forked():
                check_frames(self.label)
                return IN_PLACE_OF[operation](self.folder, *arguments, **options)
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


def _list_folder(folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
    """As obstore lists, many times faster, and without what a writer that died left half-written (`name#1`)."""
    waiting = [prefix.rstrip("/")]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(f"{folder}/{place}") as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(f"{place}/{entry.name}" if place else entry.name)
                    elif "#" not in entry.name or not HALF_WRITTEN.search(entry.name):
                        yield (f"{place}/{entry.name}" if place else entry.name), entry.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            continue
