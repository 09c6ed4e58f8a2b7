"""Parameters in the types that JSON gives back, and texts of a command line as the values that they mean."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from typing import Any


class Text(str):
    """A value typed on a command line, whose type the model's default decides."""

    __slots__ = ()


def parse_text(text: str) -> Any:
    """The value that a text most plainly means where no default says: 12 → int, 1.5 → float, true → bool, else text.

    JSON lists and objects are what they say.
    """
    lowered = text.strip().lower()
    if lowered in ("true", "false"):
        return lowered == "true"
    if lowered in ("null", "none"):
        return None
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    structure = parse_json(text)
    return str(text) if structure is None else structure


def parse_json(text: str) -> Any:
    """The list or dict that a text is as JSON; None where it is neither."""
    if text.strip()[:1] not in ("[", "{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def as_plain(value: Any) -> Any:
    """A parameter's value in the types that JSON gives back.

    No numpy scalar or array, tuple, set or subclass of a number or text; dates and times as ISO 8601 writes them; a
    dataclass, pydantic object or pandas frame as the dict that it is.
    """
    if isinstance(value, Text) or value is None or type(value) is bool:
        return value
    if isinstance(value, Mapping):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_plain(item) for item in value]
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if (fields := _fields_of(value)) is not None:
        return as_plain(fields)
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    elif hasattr(value, "tolist") and hasattr(value, "ndim"):
        return as_plain(value.tolist())
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str.__str__(value) if isinstance(value, str) else value


def _fields_of(value: Any) -> Mapping[str, Any] | None:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if hasattr(type(value), "__pydantic_fields__"):
        return {name: getattr(value, name) for name in type(value).__pydantic_fields__}
    if hasattr(type(value), "iloc") and hasattr(type(value), "columns"):
        return {str(name): value[name].tolist() for name in value.columns}
    return None


def columns_of(value: Any) -> dict[str, list[Any]]:
    """A dict of columns, or a list of rows, as columns of one length. Raises ValueError."""
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        names = dict.fromkeys(name for row in value for name in row)
        return {name: [row.get(name) for row in value] for name in names}
    if not isinstance(value, dict):
        raise ValueError(value)  # noqa: TRY004 - as for every value that does not fit
    columns = {name: own if isinstance(own, list) else [own] for name, own in value.items()}
    if len({len(own) for own in columns.values()}) > 1:
        raise ValueError(value)
    return columns
