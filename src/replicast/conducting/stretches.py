"""How long, where and on how many cores a run was carried out: noted in the store each time that ends."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

import msgspec

from replicast.core.ports import Store
from replicast.stores.records import all_said

FOLDER = "carried-out"


class Stretch(msgspec.Struct, frozen=True):
    """One time that somebody conducted a run: from when, for how many seconds of wall time, where, by which machine.

    `cores` are those that this machine has for a process, whichever place does the work. `simulated` are replications.
    """

    since: str
    seconds: float
    place: str
    host: str
    cores: int
    simulated: int


def note_stretch(store: Store, run: str, stretch: Stretch) -> None:
    name = f"{FOLDER}/{stretch.since.replace(':', '')}-{secrets.token_hex(3)}.json"
    store.write(run, name, msgspec.json.encode(stretch), new=True)


def stretches_of(store: Store, run: str) -> list[Stretch]:
    """In the order of their beginnings."""
    return sorted(all_said(store, run, FOLDER, Stretch), key=lambda one: one.since)


def begun(seconds_ago: float) -> str:
    """The moment so many seconds ago, to the second."""
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() - seconds_ago, UTC).isoformat(timespec="seconds")
