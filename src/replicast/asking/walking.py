"""Walking through a project: which of its files belong to a model, and why the others do not."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from .ignored import NO_GIT, files_ignored, in_work_tree

CACHES = {"__pycache__", "node_modules"}
CACHE_FILES = (".pyc", ".pyo", "~")
MARKERS = {".here"}
"""Hidden, and yet copied: they say where a project begins."""

IGNORED = "version control ignores it"
SUMMARY_HEADER = b"scenario,metric,planned,n,failed,"
SUMMARY_COLUMNS = (b"relative_half_width", b"non_finite")
KEYS_HEADER, KEYS_COLUMNS = b"scenario,replication", (b"scenario", b"replication")
FOOTER = 1 << 14
DATABASES = (".db", ".db3", ".sqlite", ".sqlite3")
SQLITE = b"SQLite format 3\0"
OUR_TABLES = {"runs", "replications", "metric_values", "documents"}
"""Tables that a database of runs has, and hardly another."""


@dataclass(slots=True)
class Found:
    """Files of a project by name, with their sizes; `left_out` says why of what is neither hidden nor a cache."""

    sizes: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Walk:
    """One walk through a project, breadth first, until `most` files were found.

    `without` are files and folders that hold results, `exclude` decides by name what was asked to be left out.
    """

    def __init__(self, root: Path, without: Iterable[Path], exclude: re.Pattern[str] | None, most: int) -> None:
        self.root, self.exclude, self.most = root, exclude, most
        self.without = {os.path.realpath(path) for path in without}
        self.outputs = _our_output()
        self.found = Found()
        self.ignored: set[str] = set()

    def all(self) -> Found:
        if in_work_tree(self.root):
            self._learn_ignored(self.root, "")
        waiting = [("", self.root, frozenset[str]())]
        while waiting and len(self.found.sizes) <= self.most:
            waiting += self._look_into(*waiting.pop(0))
        return self.found

    def _learn_ignored(self, folder: Path, prefix: str) -> None:
        names = files_ignored(folder)
        if names is None:
            self.found.notes = [NO_GIT]
        self.ignored |= {prefix + name for name in names or ()}

    def _look_into(
        self, prefix: str, folder: Path, above: frozenset[str]
    ) -> Iterator[tuple[str, Path, frozenset[str]]]:
        above |= {os.path.realpath(folder)}
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            self.found.left_out[prefix.rstrip("/")] = f"it cannot be read ({error.strerror})"
            return
        if prefix and any(entry.name == ".git" for entry in entries):
            self._learn_ignored(folder, prefix)
        for entry in entries:
            name = prefix + entry.name
            if self._is_never_ours(entry, name):
                continue
            if why := self._why_not(entry, name, above):
                self.found.left_out[name] = why
            elif entry.is_dir():
                yield f"{name}/", Path(entry.path), above
            else:
                self.found.sizes[name] = entry.stat().st_size

    def _is_never_ours(self, entry: os.DirEntry[str], name: str) -> bool:
        """Hidden files, caches, stores and where output goes; nobody needs to be told of these."""
        if entry.name.startswith(".") and entry.name not in MARKERS:
            return True
        if entry.name in CACHES or entry.name.endswith(CACHE_FILES) or os.path.realpath(entry.path) in self.without:
            return True
        if self.exclude is not None and self.exclude.fullmatch(name):
            return True
        with contextlib.suppress(OSError):
            if entry.is_dir():
                return is_environment(Path(entry.path)) or is_store(Path(entry.path))
            if is_database_of_runs(Path(entry.path)):
                return True
            status = entry.stat()
            return (status.st_dev, status.st_ino) in self.outputs
        return False

    def _why_not(self, entry: os.DirEntry[str], name: str, above: frozenset[str]) -> str:
        if name in self.ignored:
            return IGNORED
        try:
            entry.name.encode()
        except UnicodeEncodeError:
            return "its name is not UTF-8"
        if entry.is_dir():
            if os.path.realpath(entry.path) in above:
                return "it is a link to a folder above it"
            return "collate wrote it" if is_collated(Path(entry.path)) else ""
        if not entry.is_file():
            return "it is a link that leads nowhere" if entry.is_symlink() else "it is no file"
        return ""


def _our_output() -> set[tuple[int, int]]:
    """Device and number of the files where standard output and error go, as in `replicast run … > log.txt`."""
    found = set()
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            status = os.fstat(descriptor)
            found.add((status.st_dev, status.st_ino))
    return found


def is_environment(path: Path) -> bool:
    """Whether a folder holds installed packages or a cache, by the marks that the tools which make them leave there."""
    if any((path / mark).exists() for mark in ("pyvenv.cfg", "conda-meta", "CACHEDIR.TAG")):
        return True
    return path.parent.name in ("renv", "packrat") and path.name in (
        "library", "local", "cellar", "lock", "python", "sandbox", "staging", "lib", "lib-R", "lib-ext", "src",
    )  # fmt: skip


def is_store(path: Path) -> bool:
    """Whether a folder is a store of runs, or a run: nothing in it belongs to a model."""
    return is_run(path) or any(child.name[:1].isalnum() and is_run(child) for child in _children(path))


def is_run(path: Path) -> bool:
    return (path / "run.json").is_file()


def is_database_of_runs(path: Path) -> bool:
    """Whether a file is an SQLite database that keeps runs, or what SQLite writes beside one."""
    base = path.with_name(re.sub(r"-(wal|shm|journal)$", "", path.name))
    if base.suffix not in DATABASES or not base.is_file():
        return False
    with base.open("rb") as file:
        if file.read(len(SQLITE)) != SQLITE:
            return False
    import sqlite3

    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(sqlite3.connect(f"{base.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as database,
    ):
        tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        return tables >= OUR_TABLES
    return False


def _children(path: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(path) if entry.is_dir()][:50]
    except OSError:
        return []


def is_collated(folder: Path) -> bool:
    """Whether `collate` wrote a folder: its summary gives it away, or the keys with which all of its tables begin.

    `expected` ones are there to be compared with.
    """
    if folder.name == "expected":
        return False
    if any(_begins(folder / name, SUMMARY_HEADER, SUMMARY_COLUMNS) for name in ("summary.csv", "summary.parquet")):
        return True
    try:
        files = [Path(entry.path) for entry in os.scandir(folder)]
    except OSError:
        return False
    return bool(files) and all(_begins(file, KEYS_HEADER, KEYS_COLUMNS) for file in files)


def _begins(file: Path, header: bytes, columns: Iterable[bytes]) -> bool:
    """Whether a CSV file begins with a header, or a Parquet file's end names the columns."""
    with contextlib.suppress(OSError):
        if file.suffix not in (".csv", ".parquet") or not file.is_file():  # a pipe would be waited for
            return False
        with file.open("rb") as opened:
            if file.suffix == ".csv":
                return opened.read(len(header)) == header
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - FOOTER))
            footer = opened.read()
            return all(column in footer for column in columns)
    return False
