"""What replications noted of what they returned: what was renamed, converted or not kept."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from replicast.core.commands import command as hint
from replicast.core.errors import StoreError
from replicast.core.factor_levels import FactorLevels
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.models import language_or_any
from replicast.performing.worker import LEVELS, NOTES, document_of

if TYPE_CHECKING:
    from arro3.core import Table

    from replicast.performing.second_look import SecondLook


def notes_of(store: Store, run: str) -> list[str]:
    """Each sentence once, in order; of one that is not what was noted, that alone."""
    found = ((name, store.read(run, name) or b"") for name in store.documents(run, NOTES))
    return sorted(content.decode() if _is_sound(name, content) else _damage(name) for name, content in found)


def _is_sound(name: str, content: bytes) -> bool:
    folder, _, _ = name.rpartition("/")
    return name == document_of(folder, content)


def _damage(name: str) -> str:
    return f"'{name}' is not what was noted (its SHA-256 differs)"


def damaged_notes(store: Store, run: str) -> list[str]:
    """What replications noted, or met as levels of a factor, and is not any more what was stored."""
    named = [name for folder in (NOTES, LEVELS) for name in store.documents(run, folder)]
    return [_damage(name) for name in named if not _is_sound(name, store.read(run, name) or b"")]


def levels_of(store: Store, run: str, table: str) -> dict[str, FactorLevels]:
    """The levels of each column that was a factor with the same levels in all replications in which it was one."""
    found: dict[str, list[FactorLevels]] = {}
    for name in store.documents(run, LEVELS):
        content = store.read(run, name) or b""
        if not _is_sound(name, content):
            raise StoreError(
                f"{_damage(name)}; it is part of run {run} in '{store.label}', and holds the levels of a factor: "
                "put it back from a copy of the run, or remove it, and its column is one of texts"
            )
        levels = FactorLevels.from_json(content)
        if levels.table == table:
            found.setdefault(levels.column, []).append(levels)
    return {column: sets[0] for column, sets in found.items() if len(sets) == 1 and sets[0].labels}


def not_the_same_again(store: Store, record: RunRecord, looks: Iterable[SecondLook]) -> list[str]:
    """A sentence for each replication that came out otherwise when it was simulated a second time."""
    several = len(record.experiment.scenarios) > 1
    found = []
    for look in looks:
        if look.differences:
            where = f" of scenario '{look.scenario}'" if several else ""
            found.append(
                f"replication {look.replication}{where} is not the same again ({look.differences[0]}): simulated a "
                "second time, after others, it came out otherwise. Results of this model hang on what ran before, on "
                f"the clock or on randomness that nobody seeded; look with: {checking(record, store.label)}"
            )
    return found


def checking(record: RunRecord, store: str, named: str = "") -> str:
    """The command that looks whether a model's replications come out the same again; `named` is the model from here."""
    model = record.experiment.model
    if not language_or_any(model).travels:
        return f"run.verify(function={model.function})"
    if model.command:
        return hint("verify", record.id, store)
    return f"replicast check {shlex.quote(named or model.label)}"


@dataclass(slots=True)
class Warned:
    """How many of the replications in a ledger warned, and the first warning; taken in chunk by chunk."""

    warned: int = 0
    total: int = 0
    first: str = ""

    def take_in(self, chunk: Table) -> None:
        place, self.total = 0, self.total + chunk.num_rows
        for piece in chunk.column("warning_count").chunks:
            (found,) = piece.to_numpy().nonzero()
            if len(found) and not self.first:
                text = str(chunk.column("warnings")[place + int(found[0])].as_py())
                self.first = text.partition("\n")[0]
            self.warned, place = self.warned + len(found), place + len(piece)

    def notes(self) -> list[str]:
        """One sentence; none where no replication warned."""
        if not self.warned:
            return []
        return [f"{self.warned:,} of {self.total:,} replications warned, the first: {self.first}"]
