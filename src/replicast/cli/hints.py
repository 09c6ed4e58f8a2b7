"""Commands that are shown to be pasted: with the store where it is not the usual one, and quoted for a shell."""

from __future__ import annotations

import shlex


def store_option(label: str) -> str:
    """` --store URL`, or nothing for the store that is meant where none is named."""
    from replicast.asking.settings import default_store

    return "" if label == default_store() else f" --store {shlex.quote(label)}"


def command(name: str, run: str, store: str, *more: str | int) -> str:
    """`replicast NAME RUN … --store URL`, as a shell takes it."""
    return " ".join(["replicast", name, *(shlex.quote(str(part)) for part in (run, *more))]) + store_option(store)
