"""What people keep about a run beside its results: tags and a note. Nothing of it decides a number."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from replicast.core.errors import RequestError
from replicast.core.ports import Store

NAME = "labels.json"


@dataclass(frozen=True, slots=True)
class Labels:
    """`tags` in the order in which they were given."""

    tags: tuple[str, ...] = ()
    note: str = ""


def labels_of(store: Store, run: str) -> Labels:
    """A file that somebody spoiled is as good as none: a run is not unreadable for a note."""
    content = store.read(run, NAME)
    try:
        saved = json.loads(content) if content else {}
        return Labels(tuple(map(str, saved.get("tags", ()))), str(saved.get("note", "")))
    except (ValueError, AttributeError, TypeError):
        return Labels()


def change_tags(store: Store, run: str, names: Iterable[str], *, remove: bool = False) -> Labels:
    """Adds tags to a run, or takes them away. Raises RequestError for one that is no word, or that it does not have."""
    old, given = labels_of(store, run), list(dict.fromkeys(names))
    for name in given:
        if not name.isprintable() or not name.strip() or name != "".join(name.split()) or len(name) > 60:
            raise RequestError(f"a tag is a word of at most 60 letters without spaces, and '{name}' is not")
        if remove and name not in old.tags:
            raise RequestError(f"run {run} has no tag '{name}'; it has: {' '.join(old.tags) or 'none'}")
    kept = tuple(name for name in old.tags if name not in given)
    return _keep(
        store, run, Labels(kept if remove else (*old.tags, *(n for n in given if n not in old.tags)), old.note)
    )


def set_note(store: Store, run: str, text: str) -> Labels:
    """Puts a note in the place of an earlier one."""
    return _keep(store, run, Labels(labels_of(store, run).tags, " ".join(text.split())))


def _keep(store: Store, run: str, labels: Labels) -> Labels:
    store.write(run, NAME, json.dumps(asdict(labels), ensure_ascii=False).encode())
    return labels
