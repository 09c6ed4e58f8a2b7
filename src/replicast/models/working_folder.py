"""The folder that a function model works in: what a replication writes there is its own, and gone for the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from replicast.core.replication import Failure, Outcome

from .columns import UnusableResult
from .kept import check_left

CACHES = frozenset({"__pycache__", ".numba_cache"})
NAMED = 3
LOOKED_THROUGH = 1000
"""Files of a project up to which all of its folders are looked at after each replication; else the top alone."""
Seen = tuple[int, int, int]
"""Size, time of the last change in nanoseconds, and inode of a file."""


class WorkingFolder:
    """Compares the folder with what it was when this was made.

    Where files are kept, what a replication wrote becomes artefacts of its outcome; else it is removed, and a note
    names some of it once. A file of the source that was changed stays changed, since no other copy is at hand: it is
    kept or named like the others.
    """

    def __init__(self, folder: str, *, keeps: bool) -> None:
        self._folder, self._keeps, self._deep = folder, keeps, True
        self._then = dict(self._look())
        self._deep = len(self._then) <= LOOKED_THROUGH
        self._said = False

    def _look(self, below: str = "") -> Iterator[tuple[str, Seen]]:
        """Each file, link and folder (ending in /) by its path; caches of compiled code are nobody's."""
        with suppress(OSError), os.scandir(os.path.join(self._folder, below)) as entries:  # noqa: PTH118 - quick
            for entry in entries:
                path = f"{below}/{entry.name}" if below else entry.name
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in CACHES:
                        yield f"{path}/", (0, 0, 0)
                        yield from self._look(path) if self._deep else ()
                else:
                    found = entry.stat(follow_symlinks=False)
                    yield path, (found.st_size, found.st_mtime_ns, found.st_ino)

    def written(self) -> list[str]:
        """Files that are new or changed, and folders that are new (ending in /), by their paths in the folder."""
        return [path for path, seen in self._look() if self._then.get(path) != seen]

    def settle(self, outcome: Outcome, written: Sequence[str] | None = None) -> None:
        """Makes what was written the outcome's, or removes it: the next replication finds the folder as it was."""
        names = self.written() if written is None else written
        if not names:
            return
        if self._keeps and outcome.failure is None:
            try:
                self._hand_over(outcome, names)
            except UnusableResult as error:
                outcome.metrics, outcome.tables = {}, {}
                outcome.failure = Failure("error", "UnusableResult", str(error))
        elif not self._keeps and not self._said and (files := sorted(n for n in names if not n.endswith("/"))):
            self._said = True
            named = ", ".join(f"'{name}'" for name in files[:NAMED]) + (", …" if len(files) > NAMED else "")
            outcome.notes += (f"the model writes files into its working folder, where they are not kept: {named}",)
        self.tidy(names)

    def _hand_over(self, outcome: Outcome, names: Sequence[str]) -> None:
        if outcome.folder is None:
            outcome.folder = tempfile.mkdtemp(prefix="files-", dir=Path(self._folder).parent)
        target = Path(outcome.folder)
        for name in names:
            if name.endswith("/"):
                continue
            place = free_place(target / name)
            place.parent.mkdir(parents=True, exist_ok=True)
            if name in self._then:
                shutil.copy2(Path(self._folder, name), place, follow_symlinks=False)
            else:
                shutil.move(Path(self._folder, name), place)
        check_left(target)

    def tidy(self, names: Sequence[str]) -> None:
        """Removes what is new."""
        for name in names:
            path = Path(self._folder, name)
            if name in self._then:
                found = path.stat(follow_symlinks=False)
                self._then[name] = (found.st_size, found.st_mtime_ns, found.st_ino)
            elif name.endswith("/"):
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink(missing_ok=True)


def free_place(path: Path) -> Path:
    """The path, or one beside it, where something of that name is there already."""
    free, number = path, 0
    while free.exists():
        number += 1
        free = path.with_stem(f"{path.stem}_{number}")
    return free
