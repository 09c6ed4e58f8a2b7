"""Designs: many scenarios at once, written row by row or spread over ranges of parameters."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import RequestError
from .parameters import Text
from .ranges import Range

NAMES = "scenario"
"""The column of a design that names its scenarios; without it they are point-0001, point-0002, …"""

NOTE = "note"
"""The column of a design that says something of its scenarios to people, unless the model has such a parameter."""

Points = dict[str, dict[str, Any]]
"""Scenarios of a design by name, in the order of its rows."""


def point_name(number: int) -> str:
    """The same for a point wherever the design ends, so that a longer one still has the shorter one's scenarios."""
    return f"point-{number:04d}"


def points_of_csv(text: str, where: str) -> Points:
    """A scenario for each row and a parameter for each column; an empty cell leaves the model's default.

    Values are texts whose type the model's default decides. Raises RequestError, naming the line, for a table in
    which a name is missing or stands twice, or a row is longer or shorter than its header.
    """
    lines = csv.reader(io.StringIO(text.removeprefix("\ufeff")), skipinitialspace=True)
    header = [name.strip() for name in next(lines, [])]
    _check_header(header, where)
    rows = []
    for cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise RequestError(f"{where}, line {lines.line_num}: {len(cells)} cells under {len(header)} columns")
        pairs = zip(header, (cell.strip() for cell in cells), strict=True)
        rows.append({name: Text(cell) for name, cell in pairs if cell or name == NAMES})
    return points_of_rows(rows, where)


def _check_header(header: Sequence[str], where: str) -> None:
    if not any(header):
        raise RequestError(f"{where} is empty: its first line names the parameters")
    if len(header) == 1 and ";" in header[0]:
        raise RequestError(f"{where} has semicolons between its columns; write it with commas")
    for number, name in enumerate(header, 1):
        if not name:
            hint = "; in R, write.csv(..., row.names = FALSE)" if number == 1 else ""
            raise RequestError(f"{where}: column {number} has no name{hint}")
        if name in header[: number - 1]:
            raise RequestError(f"{where}: two columns are called '{name}'")


def points_of_rows(rows: Iterable[Mapping[str, Any]], where: str) -> Points:
    """As `points_of_csv`, of rows that are mappings already."""
    points: Points = {}
    for number, row in enumerate(rows, 1):
        name = str(row.get(NAMES, point_name(number)))
        if not name:
            raise RequestError(f"{where}: row {number} has no name in the column '{NAMES}'")
        if name in points:
            raise RequestError(f"{where}: two rows are called '{name}'")
        points[name] = {key: value for key, value in row.items() if key != NAMES}
    if not points:
        raise RequestError(f"{where} has no rows, so there is no scenario")
    return points


def spread(unit: Iterable[Sequence[float]], ranges: Mapping[str, Range]) -> Points:
    """Points of the unit cube, a coordinate a range, as scenarios."""
    rows = [{name: own.at(u) for u, (name, own) in zip(point, ranges.items(), strict=True)} for point in unit]
    return points_of_rows(rows, "the design")


def cross_points(
    points: Points, parameters: Mapping[str, Any], scenarios: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Each named scenario at each point, called `SCENARIO,POINT`; without named scenarios, the points themselves.

    Raises RequestError for a parameter that both a point and something else give a value.
    """
    named = dict(scenarios) or {"": {}}
    in_points = {key for point in points.values() for key in point}
    for key in (*parameters, *(key for own in named.values() for key in own)):
        if key in in_points:
            raise RequestError(f"'{key}' is in the design and is also given a value elsewhere; keep one of the two")
    crossed: dict[str, dict[str, Any]] = {}
    for name, own in named.items():
        for point, values in points.items():
            crossed[",".join(filter(None, (name, point)))] = {**own, **values}
    return crossed
