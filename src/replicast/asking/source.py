"""The model's source: which files belong to it, its copy in the run, and what changed since.

A run simulates from a copy, since people edit while it runs and R reads files piece by piece. Everything beside the
model's file is copied, as models read data and helpers from there, except what cannot be the model's: hidden files,
caches, virtual environments, stores, collated results, where standard output goes, and what git
ignores.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from replicast.core.errors import ModelError, RequestError, nearest
from replicast.performing.copies import Source, digest

LEFT_OUT = {"__pycache__", "node_modules", "renv", "packrat", "venv", "env", "site-packages", "build", "dist", "runs"}
CODE = {".py", ".r", ".jl", ".m", ".sh", ".stan", ".sql", ".c", ".cpp", ".h", ".f90", ".toml"}
DOCUMENTS = {".md", ".rst", ".html", ".pdf", ".png", ".svg", ".ipynb", ".docx"}
"""What people write beside a model and no model reads: a change of it makes no other model."""

MOST_FILES = 2000
MOST_BYTES = 100 << 20
SUMMARY_HEADER = b"scenario,metric,planned,n,failed,"


def find_source(folder: Path, needed: Iterable[str] = (), without: Iterable[Path] = ()) -> Source:
    """All files of the model that lives in `folder`; only code and `needed` where the folder is large.

    `without` are folders that hold results. Raises RequestError where a needed file is not there.
    """
    folder = folder.resolve()
    excluded = {path.resolve() for path in without}
    names = _files_known_to_git(folder) or sorted(_walk(folder, folder, excluded))
    excluded_files = _our_output()
    names = [n for n in names if not _lies_in(folder / n, excluded) and not _is_one_of(folder / n, excluded_files)]
    taken = [name for name in names if not _in_results(folder, name)]
    if _too_many(folder, taken):
        code = [name for name in taken if Path(name).suffix.lower() in CODE]
        taken = [name for name in code if "/" not in name] if _too_many(folder, code) else code
    for name in needed:
        if not (folder / name).is_file():
            raise RequestError(f"there is no file '{folder / name}'")
        if name not in taken:
            taken.append(name)
    return Source(folder, {name: digest(folder / name) for name in sorted(taken)}, len(names) - len(taken))


def _too_many(folder: Path, names: Sequence[str]) -> bool:
    return len(names) > MOST_FILES or sum(_size(folder / name) for name in names) > MOST_BYTES


def _walk(folder: Path, root: Path, excluded: set[Path]) -> Iterator[str]:
    """Names of files, breadth first, up to just over MOST_FILES."""
    waiting, found = [folder], 0
    while waiting and found <= MOST_FILES:
        try:
            entries = sorted(os.scandir(waiting.pop(0)), key=lambda entry: entry.name)
        except PermissionError:
            continue
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith(".") or entry.name.endswith((".pyc", "~")):
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in LEFT_OUT and path not in excluded and not _is_store(path):
                    waiting.append(path)
            elif entry.is_file():
                found += 1
                yield path.relative_to(root).as_posix()


def _files_known_to_git(folder: Path) -> list[str]:
    """Files that git tracks or would, where the folder lies in a work tree that does not ignore it."""
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return []
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard", "."]
    try:
        listed = subprocess.run(command, capture_output=True, check=True, timeout=20).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    names = sorted(set(os.fsdecode(listed).split("\0")) - {""})
    return [n for n in names if (folder / n).is_file() and not _is_left_out(n) and not _in_store(folder, n)]


def _our_output() -> set[tuple[int, int]]:
    """Device and number of the files where standard output and error go, as in `replicast run … > log.txt`."""
    found = set()
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):
            status = os.fstat(descriptor)
            found.add((status.st_dev, status.st_ino))
    return found


def _is_one_of(path: Path, files: set[tuple[int, int]]) -> bool:
    status = path.stat()
    return (status.st_dev, status.st_ino) in files


def _is_left_out(name: str) -> bool:
    return any(part in LEFT_OUT or part.startswith(".") for part in Path(name).parts)


def _is_store(path: Path) -> bool:
    """Whether a folder is a store of runs, or a run: nothing in it belongs to a model."""
    if (path / "run.json").is_file():
        return True
    return any(child.name[:1].isalnum() and (child / "run.json").is_file() for child in _children(path))


def _children(path: Path) -> list[Path]:
    try:
        return [Path(entry.path) for entry in os.scandir(path) if entry.is_dir()][:50]
    except OSError:
        return []


def _in_store(folder: Path, name: str) -> bool:
    return any(_is_store(folder / parent) for parent in list(Path(name).parents)[:-1])


def _in_results(folder: Path, name: str) -> bool:
    """Whether a file lies in a folder that `collate` wrote, which its summary gives away."""
    parent = (folder / name).parent
    if parent == folder:
        return False
    summary = parent / "summary.csv"
    try:
        with summary.open("rb") as file:
            return file.read(len(SUMMARY_HEADER)) == SUMMARY_HEADER and parent.name != "expected"
    except OSError:
        return (parent / "summary.parquet").is_file()


def _lies_in(path: Path, folders: set[Path]) -> bool:
    return any(folder == path or folder in path.parents for folder in folders)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def changes(old: Mapping[str, str], new: Source) -> list[str]:
    """What of the stored source is different now; a file that is only new changed nothing, unless it is code."""
    lines = []
    for name, content in old.items():
        if Path(name).suffix.lower() in DOCUMENTS:
            continue
        now = new.files.get(name)
        if now is None:
            lines.append(f"{name}: is gone")
        elif now != content:
            lines.append(f"{name}: was changed")
    lines += [f"{name}: is new" for name in new.files if name not in old and Path(name).suffix.lower() in CODE]
    return lines


def check_function(path: Path, name: str) -> None:
    """Refuses, without loading it, a file of Python or R whose text names no such function. Raises ModelError."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text) or re.search(r"import \*|\bsource\(", text):
        return
    known = re.findall(r"^(?:async )?def (\w+)|^([\w.]+) *(?:<-|=) *function", text, re.MULTILINE)
    hint = nearest(name, ("".join(pair) for pair in known)) or " (it defines no function)"
    raise ModelError(f"{path.name} has no function '{name}'{hint}")
