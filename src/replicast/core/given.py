"""Types of what users give in Python, where no command line or TOML file has seen to them."""

from __future__ import annotations

import numbers
import operator
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import RequestError


def whole_number(value: Any, name: str) -> int | None:
    """The value as an int, be it Python's or numpy's. Raises RequestError, also for True and False."""
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise RequestError(f"{name} takes an integer, and {value!r} is not")
    return operator.index(value)


def check_seconds(value: Any, name: str) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, numbers.Real)):
        raise RequestError(f"{name} takes seconds, and {value!r} is not a number")


def check_text(value: Any, name: str) -> None:
    if not isinstance(value, str | None):
        raise RequestError(f"{name} takes text, and {value!r} is not")


def check_choice(value: Any, choices: Sequence[str], name: str) -> None:
    if value not in choices:
        listed = " or ".join(f"'{choice}'" for choice in choices)
        raise RequestError(f"{name} takes {listed}, and {value!r} is not")


def check_mapping(value: Any, name: str) -> None:
    """Refuses what is no mapping from texts."""
    if not isinstance(value, Mapping):
        raise RequestError(f"{name} takes a dict, and {value!r} is not")
    for key in value:
        if not isinstance(key, str):
            raise RequestError(f"the names in {name} are texts, and {key!r} is not")
