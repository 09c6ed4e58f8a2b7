"""The model's source: which files belong to it, its copy in the run, and what changed since.

A run simulates from a copy, since people edit while it runs and R reads files piece by piece. Everything in the project
is copied that is neither hidden, nor ignored by version control, nor a cache or an installed package, nor what a run
wrote. `[source] include` and `exclude` change that.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from replicast.core.errors import ModelError, RequestError
from replicast.models import language_of_file
from replicast.performing.copies import Source, digest

from .walking import SUMMARY_HEADER, Found, Walk, is_run

CODE = {".py", ".r", ".jl", ".m", ".sh", ".stan", ".sql", ".c", ".cpp", ".h", ".f90", ".toml"}
DOCUMENTS = {".md", ".rst", ".html", ".pdf", ".png", ".svg", ".ipynb", ".docx"}
"""What people write beside a model and no model reads: a change of it makes no other model."""

MOST_FILES = 10_000
MOST_BYTES = 100 * 10**6
NAMED = 5
WAY_OUT = (
    "Give the model a folder of its own (--project DIR, or [source] root in experiment.toml), or leave out what it "
    "does not read: [source] exclude"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What `[source]` says: patterns as in `data/**/*.csv` from the project's root; a folder is all that is in it.

    `include` goes before what is left out by rule, `exclude` before everything.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


def find_source(
    root: Path, needed: Iterable[str] = (), without: Iterable[Path] = (), choice: Choice = Choice()
) -> Source:
    """All files of the project at `root`. `without` are files and folders that hold results.

    Raises RequestError where a needed file is not there, or the project is too large to be copied.
    """
    root = root.resolve()
    _check_root(root)
    exclude = pattern_of(choice.exclude) if choice.exclude else None
    found = Walk(root, without, exclude, MOST_FILES).all()
    for name in _included(root, choice.include, exclude):
        found.sizes[name] = (root / name).stat().st_size
        found.left_out.pop(name, None)
    for name in needed:
        if not (root / name).is_file():
            raise RequestError(f"there is no file '{root / name}'")
        found.sizes[name] = (root / name).stat().st_size
        found.left_out.pop(name, None)
    _check_size(root, found)
    files = {name: digest(root / name) for name in sorted(found.sizes)}
    return Source(root, files, found.left_out, tuple(found.notes))


def _check_root(root: Path) -> None:
    home = Path.home().resolve()
    if root == home or root in home.parents:
        what = "your home directory" if root == home else f"a folder above your home directory, '{root}'"
        raise RequestError(
            f"the model's project would be {what}, and a run copies its project. Give the model a folder of its own: "
            "move it there, or name it with --project DIR or [source] root in experiment.toml"
        )


def _check_size(root: Path, found: Found) -> None:
    if len(found.sizes) > MOST_FILES:
        folders = Counter(name.rpartition("/")[0] or "." for name in found.sizes)
        listed = ", ".join(f"{folder} ({count:,} files)" for folder, count in folders.most_common(NAMED))
        raise RequestError(f"'{root}' holds more than {MOST_FILES:,} files, among them {listed}. {WAY_OUT}")
    total = sum(found.sizes.values())
    if total > MOST_BYTES:
        largest = sorted(found.sizes.items(), key=lambda item: -item[1])[:NAMED]
        listed = ", ".join(f"{name} ({size / 1e6:,.0f} MB)" for name, size in largest)
        limit = f"more than the {MOST_BYTES / 1e6:,.0f} MB that a run copies"
        raise RequestError(f"'{root}' holds {total / 1e6:,.0f} MB, {limit}; the largest files: {listed}. {WAY_OUT}")


def _included(root: Path, patterns: Sequence[str], exclude: re.Pattern[str] | None) -> set[str]:
    """Raises RequestError for a pattern that leads out of the project or to nothing."""
    names = set()
    for pattern in patterns:
        path = Path(pattern.rstrip("/"))
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise RequestError(
                f"[source] include takes paths below the project '{root}', and '{pattern}' is none; "
                "set --project or [source] root to a folder that holds it"
            )
        own = [found for start in sorted(root.glob(str(path))) for found in _files_of(start)]
        if not own:
            raise RequestError(f"[source] include: no file of '{root}' fits '{pattern}'")
        names |= {found.relative_to(root).as_posix() for found in own}
    return {name for name in names if exclude is None or not exclude.fullmatch(name)}


def _files_of(path: Path) -> list[Path]:
    """The file, or all that is below the folder but the runs in it, which no model reads."""
    if path.is_file():
        return [path]
    found = list[Path]()
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not is_run(Path(folder, name))]
        found += [Path(folder, name) for name in files]
    return sorted(file for file in found if file.is_file())


def pattern_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Fits the names that any of the patterns means, and what lies in folders that one means."""
    return re.compile("|".join(f"(?:{_as_expression(pattern)})(?:/.*)?" for pattern in patterns), re.DOTALL)


def _as_expression(pattern: str) -> str:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern.strip("/"))
    meanings = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    return "".join(meanings.get(piece, re.escape(piece)) for piece in pieces)


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
    """Refuses, without loading it, a file whose text names no such function. Raises ModelError."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text) or re.search(r"import \*|\bsource\(", text):
        return
    known = re.findall(r"^(?:async )?def (\w+)|^([\w.]+) *(?:<-|=) *function", text, re.MULTILINE)
    names = ["".join(pair) for pair in known]
    raise ModelError(language_of_file(path).no_function(path.name, name, text, names))


__all__ = ["SUMMARY_HEADER", "Choice", "changes", "check_function", "find_source", "pattern_of"]
