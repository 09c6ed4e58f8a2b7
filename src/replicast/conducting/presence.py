"""Who is at work on a run: said in the store by whoever conducts it, asked by whoever would."""

from __future__ import annotations

import os
import platform
import secrets
import time
from collections.abc import Iterator, Mapping
from typing import Annotated, Protocol, runtime_checkable

import msgspec

from replicast.core.commands import command as hint
from replicast.core.errors import RequestError
from replicast.core.planning import Range
from replicast.core.ports import Store
from replicast.core.progress import AtWork
from replicast.machine.processes import THIS_SYSTEM, is_alive

BEAT_SECONDS = 5.0
SILENT_SECONDS = 20.0
CLOCKS_APART_SECONDS = 300.0
CONDUCTOR, SHARERS = "conductor.json", "at-work"


class Presence(msgspec.Struct, frozen=True):
    """Who conducts a run, as conductor.json says it; `time` and when it was `created` are in seconds since 1970."""

    pid: Annotated[int, msgspec.Meta(gt=0, lt=2**31)]
    host: str
    time: float
    executor: str
    created: float | None = None

    @property
    def who(self) -> str:
        return f"process {self.pid} on {self.host}"


@runtime_checkable
class Shareable(Protocol):
    """A job that can leave out what another process has done meanwhile."""

    def forget(self, done: Mapping[str, list[Range]]) -> None: ...


def someone_at_work(store: Store, run: str) -> AtWork | None:
    """Which process conducts the run at this moment, if one does."""
    presence = _presence(store, run, CONDUCTOR)
    return None if presence is None else AtWork(presence.who, msgspec.structs.asdict(presence))


def refuse_company(store: Store, run: str) -> None:
    """Raises RequestError where another process is at work on the run, saying which."""
    presence = _presence(store, run, CONDUCTOR)
    if presence is None or _is_me(presence):
        return
    ago = max(0, round(time.time() - presence.time))
    ways = [
        hint(name, run, store.label, *more) for name, *more in (["status", "--watch"], ["cancel"], ["resume", "--join"])
    ]
    raise RequestError(
        f"{presence.who} is at work on run {run} ({ago} s ago); a second one would compute all that it does once more. "
        f"Watch it with: {ways[0]}; stop it with: {ways[1]}; or share its work: {ways[2]}"
        + ("" if _is_here(presence) else f" (one that was killed there is taken for gone {SILENT_SECONDS:.0f} s after "
           "it was heard of)")
    )  # fmt: skip


def _presence(store: Store, run: str, name: str) -> Presence | None:
    content = store.read(run, name)
    try:
        presence = msgspec.json.decode(content or b"", type=Presence)
    except msgspec.MsgspecError:  # a beat that was torn is followed by another, if anyone is there
        return None
    if not -CLOCKS_APART_SECONDS < time.time() - presence.time < SILENT_SECONDS:
        return None
    return presence if not _is_here(presence) or is_alive(presence.pid, presence.created) else None


def _is_here(presence: Presence) -> bool:
    return presence.host == platform.node()


def _is_me(presence: Presence) -> bool:
    return presence.pid == os.getpid() and _is_here(presence)


class Attendance:
    """This process's place among those at work on a run: the one who conducts it, or one who shares the work."""

    def __init__(self, store: Store, run: str, executor: str, *, join: bool = False) -> None:
        self._store, self._run, self._executor, self._join = store, run, executor, join
        self._own = f"{SHARERS}/{os.getpid()}-{secrets.token_hex(4)}.json"
        self._beat_at, self._arrived = 0.0, False
        self._created = THIS_SYSTEM.created(os.getpid())
        self.shares = False

    def arrive(self) -> None:
        """Takes the place of the conductor where it is free. Raises RequestError where it is not, unless sharing."""
        if not self._join:
            refuse_company(self._store, self._run)
        self._claim()

    def _claim(self) -> None:
        """The first to write the document has the place; one that nobody alive wrote is taken over."""
        self._arrived, self._beat_at = True, time.monotonic()
        if self._store.write(self._run, CONDUCTOR, self._content(), new=True):
            self.shares = False
            return
        there = _presence(self._store, self._run, CONDUCTOR)
        self.shares = there is not None and not _is_me(there)
        if self.shares and not self._join:
            self._arrived = False
            refuse_company(self._store, self._run)
        self._store.write(self._run, self._own if self.shares else CONDUCTOR, self._content())

    def beat(self) -> bool:
        """Says now and then that this process is at work; whether it just did."""
        if time.monotonic() - self._beat_at < BEAT_SECONDS:
            return False
        if self.shares:
            self._claim()
        else:
            self._beat_at = time.monotonic()
            self._store.write(self._run, CONDUCTOR, self._content())
        return True

    def in_company(self) -> bool:
        """Whether others share the work."""
        return self.shares or any(name != self._own for name in self._sharers())

    def _sharers(self) -> Iterator[str]:
        for name in self._store.documents(self._run, SHARERS):
            if _presence(self._store, self._run, name) is not None:
                yield name
            else:
                self._store.delete(self._run, name)

    def leave(self) -> None:
        if self._arrived:
            self._store.delete(self._run, self._own if self.shares else CONDUCTOR)

    def _content(self) -> bytes:
        presence = Presence(os.getpid(), platform.node(), time.time(), self._executor, self._created)
        return msgspec.json.encode(presence)
