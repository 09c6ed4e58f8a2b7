"""`tag`, `note` and `delete`: what is kept about a run, and whether it is kept at all."""

from __future__ import annotations

import argparse
import sys

from replicast.core.errors import RequestError
from replicast.core.spoken import counted

from .opening import open_run
from .screen import print_json, say_words


def tag(chosen: argparse.Namespace) -> int:
    handle = open_run(chosen)
    labels = handle.tag(*chosen.tag, remove=chosen.remove)
    if chosen.json:
        print_json({"run": handle.id, "tags": labels.tags, "note": labels.note})
    else:
        say_words(f"run {handle.id}: {' '.join(labels.tags) or 'no tags'}")
    return 0


def note(chosen: argparse.Namespace) -> int:
    handle = open_run(chosen)
    labels = handle.note(chosen.text)
    if chosen.json:
        print_json({"run": handle.id, "tags": labels.tags, "note": labels.note})
    else:
        say_words(f"run {handle.id}: {labels.note or 'no note'}")
    return 0


def delete(chosen: argparse.Namespace) -> int:
    """Asks on a terminal; elsewhere only --yes is an answer."""
    handle = open_run(chosen)
    found = handle.status()
    if not chosen.yes and found.state != "running":
        _ask(f"run {handle.id} of {found.model}, {counted(found.done, 'replication')}, in {handle.store.label}",
             handle.labels.note, handle.id)  # fmt: skip
    handle.delete()
    if chosen.json:
        print_json({"run": handle.id, "deleted": True})
    else:
        say_words(f"run {handle.id} and all its results are gone")
    return 0


def _ask(what: str, about: str, run: str) -> None:
    if not sys.stdin.isatty():
        raise RequestError(f"deleting {what} cannot be undone; say so with --yes")
    say_words(f"this deletes {what}" + (f" ({about})" if about else "") + ", for good. Type the run's ID to go on:")
    if input().strip() != run:
        raise RequestError("nothing was deleted")
