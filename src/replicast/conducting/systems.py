"""On what a run was performed elsewhere: processor, C library and versions, noted there and compared here.

<run>/systems/<digest>.json     what one of the systems is that performed the run
"""

from __future__ import annotations

import hashlib
import json
import platform

from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.models import language_or_any

FOLDER = "systems"


def this_system(record: RunRecord) -> dict[str, str]:
    """The system of this process, with its versions of what a run's model is made of."""
    found = {
        "processor": platform.machine(), "C library": " ".join(platform.libc_ver()).strip(),
    }  # fmt: skip
    return {**found, **language_or_any(record.experiment.model).versions_here(record.versions)}


def note_system(store: Store, record: RunRecord) -> None:
    """Leaves word of this system, by which results may differ from those of another."""
    content = json.dumps(this_system(record), sort_keys=True).encode()
    store.write(record.id, f"{FOLDER}/{hashlib.sha256(content).hexdigest()[:16]}.json", content, new=True)


def other_systems(store: Store, record: RunRecord) -> list[str]:
    """What of the systems that performed the run is otherwise here: the same seed may give other bytes by it."""
    here, lines = this_system(record), list[str]()
    for name in store.documents(record.id, FOLDER):
        there = json.loads(store.read(record.id, name) or b"{}")
        other = (key for key in there if here.get(key) != there[key])
        lines += [f"{key} {there[key]} there, {here.get(key, 'none')} here" for key in other]
    return list(dict.fromkeys(lines))
