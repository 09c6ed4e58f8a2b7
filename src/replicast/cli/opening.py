"""The run that a command line names."""

from __future__ import annotations

import argparse
from typing import Any

from .screen import say_words


def open_run(chosen: argparse.Namespace) -> Any:
    from replicast.asking.settings import default_store
    from replicast.runs import Run

    run = Run(chosen.store or default_store(), chosen.run)
    for damaged in run.left_out:
        say_words(f"left out: {damaged}")
    return run
