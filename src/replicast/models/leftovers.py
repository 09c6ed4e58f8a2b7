"""Files that a function model writes into its working folder, where nothing keeps them: said once by each process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

CACHES = frozenset({"__pycache__", ".numba_cache"})
NAMED = 3


class Leftovers:
    """Looks at the names at the top of the folder, as they were when it was made and as they are now."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._known = self._names() | CACHES
        self._said = False

    def _names(self) -> set[str]:
        with suppress(OSError):
            return set(os.listdir(self._folder))  # noqa: PTH208 - called between replications
        return set()

    def notes(self) -> Sequence[str]:
        """A sentence, the first time that a file is there which was not."""
        if self._said or not (new := self._names() - self._known):
            return ()
        self._said = True
        named = ", ".join(f"'{name}'" for name in sorted(new)[:NAMED]) + (", …" if len(new) > NAMED else "")
        return (f"the model writes files into its working folder, where they are not kept: {named}",)
