"""A model's parameters: what a loaded model says of them, and values brought to their types."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ParameterError, nearest
from .plain_values import Text, as_plain, columns_of, parse_json, parse_text

RESERVED = ("replication", "params", "seed", "seed32", "rng", "antithetic")
"""Argument names that replicast fills; every other argument of a model is a parameter."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a model. `type` is that of its default: integer, double, boolean, string, null, list, date, time,
    object (with named fields, whose values are in `default`), frame, named (an R vector) or other.

    `optional`: it is annotated to take None. `numeric`: the default is a vector that holds nothing but numbers.
    """

    name: str
    required: bool = False
    type: str = "other"
    default: Any = None
    optional: bool = False
    numeric: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """What a loaded model says of itself: its parameters, whether it takes any, and what it ran under.

    `versions` are those of the language and of packages, `outside` is code from elsewhere, see `core.segments`.
    `warnings` are those of the language's compiler, on the model's source.
    """

    parameters: tuple[Parameter, ...] = ()
    takes_any: bool = False
    uses: tuple[str, ...] = ()
    has_collate: bool = False
    collate_argument: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    outside: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    def recorded(self) -> dict[str, Any]:
        """What a run's record keeps of it; `like_default`: parameters that reach the model as their defaults are."""
        structured = [p.name for p in self.parameters if p.type in ("date", "time", "frame", "named", "list")]
        return {
            "uses": list(self.uses), "has_collate": self.has_collate, "collate_argument": self.collate_argument,
            "like_default": structured,
        }  # fmt: skip

    def takes_as_parameter(self, reserved: str) -> bool:
        """Whether a parameter of that reserved name would reach the model, and not be lost to what replicast fills."""
        return self.takes_any and (reserved not in self.uses or "params" in self.uses)


def _fits(value: Any, parameter: Parameter) -> Any:
    """`value` as the parameter's type, or ValueError."""
    kind = parameter.type
    typed = isinstance(value, Text)
    if typed:
        value = _meant(value, kind)
    if value is None:
        if kind in ("integer", "double", "boolean") and not (typed or parameter.optional):
            raise ValueError(value)
        return value
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "double" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in STRUCTURED:
        return STRUCTURED[kind](value, parameter)
    expected: dict[str, type | tuple[type, ...]] = {
        "integer": int, "double": float, "boolean": bool, "string": str, "list": (list, dict, int, float, str, bool),
        "named": (list, dict, int, float, str, bool),
    }  # fmt: skip
    if parameter.numeric and not _is_numeric(value):
        raise ValueError(value)
    if kind not in expected:
        return value
    if not isinstance(value, expected[kind]) or (kind == "integer" and isinstance(value, bool)):
        raise ValueError(value)
    return value


def _is_numeric(value: Any) -> bool:
    """Whether a value, or all that a list or dict holds, are numbers or missing."""
    if isinstance(value, (list, dict)):
        return all(map(_is_numeric, value.values() if isinstance(value, dict) else value))
    return value is None or isinstance(value, (bool, int, float)) or value in ("NA", "NaN", "Inf", "-Inf")


def _meant(text: Text, kind: str) -> Any:
    """What a text of the command line means to a parameter of that type."""
    if kind in ("string", "date", "time"):
        return str(text)
    structure = parse_json(text)
    if structure is not None:
        return structure
    if text.strip()[:1] == "{" and kind in ARTICLES:
        raise ValueError(text)
    if kind in ("list", "named"):
        return [parse_text(part) for part in text.strip("[]").split(";" if ";" in text else ",")]
    value = parse_text(text)
    return bool(value) if kind == "boolean" and value in (0, 1) else value


def _as_date(value: Any, _parameter: Parameter) -> Any:
    """ISO 8601 dates; of a date-time its day, where that is all it says."""
    if isinstance(value, list):
        return [_as_date(item, _parameter) for item in value]
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - as for every value that does not fit
    return datetime.date.fromisoformat(value.removesuffix("T00:00:00")).isoformat()


def _as_time(value: Any, _parameter: Parameter) -> Any:
    if isinstance(value, list):
        return [_as_time(item, _parameter) for item in value]
    if not isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - as for every value that does not fit
    return datetime.datetime.fromisoformat(value).isoformat()


def _as_object(value: Any, parameter: Parameter) -> Any:
    """Fields by name, each in the type of its default. Raises ParameterError for a name that is no field."""
    if not isinstance(value, dict):
        raise ValueError(value)  # noqa: TRY004 - as for every value that does not fit
    defaults = parameter.default
    for name in value:
        if name not in defaults:
            raise ParameterError(f"parameter '{parameter.name}' has no field '{name}'{nearest(name, defaults)}")
    own = {name: Parameter(f"{parameter.name}.{name}", False, *_type_of(defaults[name])) for name in value}
    return {name: fit_value(item, own[name], "the model") for name, item in value.items()}


def _type_of(default: Any) -> tuple[str, Any]:
    """The type of a field, of which only the plain value is known here."""
    kinds: dict[type, str] = {bool: "boolean", int: "integer", float: "double", str: "string", dict: "object"}
    kind = kinds.get(type(default), "list" if isinstance(default, list) else "other")
    return ("other" if kind == "object" and not default else kind), default


STRUCTURED: dict[str, Callable[[Any, Parameter], Any]] = {
    "date": _as_date,
    "time": _as_time,
    "object": _as_object,
    "frame": lambda value, _parameter: columns_of(value),
}


def fit_value(value: Any, parameter: Parameter, model: str) -> Any:
    """Raises ParameterError for a value that does not fit."""
    try:
        return _fits(value, parameter)
    except (ValueError, OverflowError):
        expected = "a list of numbers" if parameter.numeric else ARTICLES.get(parameter.type, "another value")
        raise ParameterError(
            f"parameter '{parameter.name}' of {model} takes {expected}, and '{value}' is not"
        ) from None


ARTICLES = {
    "integer": "an integer",
    "double": "a number",
    "boolean": "true or false",
    "string": "text",
    "list": "a list",
    "named": "a list",
    "date": "a date, as 2026-11-25",
    "time": "a date and time, as 2026-11-25T14:30:00",
    "object": 'its fields by name, as {"beds": 12}',
    "frame": 'columns of one length, as {"beds": [12, 14]}, or a list of rows',
}


def fit_parameters(given: Mapping[str, Any], signature: Signature, model: str) -> dict[str, Any]:
    """`given` with each value in the type of the model's default.

    Raises ParameterError for a name that the model does not have, a value that does not fit, or a missing required one.
    """
    fitted: dict[str, Any] = {}
    for name, value in given.items():
        parameter = signature.parameter(name)
        if parameter is None and name in RESERVED and not signature.takes_as_parameter(name):
            raise ParameterError(f"'{name}' is filled by replicast; it cannot be given as a parameter")
        if parameter is None and not signature.takes_any:
            known = nearest(name, (p.name for p in signature.parameters)) or " (it has no parameters)"
            raise ParameterError(f"{model} has no parameter '{name}'{known}")
        fitted[name] = fit_value(as_plain(value), parameter or Parameter(name), model)
    missing = [p.name for p in signature.parameters if p.required and p.name not in fitted]
    if missing:
        raise ParameterError(f"{model} needs a value for '{missing[0]}': give it with --param {missing[0]}=VALUE")
    return fitted


__all__ = ["RESERVED", "Parameter", "Signature", "Text", "as_plain", "fit_parameters", "fit_value", "parse_text"]
