"""Parameter values as R source text: exact, and in ASCII whatever they hold."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from replicast.core.errors import ParameterError

INTEGER_LIMIT = 2**31
EXACT_LIMIT = 2**53
ESCAPED = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
SMALLEST_NORMAL = 2.0**-1022


def literal(value: Any) -> str:
    """The R expression whose value is `value`. Raises ParameterError for what R cannot hold.

    1 → `1L`, 1.0 → `0x1p+0`, True → `TRUE`, None → `NULL`, text → a string; a list of numbers, truths or texts becomes
    a vector in which None is NA; another list, or a dict, becomes an R list.
    """
    if value is None:
        return "NULL"
    if isinstance(value, (bool, int, float, str)):
        return _scalar(value)
    if isinstance(value, Mapping):
        return _named_list(value)
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return _vector(value)
    raise ParameterError(f"a value of type {type(value).__name__} cannot be handed to an R model: {value!r}")


def _scalar(value: bool | int | float | str) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return _whole(value)
    return _double(value) if isinstance(value, float) else _text(value)


def _whole(value: int) -> str:
    if abs(value) < INTEGER_LIMIT:
        return f"{value}L"
    if abs(value) <= EXACT_LIMIT:
        return float(value).hex()
    raise ParameterError(f"the integer {value} is beyond what R holds exactly (2^53); give it as text or as a double")


def _double(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    if 0 < abs(value) < SMALLEST_NORMAL:
        return f"({(value * 2.0**1022).hex()} * 0x1p-1022)"
    return value.hex()


def _text(value: str) -> str:
    if "\0" in value:
        raise ParameterError(f"a text with a zero character cannot be handed to an R model: {value!r}")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ParameterError(f"a text that is not valid Unicode cannot be handed to an R model: {value!r}")
    return '"' + "".join(map(_character, value)) + '"'


def _character(character: str) -> str:
    if character in ESCAPED:
        return ESCAPED[character]
    return character if " " <= character <= "~" else f"\\U{{{ord(character):x}}}"


def _named_list(value: Mapping[Any, Any]) -> str:
    if not value:
        return "structure(list(), names = character())"
    names = ", ".join(_text(str(name)) for name in value)
    return f"structure(list({', '.join(map(literal, value.values()))}), names = c({names}))"


def _vector(values: Sequence[Any]) -> str:
    kinds = {type(value) for value in values} - {type(None)}
    if not values or not (kinds <= {int, float} or kinds in ({bool}, {str})):
        return f"list({', '.join(map(literal, values))})"
    if float in kinds:
        values = [float(value) if isinstance(value, int) else value for value in values]
    return f"c({', '.join('NA' if value is None else _scalar(value) for value in values)})"
