"""Options that belong to a place, as `--slurm-partition`: declared by the place, once, and typed here."""

from __future__ import annotations

import argparse
from typing import Any

from replicast.core.errors import RequestError
from replicast.places.kinds import Option
from replicast.places.registry import REGISTRY

from .parser import Parser

DESTINATION = "place_options"


def add_place_options(parser: Parser, *, plug_ins: bool) -> None:
    for place in REGISTRY.names() if plug_ins else REGISTRY.built_in:
        try:
            kind = REGISTRY.find(place)
        except RequestError:  # a plug-in that cannot be loaded is complained of by whoever asks for it
            continue
        if kind is None:
            continue
        for option in kind.options:
            parser.add_argument(
                flag_of(place, option), type=option.kind, action="append", metavar=option.shown, help=option.help,
                default=[], dest=f"{DESTINATION}.{place}.{option.key}",
            )  # fmt: skip


def flag_of(place: str, option: Option) -> str:
    return option.flag or f"--{place}-{option.name}"


def place_options(chosen: argparse.Namespace, on: str) -> dict[str, Any]:
    """What was typed for the place `on`, by key. Raises RequestError for what is another place's."""
    wanted, found = on.partition("://")[0], dict[str, Any]()
    for name, values in vars(chosen).items():
        _, place, key = name.split(".") if name.startswith(f"{DESTINATION}.") else ("", "", "")
        if not place or not values:
            continue
        kind = REGISTRY.find(place)
        option = next(one for one in kind.options if one.key == key) if kind else Option(key, "")
        if place != wanted:
            raise RequestError(f"{flag_of(place, option)} is of the place '{place}': say --on {place} too")
        if len(values) > 1 and not option.many:
            raise RequestError(f"{flag_of(place, option)} is given {len(values)} times; keep one")
        found[key] = values if option.many else values[0]
    return found
