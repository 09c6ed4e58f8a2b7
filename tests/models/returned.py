"""What a Python model returned, as the tests look at it."""

from __future__ import annotations

import datetime
import math
import zoneinfo
from typing import Any

from arro3.core import Table

from replicast.models.results import read_result

NAN, INF = math.nan, math.inf
UTC = datetime.UTC
LONDON, ZULU = zoneinfo.ZoneInfo("Europe/London"), zoneinfo.ZoneInfo("UTC")


def metrics(returned: Any) -> dict[str, Any]:
    return read_result(returned)[0]


def columns(table: Table) -> dict[str, list[Any]]:
    return {name: table.column(name).to_pylist() for name in table.column_names}


def table(returned: Any, name: str = "table") -> dict[str, list[Any]]:
    """The columns of the one table that was returned."""
    tables = read_result(returned)[1]
    assert list(tables) == [name]
    return columns(tables[name])


def kinds(returned: Any) -> dict[str, str]:
    found = read_result(returned)[1]["table"]
    return {n: str(found.schema.field(n).type).split("<")[1].split(">")[0] for n in found.column_names}


def exact(value: Any) -> Any:
    """A value that compares by bits."""
    if isinstance(value, dict):
        return {key: exact(item) for key, item in value.items()}
    if isinstance(value, list):
        return [exact(item) for item in value]
    return (type(value).__name__, repr(value))
