"""Scenarios: named sets of parameter values, crossed with a grid."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .errors import ParameterError, RequestError

DEFAULT_SCENARIO = "base"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A named set of parameter values; `index` is its place in the experiment, from 0.

    `note` is what people wrote beside it in their design; it decides no number.
    """

    name: str
    parameters: Mapping[str, Any]
    index: int = 0
    note: str = ""


def label_of(value: Any) -> str:
    """A parameter value as it stands in a scenario's name."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def cross(
    parameters: Mapping[str, Any],
    scenarios: Mapping[str, Mapping[str, Any]],
    grid: Mapping[str, Sequence[Any]],
) -> tuple[Scenario, ...]:
    """All scenarios of an experiment: named ones crossed with the full factorial of the grid, in the order given.

    A scenario of a grid is named by its point (`arrival_rate=5.0`), after the name of the scenario it is crossed with.
    """
    named = dict(scenarios) or {"": {}}
    grid = {name: values.tolist() if hasattr(values, "tolist") else values for name, values in grid.items()}
    for name, values in grid.items():
        if isinstance(values, (str, bytes)) or not isinstance(values, Sequence) or not values:
            raise RequestError(f"grid.{name} takes a list of values, and {values!r} is not one")
        if name in parameters or any(name in own for own in named.values()):
            raise RequestError(f"'{name}' is in the grid and is also given a value elsewhere; keep one of the two")
    points = [dict(zip(grid, point, strict=True)) for point in itertools.product(*grid.values())]
    crossed: dict[str, dict[str, Any]] = {}
    for (name, own), point in itertools.product(named.items(), points):
        parts = [name] if name else []
        parts += [f"{key}={label_of(value)}" for key, value in point.items()]
        full = ",".join(parts) or DEFAULT_SCENARIO
        if full in crossed:
            raise RequestError(f"two scenarios would be called '{full}'; each value of a grid may stand in it once")
        crossed[full] = {**parameters, **own, **point}
    return tuple(Scenario(name, values, i) for i, (name, values) in enumerate(crossed.items()))


LONGEST_NAME = 240
"""Bytes of a scenario's name as a folder is called by it; file systems end at 255."""

SCENARIO_NAME = re.compile(r"[^\x00-\x1f\x7f/\\]{1,200}")


def check_scenarios(scenarios: Iterable[Scenario]) -> None:
    """Refuses names that could not stand in a file's name, and parameter values that cannot be written as JSON."""
    for scenario in scenarios:
        if not SCENARIO_NAME.fullmatch(scenario.name) or scenario.name in (".", "..") or not _is_text(scenario.name):
            raise RequestError(
                f"a scenario cannot be called {scenario.name!r}: use letters, digits, and any of - _ . , ="
            )
        if len(quote(scenario.name, safe=" ,+-_@~")) > LONGEST_NAME:
            raise RequestError(f"the name of scenario {scenario.name[:40]!r}… is too long for a folder; shorten it")
        for name, value in scenario.parameters.items():
            if not _is_plain(value):
                raise ParameterError(
                    f"parameter '{name}' is a {type(value).__name__}; parameters are numbers, texts, booleans, "
                    "None, and lists and dicts of these"
                )


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_is_plain(item) for item in value)
    return value is None or isinstance(value, (bool, int, float)) or (isinstance(value, str) and _is_text(value))


def _is_text(value: str) -> bool:
    """Whether a file can hold it: a command line may bring bytes that are no UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in value)
