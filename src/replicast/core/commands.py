"""Commands that are shown to be pasted: quoted for a shell, with the store where it is not the usual one."""

from __future__ import annotations

import shlex
from contextvars import ContextVar

USUAL_STORE: ContextVar[str] = ContextVar("USUAL_STORE", default="runs")
"""The store that is meant where none is named; the command line sets it by its environment."""


def command(name: str, run: str, store: str, *more: str | int) -> str:
    """`replicast NAME RUN … --store URL`, as a shell takes it."""
    given = " ".join(["replicast", name, *(shlex.quote(str(part)) for part in (run, *more))])
    return given if store == USUAL_STORE.get() else f"{given} --store {shlex.quote(store)}"
