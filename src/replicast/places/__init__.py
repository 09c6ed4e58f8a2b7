"""Where a run is carried out, named by text: this machine, a cluster, a cloud, and what plug-ins bring."""

from .kinds import AtHand, Option, PlaceKind
from .registry import open_place

__all__ = ["AtHand", "Option", "PlaceKind", "open_place"]
