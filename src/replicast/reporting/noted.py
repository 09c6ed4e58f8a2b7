"""What replications noted of what they returned: what was renamed, converted or not kept."""

from __future__ import annotations

from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.performing.worker import NOTES


def notes_of(store: Store, run: str) -> list[str]:
    """Each sentence once, in order."""
    found = (store.read(run, name) for name in store.documents(run, NOTES))
    return sorted(content.decode() for content in found if content)


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
