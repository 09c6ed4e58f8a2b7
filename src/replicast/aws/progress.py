"""How far a run on AWS is, as seen from outside: from the names of its parts, or from the counts of its map runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import unquote

from replicast.core.planning import Range, count, merge
from replicast.core.ports import Store
from replicast.core.progress import Saved
from replicast.core.record import RunRecord
from replicast.core.replication import Batch
from replicast.stores.names import MANIFEST_NAME, MANIFESTS

from .access import explained

NAMES_A_REQUEST = 1000


class Progress(Protocol):
    @property
    def requests(self) -> int:
        """That the next look will take, as far as is known."""
        ...

    def news(self, *, ended: bool) -> list[Saved]:
        """What was saved since the last look; `ended` says that there will be no more."""
        ...


class PartsProgress:
    """From the names of the parts in a bucket, each of which says which replications it holds."""

    def __init__(self, store: Store, run: str, there: Sequence[str]) -> None:
        self._store, self._run = store, run
        self._seen: set[str] = set()
        self._done: dict[str, list[Range]] = {}
        self._take_in(there)

    @property
    def requests(self) -> int:
        return 1 + len(self._seen) // NAMES_A_REQUEST

    def news(self, *, ended: bool) -> list[Saved]:  # noqa: ARG002 - a part's name says all there is
        return self._take_in(parts_of(self._store, self._run))

    def _take_in(self, paths: Sequence[str]) -> list[Saved]:
        new = [path for path in paths if path not in self._seen]
        self._seen.update(new)
        return [saved for path in new if (saved := self._saved(path)) is not None]

    def _saved(self, path: str) -> Saved | None:
        """None for a part whose replications were there before: a batch that was delivered twice."""
        scenario, name = path.split("/")[-2:]
        match = MANIFEST_NAME.fullmatch(name)
        if match is None:
            return None
        first, last, failed = (int(text) for text in match.groups()[:3])
        before = self._done.get(unquote(scenario), [])
        after = merge([*before, (first, last)])
        self._done[unquote(scenario)] = after
        if count(after) == count(before):
            return None
        return Saved(Batch(unquote(scenario), first, last), failed, 0.0)


def parts_of(store: Store, run: str) -> list[str]:
    return store.documents(run, f"parts/{MANIFESTS}")


class MapProgress:
    """From how many batches of each round have ended, which costs the database nothing; at the end, from the store."""

    def __init__(self, store: Store, record: RunRecord, states: Any, before: tuple[int, int], execution: str) -> None:
        self._store, self._record, self._states, self._execution = store, record, states, execution
        self._before, self._told = before, 0

    @property
    def requests(self) -> int:
        return 1

    def news(self, *, ended: bool) -> list[Saved]:
        if ended:
            done, failed = (
                now - before for now, before in zip(stored_of(self._store, self._record), self._before, strict=True)
            )
            return self._tell(done, max(failed, 0))
        return self._tell(self._estimate(), 0)

    def _tell(self, done: int, failed: int) -> list[Saved]:
        new = done - self._told
        if new <= 0:
            return []
        self._told = done
        return [Saved(Batch(self._record.experiment.scenarios[0].name, 1, new), failed, 0.0)]

    def _estimate(self) -> int:
        """Replications in the batches that have ended. What a round asks for again is no more than the first asked."""
        with explained("look at the execution"):
            found = [
                self._states.describe_map_run(mapRunArn=one)["itemCounts"]
                for one in map_runs(self._states, self._execution)
            ]
        sizes = [self._size(number) for number, _ in enumerate(found, start=1)]
        ended = sum(
            size * int(counts["succeeded"]) // max(int(counts["total"]), 1)
            for size, counts in zip(sizes, found, strict=True)
        )
        return min(ended, sizes[0]) if sizes else 0

    def _size(self, number: int) -> int:
        """Replications that a round asked for."""
        name = f"cloud/{self._execution.rpartition(':')[2]}/rounds/{number:06d}.json"
        content = self._store.read(self._record.id, name)
        return 0 if content is None else sum(item["last"] - item["first"] + 1 for item in json.loads(content))


def map_runs(states: Any, execution: str) -> list[str]:
    """ARNs of an execution's map runs, one a round, the first round first."""
    pages = states.get_paginator("list_map_runs").paginate(executionArn=execution)
    found = [one for page in pages for one in page["mapRuns"]]
    return [str(one["mapRunArn"]) for one in sorted(found, key=lambda one: one["startDate"])]


def stored_of(store: Store, record: RunRecord) -> tuple[int, int]:
    """How many replications have ended, and how many of them failed."""
    coverage = store.coverage(record.id)
    names = [scenario.name for scenario in record.experiment.scenarios]
    return sum(count(merge(coverage.done(n))) for n in names), sum(len(coverage.failed(n)) for n in names)
