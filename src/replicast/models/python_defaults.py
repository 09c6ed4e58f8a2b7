"""Parameters as a Python function's defaults are: what JSON holds, as the tuple, date, array or object meant by it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np

from replicast.core.plain_values import as_plain

OBJECTS = ("__pydantic_fields__", "__dataclass_fields__")


def type_of_default(value: Any) -> str:
    """The `type` of `core.parameters.Parameter`."""
    if isinstance(value, (bool, np.bool_)):
        return "boolean"
    if isinstance(value, (int, np.integer)):
        return "integer"
    if isinstance(value, (float, np.floating)):
        return "double"
    if isinstance(value, datetime.datetime):
        return "time"
    if isinstance(value, datetime.date):
        return "date"
    if is_object(value):
        return "object"
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    if hasattr(type(value), "iloc") and hasattr(type(value), "columns"):
        return "frame"
    return "list" if isinstance(value, (list, tuple, set, frozenset, np.ndarray)) else "other"


def is_object(value: Any) -> bool:
    """A dataclass's or pydantic model's object."""
    return not isinstance(value, type) and any(hasattr(type(value), name) for name in OBJECTS)


def plain_default(value: Any, kind: str) -> Any:
    """What a signature tells of a default: a number or text, the fields of an object; else None."""
    if kind not in ("integer", "double", "boolean", "string", "object"):
        return None
    return _told(as_plain(value))


def _told(value: Any) -> Any:
    """Without what JSON does not hold."""
    if isinstance(value, dict):
        return {str(key): _told(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_told(item) for item in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else None


def like_default(value: Any, default: Any) -> Any:
    """The value as the default is; as it came where no more than JSON's types is asked for."""
    if isinstance(value, Mapping):
        return _object_like(value, default)
    if isinstance(value, list):
        return _list_like(value, default)
    if isinstance(value, str):
        return _text_like(value, default)
    return type(default)(value) if isinstance(default, np.generic) and isinstance(value, (int, float)) else value


def _object_like(value: Mapping[str, Any], default: Any) -> Any:
    kind = type(default)
    if is_object(default):
        fields = {name: like_default(item, getattr(default, name)) for name, item in value.items()}
        if hasattr(kind, "__pydantic_fields__"):
            whole = {name: getattr(default, name) for name in kind.__pydantic_fields__}
            return kind(**(whole | fields))
        return dataclasses.replace(default, **fields)
    if hasattr(kind, "iloc") and hasattr(kind, "columns"):
        return kind(dict(value))
    return value


def _list_like(value: list[Any], default: Any) -> Any:
    if isinstance(default, np.ndarray):
        made = np.asarray(value)
        return made.astype(default.dtype) if np.can_cast(made.dtype, default.dtype, "same_kind") else made
    if not isinstance(default, (tuple, list, set, frozenset)):
        return value
    patterns = list(default)
    items = [like_default(item, patterns[min(i, len(patterns) - 1)]) if patterns else item
             for i, item in enumerate(value)]  # fmt: skip
    if hasattr(type(default), "_fields"):
        return type(default)(*items)
    return items if isinstance(default, list) else type(default)(items)


def _text_like(value: str, default: Any) -> Any:
    if isinstance(default, (datetime.datetime, datetime.date, datetime.time)):
        return type(default).fromisoformat(value)
    return type(default)(value) if isinstance(default, PurePath) else value
