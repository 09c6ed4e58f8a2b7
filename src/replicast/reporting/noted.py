"""What replications noted of what they returned: what was renamed, converted or not kept."""

from __future__ import annotations

import shlex

from replicast.core.errors import StoreError
from replicast.core.factor_levels import FactorLevels
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.performing.second_look import second_looks
from replicast.performing.worker import LEVELS, NOTES


def notes_of(store: Store, run: str) -> list[str]:
    """Each sentence once, in order."""
    found = (store.read(run, name) for name in store.documents(run, NOTES))
    return sorted(content.decode() for content in found if content)


def levels_of(store: Store, run: str, table: str) -> dict[str, FactorLevels]:
    """The levels of each column that was a factor with the same levels in all replications in which it was one."""
    found: dict[str, list[FactorLevels]] = {}
    for name in store.documents(run, LEVELS):
        try:
            levels = FactorLevels.from_json(store.read(run, name) or b"")
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(f"'{name}' of run {run} in '{store.label}' cannot be read: {error}") from None
        if levels.table == table:
            found.setdefault(levels.column, []).append(levels)
    return {column: sets[0] for column, sets in found.items() if len(sets) == 1 and sets[0].labels}


def not_the_same_again(store: Store, record: RunRecord) -> list[str]:
    """A sentence for each replication that came out otherwise when it was simulated a second time."""
    several = len(record.experiment.scenarios) > 1
    found = []
    for look in second_looks(store, record.id):
        if look.differences:
            where = f" of scenario '{look.scenario}'" if several else ""
            found.append(
                f"replication {look.replication}{where} is not the same again ({look.differences[0]}): simulated a "
                "second time, after others, it came out otherwise. Results of this model hang on what ran before, on "
                f"the clock or on randomness that nobody seeded; look with: {checking(record)}"
            )
    return found


def checking(record: RunRecord) -> str:
    """The command that looks whether a model's replications come out the same again."""
    model = record.experiment.model
    if model.language == "callable":
        return "run.verify()"
    if model.language == "command":
        return f"replicast verify {record.id}"
    return f"replicast check {shlex.quote(model.label)}"


def warned_note(store: Store, record: RunRecord) -> list[str]:
    """One sentence on the replications that warned, with the first warning; none where none did."""
    warned, total, first = 0, 0, ""
    for scenario in (s.name for s in record.experiment.scenarios):
        for chunk in store.ledger(record.id, scenario):
            counts = chunk.column("warning_count").to_pylist()
            total += len(counts)
            for place, count in enumerate(counts):
                warned += count > 0
                if count and not first:
                    first = str(chunk.column("warnings")[place].as_py()).partition("\n")[0]
    return [f"{warned:,} of {total:,} replications warned, the first: {first}"] if warned else []
