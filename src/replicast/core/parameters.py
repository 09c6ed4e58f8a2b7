"""A model's parameters: what a loaded model says of them, and values brought to their types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import ParameterError, nearest

RESERVED = ("replication", "params", "seed", "rng")
"""Argument names that replicast fills; every other argument of a model is a parameter."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a model. `type` is that of its default: integer, double, boolean, string, null, list or other."""

    name: str
    required: bool = False
    type: str = "other"
    default: Any = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What a loaded model says of itself: its parameters, whether it takes any, and what it ran under.

    `versions` are those of the language and of packages, `outside` is code from elsewhere, see `core.segments`.
    """

    parameters: tuple[Parameter, ...] = ()
    takes_any: bool = False
    uses: tuple[str, ...] = ()
    has_collate: bool = False
    collate_argument: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    outside: Mapping[str, str] = field(default_factory=dict)

    def parameter(self, name: str) -> Parameter | None:
        return next((p for p in self.parameters if p.name == name), None)

    def takes_as_parameter(self, reserved: str) -> bool:
        """Whether a parameter of that reserved name would reach the model, and not be lost to what replicast fills."""
        return self.takes_any and (reserved not in self.uses or "params" in self.uses)


class Text(str):
    """A value typed on a command line, whose type the model's default decides."""

    __slots__ = ()


def parse_text(text: str) -> Any:
    """The value that a text most plainly means where no default says: 12 → int, 1.5 → float, true → bool, else text."""
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
    return str(text)


def _fits(value: Any, parameter: Parameter) -> Any:
    """`value` as the parameter's type, or ValueError."""
    if isinstance(value, Text):
        return _text_fits(value, parameter)
    kind = parameter.type
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "double" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    expected: dict[str, type | tuple[type, ...]] = {
        "integer": int, "double": float, "boolean": bool, "string": str, "list": (list, dict, int, float, str, bool),
    }  # fmt: skip
    if value is None or kind not in expected:
        return value
    if not isinstance(value, expected[kind]) or (kind == "integer" and isinstance(value, bool)):
        raise ValueError(value)
    return value


def _text_fits(text: Text, parameter: Parameter) -> Any:
    kind = parameter.type
    if kind == "string":
        return str(text)
    if kind == "list":
        return [parse_text(part) for part in text.strip("[]").split(";" if ";" in text else ",")]
    value = parse_text(text)
    if kind == "double" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind == "boolean" and value in (0, 1):
        return bool(value)
    wanted = {"integer": int, "double": float, "boolean": bool}.get(kind)
    if wanted is not None and value is not None and type(value) is not wanted:
        raise ValueError(text)
    return value


ARTICLES = {
    "integer": "an integer",
    "double": "a number",
    "boolean": "true or false",
    "string": "text",
    "list": "a list",
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
        try:
            fitted[name] = _fits(as_plain(value), parameter or Parameter(name))
        except (ValueError, OverflowError):
            expected = ARTICLES[parameter.type] if parameter else "?"
            message = f"parameter '{name}' of {model} takes {expected}, and '{value}' is not"
            raise ParameterError(message) from None
        if isinstance(fitted[name], Text):
            fitted[name] = parse_text(fitted[name])
    missing = [p.name for p in signature.parameters if p.required and p.name not in fitted]
    if missing:
        raise ParameterError(f"{model} needs a value for '{missing[0]}': give it with --param {missing[0]}=VALUE")
    return fitted


def as_plain(value: Any) -> Any:
    """A parameter's value in the types that JSON gives back: no numpy scalar, tuple or subclass of a number or text."""
    if isinstance(value, dict):
        return {key: as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(item) for item in value]
    if isinstance(value, Text) or value is None or type(value) is bool:
        return value
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    for kind in (bool, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str.__str__(value) if isinstance(value, str) else value
