"""`environment`: what it takes to build again the environment in which a run's model ran."""

from __future__ import annotations

import argparse

from .opening import open_run
from .screen import print_json, say_note, show


def environment(chosen: argparse.Namespace) -> int:
    """For a model in Python a requirements.txt, for one in R the lines that install its packages."""
    from replicast.models import language_or_any

    handle = open_run(chosen)
    record = handle.record
    model, versions = record.experiment.model, record.versions
    if chosen.json:
        print_json({"run": record.id, "language": language_or_any(model).title or model.language,
                    "versions": dict(versions), "outside": dict(record.outside)})  # fmt: skip
        return 0
    show("\n".join(handle.environment()))
    for name, content in record.outside.items():
        say_note(f"imported from outside the project, and from no index: {name} ({content.partition('  ')[2]})")
    return 0
