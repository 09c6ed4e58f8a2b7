"""Values as they are typed: NAME=VALUE, grids, scenarios, and an output that has to be a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from replicast.core.errors import RequestError

PAIRS = {"[": "]", "{": "}", "(": ")"}


def split_outside(text: str) -> list[str]:
    """Parts between commas, of which those within brackets or JSON's quotes part nothing: `w=[1,2],s=a`.

    Where brackets do not close, they are signs like any other.
    """
    parts, closing, quoted, escaped = [""], list[str](), False, False
    for sign in text:
        at_start = not parts[-1] or parts[-1].endswith("=")
        if sign == "," and not closing and not quoted:
            parts.append("")
            continue
        if sign == '"' and not escaped and (quoted or closing or at_start):
            quoted = not quoted
        elif not quoted and sign in PAIRS:
            closing.append(PAIRS[sign])
        elif not quoted and closing and sign == closing[-1]:
            closing.pop()
        escaped = sign == "\\" and not escaped
        parts[-1] += sign
    return text.split(",") if closing or quoted else parts


def key_values(text: str, option: str) -> dict[str, Any]:
    """`k=v,k=v` → texts whose type the model decides."""
    from replicast.core.parameters import Text

    found: dict[str, Any] = {}
    for part in filter(None, split_outside(text)):
        key, separator, value = part.partition("=")
        if not separator or not key.strip():
            raise RequestError(f"{option} takes NAME=VALUE, and '{part}' is not of that form")
        add_values(found, {key.strip(): Text(unquoted(value))}, option)
    return found


def unquoted(value: str) -> str:
    """A text in quotes for the sake of its commas, without them."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' and "," in value else value


def add_values(found: dict[str, Any], more: dict[str, Any], option: str) -> None:
    """Raises RequestError for a name that has a value already: which of the two is meant?"""
    for name in found.keys() & more.keys():
        raise RequestError(f"{option} gives '{name}' two values; keep one of the two")
    found |= more


def one_key_value(text: str, option: str) -> dict[str, Any]:
    from replicast.core.parameters import Text

    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise RequestError(f"{option} takes NAME=VALUE, and '{text}' is not of that form")
    return {key.strip(): Text(value)}


def grid_values(text: str) -> dict[str, list[Any]]:
    from replicast.core.parameters import Text

    key, separator, values = text.partition("=")
    if not separator or not key.strip() or not values:
        raise RequestError(f"--grid takes NAME=VALUE,VALUE,…, and '{text}' is not of that form")
    return {key.strip(): [Text(unquoted(value)) for value in split_outside(values)]}


def named_scenario(text: str) -> tuple[str, dict[str, Any]]:
    name, _, values = text.partition(":")
    if not name.strip():
        raise RequestError(f"--scenario takes NAME:K=V,K=V, and '{text}' is not of that form")
    return name.strip(), key_values(values, "--scenario")


def check_output(chosen: argparse.Namespace) -> None:
    """Refuses before anything is simulated what no folder can be written to afterwards."""
    if chosen.output:
        chosen.output = str(Path(chosen.output).expanduser())
    if chosen.output is not None and (
        not chosen.output or (Path(chosen.output).exists() and not Path(chosen.output).is_dir())
    ):
        raise RequestError(f"-o takes a folder, and '{chosen.output}' is not one")
