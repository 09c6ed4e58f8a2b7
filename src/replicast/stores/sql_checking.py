"""Rows of a database against what batches say was saved: what differs, and what no batch holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from arro3.core import Table
from numpy.typing import NDArray

from replicast.core.planning import Range, less, merge, without
from replicast.core.ports import Damage

from .coverage import Part, ScenarioCoverage, Segment
from .names import LEDGER, METRICS
from .reading import keep_replications, replications_of
from .rows_hash import RowsHash, hash_rows
from .sql_batches import Batch, damage_to, lacking

State = Literal["ok", "failed"]


@dataclass(frozen=True, slots=True)
class Held:
    """What the batches of one scenario hold: successes as ranges, and of failures each digest that one had."""

    ok: Sequence[Range]
    failed: Mapping[int, set[str]]

    @classmethod
    def by(cls, batches: Iterable[Batch]) -> Held:
        failed: dict[int, set[str]] = {}
        ok: list[Range] = []
        for batch in batches:
            ok.extend((first, last) for first, last in batch.ok)
            for number, digest in batch.failed.items():
                failed.setdefault(number, set()).add(digest)
        return cls(merge(ok), failed)

    def has_failure(self, number: int, digest: str | None = None) -> bool:
        known = self.failed.get(number, set())
        return bool(known) and (digest is None or digest in known or "" in known)


@dataclass(frozen=True, slots=True)
class Loose:
    """Rows first..last of the ledger that no batch holds: what was edited, renumbered or added by hand."""

    state: State
    first: int
    last: int

    def damage(self, scenario: str) -> Damage:
        rows = "rows" if self.last > self.first else "a row"
        are = "are" if self.last > self.first else "is"
        name = f"{rows} of 'replications' {are} not what was stored: no batch holds such a one"
        return Damage(scenario, self.first, self.last, name, self.state)


def loose_rows(own: ScenarioCoverage, held: Held) -> list[Loose]:
    """By number and state alone, without a look at any row."""
    failed = merge((number, number) for number in own.failed if not held.has_failure(number))
    ok = less(without(own.done(), own.failed), held.ok)
    return [Loose("ok", *pair) for pair in ok] + [Loose("failed", *pair) for pair in failed]


def damage_by_number(scenario: str, own: ScenarioCoverage, batches: Sequence[Batch]) -> Iterator[Damage]:
    """Batches that lack replications, and rows that no batch holds; of an old one nobody knows what it lacks."""
    stored = without(own.done(), own.failed)
    for batch in batches:
        if not batch.old and lacking(batch.ok, stored):
            yield damage_to(batch, LEDGER)
    for loose in loose_rows(own, Held.by(batches)):
        yield loose.damage(scenario)


def without_loose(own: ScenarioCoverage, held: Held) -> None:
    """What no batch holds is not among the done."""
    loose = loose_rows(own, held)
    if loose:
        ranges = less(own.done(), merge((one.first, one.last) for one in loose))
        own.segments = [Segment(first, last, Part(first, last, "", 0)) for first, last in ranges]
        own.failed = [number for number in own.failed if held.has_failure(number)]


class Checker:
    """Hashes the rows of one table of one scenario as they pass, batch by batch, and notes those of no batch."""

    def __init__(self, batches: Sequence[Batch], table: str) -> None:
        self._batches, self._table = batches, table
        ranges = sorted((first, last, place) for place, batch in enumerate(batches) for first, last in batch.ok)
        self._firsts = np.array([first for first, _, _ in ranges], dtype=np.int64)
        self._ranges = ranges
        self._held = Held.by(batches)
        self._hashes: dict[int, RowsHash] = {}
        self._loose_ok: list[Range] = []
        self._loose_failed: dict[int, str] = {}

    def passing(self, chunks: Iterable[Table]) -> Iterator[Table]:
        for chunk in chunks:
            if chunk.num_rows:
                self._take_in(chunk)
            yield chunk

    def _take_in(self, chunk: Table) -> None:
        numbers = replications_of(chunk)
        self._take_in_held(chunk, numbers)
        if self._table == LEDGER:
            failed = np.array([state == "failed" for state in chunk.column("state").to_pylist()])
            self._take_in_failures(chunk, numbers, np.flatnonzero(failed))
            numbers = numbers[~failed]
        self._loose_ok += less(ranges_of(numbers), self._held.ok)

    def _take_in_held(self, chunk: Table, numbers: NDArray[np.int64]) -> None:
        place = int(np.searchsorted(self._firsts, numbers[0], side="right")) - 1
        for first, last, batch in self._ranges[max(place, 0) :]:
            if first > numbers[-1]:
                break
            rows = keep_replications(chunk, first, last)
            if rows.num_rows:
                known = self._hashes.setdefault(batch, RowsHash(doubles=self._table == METRICS))
                known.take_in(rows)

    def _take_in_failures(self, chunk: Table, numbers: NDArray[np.int64], places: NDArray[np.intp]) -> None:
        for place in places.tolist():
            digest = hash_rows([chunk.slice(place, 1)]).digest()
            if not self._held.has_failure(int(numbers[place]), digest):
                self._loose_failed[int(numbers[place])] = digest

    def wrong(self) -> list[Batch]:
        """Batches of which this table's rows are not what was saved, once all have passed."""
        return [
            batch
            for place, batch in enumerate(self._batches)
            if not batch.old
            and batch.tables.get(self._table) != (self._hashes[place].digest() if place in self._hashes else None)
        ]

    def loose(self, batches: Callable[[], Sequence[Batch]]) -> list[Loose]:
        """Rows of no batch, once all have passed: not of one that was saved meanwhile, so `batches` are asked again."""
        if not self._loose_ok and not self._loose_failed:
            return []
        held = Held.by(batches())
        ok = less(merge(self._loose_ok), held.ok)
        lost = (n for n, digest in self._loose_failed.items() if not held.has_failure(n, digest))
        failed = merge((number, number) for number in lost)
        return [Loose("ok", *pair) for pair in ok] + [Loose("failed", *pair) for pair in failed]


def ranges_of(numbers: NDArray[np.int64]) -> list[Range]:
    """Numbers in order, some more than once, as ranges."""
    if not len(numbers):
        return []
    breaks = np.flatnonzero(np.diff(numbers) > 1)
    firsts, lasts = numbers[np.r_[0, breaks + 1]], numbers[np.r_[breaks, len(numbers) - 1]]
    return list(zip(firsts.tolist(), lasts.tolist(), strict=True))
