"""The places that replicast comes with: their options, declared once, and what opens them, imported only then."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .kinds import AtHand, Open, PlaceKind

if TYPE_CHECKING:
    from replicast.core.ports import Place


def opened_by(module: str, function: str) -> Open:
    """A function of a module that is imported when it is called."""

    def open_place(address: str, options: Mapping[str, Any], at_hand: AtHand) -> Place:
        place: Place = getattr(importlib.import_module(module), function)(address, options, at_hand)
        return place

    return open_place


LOCAL = PlaceKind(opened_by("replicast.places.home", "open_local"), here=True)
SERIAL = PlaceKind(opened_by("replicast.places.home", "open_serial"))
