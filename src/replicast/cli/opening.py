"""The run that a command line names."""

from __future__ import annotations

import argparse
from typing import Any

from .screen import say_words


def open_run(chosen: argparse.Namespace, place: str | None = None) -> Any:
    """The run; where no store is named, in that of the `place`, if one is given that has its own."""
    from replicast.asking.settings import default_store
    from replicast.runs import Run

    own = None
    if place and not chosen.store:
        from replicast.places.registry import open_place

        own = open_place(place).store()
    run = Run(own or chosen.store or default_store(), chosen.run)
    for damaged in run.left_out:
        say_words(f"left out: {damaged}")
    return run
