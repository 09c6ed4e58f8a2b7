"""The table of places: a text such as `local`, `slurm` or `dask://HOST:PORT` made into the place that it names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from replicast.core.errors import RequestError, nearest
from replicast.registries import Registry

from .kinds import AtHand, Option, PlaceKind

if TYPE_CHECKING:
    from replicast.core.ports import Place

BUILT_IN: Mapping[str, str] = {
    "local": "replicast.places.built_in:LOCAL",
    "serial": "replicast.places.built_in:SERIAL",
    "slurm": "replicast.places.built_in:SLURM",
    "dask": "replicast.places.built_in:DASK",
    "aws": "replicast.aws.kind:KIND",
}
REGISTRY = Registry("replicast.places", BUILT_IN, PlaceKind)
KINDS = {str: "text", int: "an integer", float: "a number"}


def kind_of(text: str) -> PlaceKind:
    """Raises RequestError where no place is named so."""
    name = text.partition("://")[0]
    kind = REGISTRY.find(name)
    if kind is None:
        raise RequestError(f"there is no place '{name}'{nearest(name, REGISTRY.names())}")
    return kind


def open_place(text: str, options: Mapping[str, Any] | None = None, at_hand: AtHand | None = None) -> Place:
    """The place that a text names. Nothing is started, and nobody asked. Raises RequestError."""
    name, _, address = text.partition("://")
    kind = kind_of(text)
    checked = checked_options(name, kind.options, options or {})
    return kind.open(address.rstrip("/"), checked, at_hand or AtHand())


def checked_options(place: str, known: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Options by key, each of the kind that it should be. Raises RequestError."""
    by_key: dict[str, Option] = {option.key: option for option in known}
    checked: dict[str, Any] = {}
    for name, value in given.items():
        option = by_key.get(name.replace("-", "_"))
        if option is None:
            raise RequestError(f"place '{place}' has no option '{name}'{nearest(name, by_key)}")
        checked[option.key] = _checked(place, option, value)
    return checked


def _checked(place: str, option: Option, value: Any) -> Any:
    values = value if option.many and isinstance(value, (list, tuple)) else [value]
    for one in values:
        fits = isinstance(one, (int, float) if option.kind is float else option.kind) and not isinstance(one, bool)
        if not fits:
            raise RequestError(
                f"option '{option.name}' of place '{place}' takes {KINDS[option.kind]}, and {one!r} is not"
            )
    return list(values) if option.many else value
