"""The places that replicast comes with: their options, declared once, and what opens them, imported only then."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .kinds import AtHand, Open, Option, PlaceKind

if TYPE_CHECKING:
    from replicast.core.ports import Place


def opened_by(module: str, function: str) -> Open:
    """A function of a module that is imported when it is called."""

    def open_place(address: str, options: Mapping[str, Any], at_hand: AtHand) -> Place:
        place: Place = getattr(importlib.import_module(module), function)(address, options, at_hand)
        return place

    return open_place


LOCAL = PlaceKind(opened_by("replicast.places.home", "open_local"), here=True)
SLURM_OPTIONS = (
    Option("partition", "which partition", shown="NAME"),
    Option("account", "which account is charged", shown="NAME"),
    Option("time", "the time limit of a task, as Slurm takes it: 2:00:00", shown="LIMIT"),
    Option("cpus", "processors of a task, and replications at once in it (default: 1)", int, "N"),
    Option("minutes", "how long a task should take, by what replications take (default: 30)", float, "M"),
    Option("setup", "a line run before Python in each task: 'module load R/4.4' (repeatable)", shown="LINE", many=True),
    Option("option", "any further option of sbatch: '--mem=4G' (repeatable)", shown="OPTION", many=True),
)
SLURM = PlaceKind(opened_by("replicast.places.slurm", "open_place"), SLURM_OPTIONS)
DASK = PlaceKind(opened_by("replicast.places.dask", "open_place"))
SERIAL = PlaceKind(opened_by("replicast.places.home", "open_serial"))
