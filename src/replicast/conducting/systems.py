"""On what a run was performed elsewhere: processor, C library and versions, noted there and compared here.

<run>/systems/<digest>.json     what one of the systems is that performed the run
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import shutil
import subprocess
from collections.abc import Iterable, Mapping

from replicast.core.ports import Store
from replicast.core.record import RunRecord

FOLDER = "systems"
ASK_R = (
    "for (n in commandArgs(TRUE)) cat(n, tryCatch(as.character(if (n == 'R') getRversion() else packageVersion(n)), "
    "error = function(e) '-'), '\\n')"
)
R_SECONDS = 60.0


def this_system(versions: Mapping[str, str]) -> dict[str, str]:
    """The system of this process, with its versions of what a run's model is made of (`versions` names it)."""
    found = {
        "processor": platform.machine(), "C library": " ".join(platform.libc_ver()).strip(),
    }  # fmt: skip
    if "R" in versions:
        return found | _r_versions(versions)
    found |= {"python": platform.python_version()} if "python" in versions else {}
    for name in versions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _r_versions(names: Iterable[str]) -> dict[str, str]:
    """Empty where no R answers."""
    program = shutil.which("Rscript")
    if program is None:
        return {}
    command = [program, "--vanilla", "-e", ASK_R, *(name for name in names if name not in ("replicast", "python"))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=R_SECONDS)
    except subprocess.TimeoutExpired:
        return {}
    pairs = (line.split() for line in done.stdout.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[1] != "-"}


def note_system(store: Store, record: RunRecord) -> None:
    """Leaves word of this system, by which results may differ from those of another."""
    content = json.dumps(this_system(record.versions), sort_keys=True).encode()
    store.write(record.id, f"{FOLDER}/{hashlib.sha256(content).hexdigest()[:16]}.json", content, new=True)


def other_systems(store: Store, record: RunRecord) -> list[str]:
    """What of the systems that performed the run is otherwise here: the same seed may give other bytes by it."""
    here, lines = this_system(record.versions), list[str]()
    for name in store.documents(record.id, FOLDER):
        there = json.loads(store.read(record.id, name) or b"{}")
        other = (key for key in there if here.get(key) != there[key])
        lines += [f"{key} {there[key]} there, {here.get(key, 'none')} here" for key in other]
    return list(dict.fromkeys(lines))
