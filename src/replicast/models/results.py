"""What a Python model returned, as metrics and tables (the rules of "what a model returns" in the reference)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
from arro3.core import Table

from replicast.core.replication import Metric
from replicast.core.scenarios import LONGEST_NAME

from .columns import UnusableResult, check_name, column_array
from .tables import OURS, as_table, is_column_mapping

REFUSED_TABLES = ("metrics", "replications", "summary")
DEFAULT_TABLE = "table"
Returned = tuple[dict[str, Metric], dict[str, Table]]


def read_result(returned: Any) -> Returned:
    """Metrics and tables of what a model returned. Raises UnusableResult."""
    if type(returned) is float:
        return {"value": returned}, {}
    returned = _named(returned)
    if isinstance(returned, Mapping) and not is_column_mapping(returned):
        return _read_mapping(returned)
    number = as_number(returned)
    if number is not NOT_A_NUMBER and returned is not None:
        return {"value": number}, {}
    table = as_table(returned, DEFAULT_TABLE)
    if table is None:
        raise UnusableResult(f"the model returned {describe(returned)}; {EXPECTED}")
    return {}, {DEFAULT_TABLE: table}


EXPECTED = "it must return a number, named numbers (a dict), a table, or a dict of numbers and tables"


def _read_mapping(returned: Mapping[Any, Any]) -> Returned:
    metrics: dict[str, Metric] = {}
    tables: dict[str, Table] = {}
    nested: dict[str, Mapping[Any, Any]] = {}
    for key, value in returned.items():
        if type(value) is float and type(key) is str and key not in OURS and key not in metrics:
            metrics[key] = value
        else:
            _read_item(str(key), value, metrics, tables, nested)
    if nested:
        metrics = _spread_out(map(str, returned), metrics, nested)
    if not metrics and not tables:
        came = describe(returned) if returned else f"an empty {type(returned).__name__}"
        raise UnusableResult(f"the model returned {came}; {EXPECTED}")
    for name in (*metrics, *tables):
        if not name.isascii() or "\0" in name:
            check_name(name, "the name of a metric or table")
    for name in tables:
        if len(quote(name)) > LONGEST_NAME:
            raise UnusableResult(f"the name of table '{name[:40]}…' is too long for a folder")
    return metrics, tables


def _named(value: Any) -> Any:
    """A pandas Series with texts for labels as a mapping, which it is in all but name; else the value."""
    if hasattr(type(value), "iloc") and not hasattr(type(value), "columns"):
        labels = list(value.index)
        if labels and len(set(labels)) == len(labels) and all(isinstance(label, str) for label in labels):
            return value.to_dict()
    return value


def _read_item(
    name: str,
    value: Any,
    metrics: dict[str, Metric],
    tables: dict[str, Table],
    nested: dict[str, Mapping[Any, Any]],
) -> None:
    number, value = as_number(value), _named(value)
    if number is not NOT_A_NUMBER:
        _add_metric(metrics, name, number)
        return
    if isinstance(value, Mapping) and all(as_number(v) is not NOT_A_NUMBER for v in value.values()):
        nested[name] = value
        return
    table = as_table(value, name)
    if table is None:
        raise UnusableResult(f"'{name}' of what the model returned is {describe(value)}, not a number or a table")
    if name in REFUSED_TABLES:
        raise UnusableResult(f"a table cannot be called '{name}': replicast writes one of that name itself")
    tables[name] = table


def _spread_out(
    order: Iterable[str], metrics: Mapping[str, Metric], nested: Mapping[str, Mapping[Any, Any]]
) -> dict[str, Metric]:
    """The numbers of inner mappings among the others, as `outer.inner` where two would have one name."""
    taken = Counter([*metrics, *(str(inner) for mapping in nested.values() for inner in mapping)])
    found: dict[str, Metric] = {}
    for outer in order:
        for inner, value in nested.get(outer, {}).items():
            name = str(inner)
            _add_metric(found, f"{outer}.{name}" if taken[name] > 1 else name, as_number(value))
        if outer in metrics:
            _add_metric(found, outer, metrics[outer])
    return found


def _add_metric(metrics: dict[str, Metric], name: str, value: Any) -> None:
    if name in OURS:
        return
    if name in metrics:
        raise UnusableResult(f"two metrics are called '{name}'")
    metrics[name] = value


class _NotANumber:
    pass


NOT_A_NUMBER = _NotANumber()


def as_number(value: Any) -> Any:
    """A metric's value (a bool stays one; numpy scalars and arrays without dimension unpacked), or NOT_A_NUMBER."""
    if isinstance(value, bool):
        return value
    if value is None or isinstance(value, (int, float)):
        return _fit(value)
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        item = value.item() if value.dtype.kind != "f" else float(value)
        return as_number(item) if isinstance(item, (bool, int, float)) else NOT_A_NUMBER
    if type(value).__name__ == "NAType":
        return None
    if isinstance(value, (str, bytes, Mapping, Sequence, np.ndarray)) or not hasattr(value, "__float__"):
        return NOT_A_NUMBER
    if hasattr(value, "__arrow_c_stream__") or hasattr(value, "__len__"):
        return NOT_A_NUMBER
    try:
        return float(value)
    except (TypeError, ValueError):
        return NOT_A_NUMBER


def _fit(value: Metric) -> Metric:
    if isinstance(value, int):
        return int(value) if abs(value) < 2**63 else float(value)
    return value if value is None else float(value)


def describe(value: Any) -> str:
    """What came, for a message: its type, and its beginning where that helps."""
    if value is None:
        return "nothing (None)"
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    text = repr(value) if isinstance(value, (str, bytes, list, tuple, set, dict)) else ""
    shown = f" {text if len(text) <= 60 else text[:57] + '…'}" if text else ""
    hint = "; give its numbers names, as in {'wait': 1.5}" if _is_row_of_numbers(value) else ""
    return f"a {kind}{shown}{hint}"


def _is_row_of_numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(as_number(v) is not NOT_A_NUMBER for v in value)


__all__ = [
    "NOT_A_NUMBER",
    "Returned",
    "UnusableResult",
    "as_number",
    "as_table",
    "column_array",
    "describe",
    "read_result",
]
