"""`artefacts`: the files that replications left."""

from __future__ import annotations

import argparse

from .opening import open_run
from .screen import print_json, say_words, show


def artefacts(chosen: argparse.Namespace) -> int:
    handle = open_run(chosen)
    found = handle.artefacts(chosen.output, chosen.scenario, chosen.name)
    if chosen.json:
        print_json([
            {"scenario": one.scenario, "replication": one.replication, "name": one.name, "file": str(one.file)}
            for one in found
        ])  # fmt: skip
        return 0
    for one in found:
        show(one.file)
    if not found:
        named = f" called '{chosen.name}'" if chosen.name else ""
        say_words(f"no replication of run {handle.id} left a file{named}; keep them with --keep")
    return 0
