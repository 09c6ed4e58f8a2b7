"""What a Python model returned, as metrics and tables (the rules of "what a model returns" in the reference)."""

from __future__ import annotations

import datetime
import enum
from collections import Counter, deque
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, Sequence, Set, ValuesView
from typing import Any
from urllib.parse import quote

import numpy as np
from arro3.core import Table

from replicast.core.arrow import table_of
from replicast.core.replication import Metric
from replicast.core.scenarios import LONGEST_NAME

from .columns import (
    BEYOND,
    LABELS,
    Noted,
    UnusableResult,
    beyond_doubles,
    check_name,
    column_array,
    ignore_note,
    is_long,
    label_of,
)
from .pandas_frames import free_name
from .row_objects import as_mapping, as_rows
from .tables import ANY_KEYS, OURS, Keys, as_table, as_vector, is_column_mapping

REFUSED_TABLES = ("metrics", "replications", "summary")
DEFAULT_TABLE = "table"
TEXTS = "texts"
"""The table of texts that stand beside numbers and tables: a row each, `name` and `text`."""

DURATIONS = (datetime.timedelta, np.timedelta64)
Returned = tuple[dict[str, Metric], dict[str, Table]]


def read_numbers(returned: Any) -> Returned | None:
    """What most models return, read fast: a float, or a dict of numbers and nothing else; None for all else."""
    if type(returned) is float:
        return {"value": returned}, {}
    return _plain_numbers(returned) if type(returned) is dict else None


def read_result(returned: Any, noted: Noted = ignore_note, keys: Keys = ANY_KEYS) -> Returned:
    """Metrics and tables of what a model returned. Raises UnusableResult."""
    if numbers := read_numbers(returned):
        return numbers
    returned = _named(returned)
    if isinstance(returned, Mapping) and not is_column_mapping(returned):
        return _plain_numbers(returned) or _Reading(noted, keys).read(returned)
    number = _noted_number("value", returned, noted)
    if number is not NOT_A_NUMBER and returned is not None:
        return {"value": number}, {}
    table = as_table(returned, DEFAULT_TABLE, keys, noted)
    if table is None:
        raise UnusableResult(f"the model returned {describe(returned)}; {EXPECTED}")
    return {}, {DEFAULT_TABLE: table}


EXPECTED = "it must return a number, named numbers (a dict), a table, or a dict of numbers and tables"


def _plain_numbers(returned: Mapping[Any, Any]) -> Returned | None:
    """Named integers and floats and nothing else; None for any other mapping."""
    metrics: dict[str, Metric] = {}
    for key, value in returned.items():
        kind = type(value)
        fits = kind is float or (kind is int and -(2**63) < value < 2**63)
        if not fits or type(key) is not str or key in OURS or not key.isascii() or "\0" in key:
            return None
        metrics[key] = value
    return (metrics, {}) if metrics else None


def _named(value: Any) -> Any:
    """A pandas Series with texts for labels, or an object with named fields, as the mapping that it is; else itself."""
    if hasattr(type(value), "iloc") and not hasattr(type(value), "columns"):
        labels = list(value.index)
        if labels and len(set(labels)) == len(labels) and all(isinstance(label, str) for label in labels):
            return value.to_dict()
    return as_mapping(value)


class _Reading:
    """What one mapping holds, item by item."""

    def __init__(self, noted: Noted, keys: Keys) -> None:
        self.noted, self.keys = noted, keys
        self.metrics: dict[str, Metric] = {}
        self.tables: dict[str, Table] = {}
        self.nested: dict[str, dict[str, Metric]] = {}
        self.texts: dict[str, str] = {}

    def read(self, returned: Mapping[Any, Any]) -> Returned:
        refuse_unequal(returned)
        metrics = self.metrics
        for key, value in returned.items():
            self._take(str(key), value)
        if self.nested:
            metrics = _spread_out(map(str, returned), metrics, self.nested)
        if self.texts:
            self._keep_texts()
        if not metrics and not self.tables:
            came = describe(returned) if returned else f"an empty {type(returned).__name__}"
            raise UnusableResult(f"the model returned {came}; {EXPECTED}")
        check_result_names(metrics, self.tables)
        return metrics, self.tables

    def _take(self, name: str, value: Any) -> None:
        number = self._number(name, value)
        if number is not NOT_A_NUMBER and name in OURS:
            self.noted(f"the model's own metric '{name}' is left out: results are known by a column of that name")
        elif number is not NOT_A_NUMBER:
            _add_metric(self.metrics, name, number)
        elif (text := as_text(value)) is not None:
            self.texts[name] = text
        elif isinstance(named := _named(value), Mapping) and all(map(is_single, named.values())):
            self._take_nested(name, named)
        else:
            self._take_table(name, named)

    def _number(self, name: str, value: Any) -> Any:
        if not isinstance(value, DURATIONS):
            return _noted_number(name, value, self.noted)
        self.noted(f"'{name}' is a duration: its value is in seconds")
        try:
            seconds = value / np.timedelta64(1, "s") if isinstance(value, np.timedelta64) else value.total_seconds()
        except TypeError:
            raise UnusableResult(f"'{name}' is in months or years, which have no one length in seconds") from None
        return float(seconds) if value == value else None

    def _take_nested(self, outer: str, mapping: Mapping[Any, Any]) -> None:
        self.nested[outer] = {}
        for inner, value in mapping.items():
            number = self._number(f"{outer}.{inner}", value)
            if number is NOT_A_NUMBER:
                self.texts[f"{outer}.{inner}"] = as_text(value) or ""
            else:
                _add_metric(self.nested[outer], str(inner), number)

    def _take_table(self, name: str, value: Any) -> None:
        table = as_table(value, name, self.keys, self.noted)
        if table is None:
            table = as_vector(value, name, self.noted)
        if table is None and is_opaque(value):
            self.noted(f"'{name}' is {describe(value)}: it is not kept")
            return
        if table is None:
            raise UnusableResult(
                f"'{name}' of what the model returned is {describe(value)}, not a number or a table{_cure(value)}"
            )
        if name in REFUSED_TABLES:
            raise UnusableResult(f"a table cannot be called '{name}': replicast writes one of that name itself")
        self.tables[name] = table

    def _keep_texts(self) -> None:
        name = free_name(TEXTS, self.tables)
        columns = {"name": [*self.texts], "text": [*self.texts.values()]}
        self.tables[name] = table_of({key: column_array(column, name, key) for key, column in columns.items()})


def _noted_number(name: str, value: Any, noted: Noted) -> Any:
    """`as_number`, and a note of what loses digits by it. Raises UnusableResult for what no double holds."""
    try:
        number = as_number(value)
    except OverflowError:
        raise beyond_doubles(f"'{name}' is", value) from None
    if isinstance(value, (int, np.integer)) and isinstance(number, float):
        noted(f"'{name}' {BEYOND}")
    elif is_long(value):
        noted(f"'{name}' is a decimal of more digits than a double has: the nearest double is kept")
    return number


def check_result_names(metrics: Mapping[str, Metric], tables: Mapping[str, Table]) -> None:
    for name in (*metrics, *tables):
        if not name.isascii() or "\0" in name:
            check_name(name, "the name of a metric or table")
    for name in tables:
        if len(quote(name)) > LONGEST_NAME:
            raise UnusableResult(f"the name of table '{name[:40]}…' is too long for a folder")


def refuse_unequal(returned: Mapping[Any, Any]) -> None:
    """Refuses lists beside nothing but lists of other lengths, which are a table where their lengths are equal."""
    lists = [value for value in returned.values() if isinstance(value, (list, tuple, np.ndarray))]
    if (
        len(lists) < 2
        or len(lists) < len(returned)
        or any(as_rows(value[:1]) for value in lists if np.ndim(value) == 1)
    ):
        return
    if len({len(value) for value in lists if np.ndim(value)}) > 1:
        first = next(iter(returned))
        raise UnusableResult(
            f"'{first}' of what the model returned is {describe(returned[first])}, and the other lists have not the "
            "same length, so that they are no columns of one table; where each is a table of its own, give it rows, "
            "as in {'waits': [{'wait': 1.5}, ...]}"
        )


def is_single(value: Any) -> bool:
    """Whether a value is a number, a duration or a text."""
    return as_number(value) is not NOT_A_NUMBER or as_text(value) is not None or isinstance(value, DURATIONS)


def is_opaque(value: Any) -> bool:
    """Whether it is no number and holds none that can be listed: an environment, a fitted model, a function."""
    listing = ("__iter__", "__len__", "__getitem__", "__array__", "__dataframe__", "collect_schema")
    return not isinstance(value, complex) and not any(hasattr(type(value), name) for name in listing)


def as_text(value: Any) -> str | None:
    """What is known by how it is written: a text, a date or time, a member of an enumeration; else None."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, np.datetime64):
        return str(value)
    return label_of(value) if isinstance(value, enum.Enum) or type(value).__name__ in LABELS else None


def _spread_out(
    order: Iterable[str], metrics: Mapping[str, Metric], nested: Mapping[str, Mapping[str, Metric]]
) -> dict[str, Metric]:
    """The numbers of inner mappings among the others, as `outer.inner` where two would have one name."""
    taken = Counter([*metrics, *(inner for mapping in nested.values() for inner in mapping)])
    found: dict[str, Metric] = {}
    for outer in order:
        for inner, value in nested.get(outer, {}).items():
            _add_metric(found, f"{outer}.{inner}" if taken[inner] > 1 or inner in OURS else inner, value)
        if outer in metrics:
            _add_metric(found, outer, metrics[outer])
    return found


def _add_metric(metrics: dict[str, Metric], name: str, value: Any) -> None:
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
    if type(value).__name__ in ("NAType", "MaskedConstant"):
        return None
    if isinstance(value, np.generic) or (isinstance(value, np.ndarray) and value.ndim == 0):
        item = value.item() if value.dtype.kind != "f" else float(value)
        return as_number(item) if isinstance(item, (bool, int, float)) else NOT_A_NUMBER
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


def _cure(value: Any) -> str:
    if isinstance(value, Mapping) and value:
        return "; name what is in it one level up, as in {'icu.wait': 1.5, 'icu.patients': [...]}"
    if isinstance(value, (Iterator, Set, ValuesView, ItemsView, KeysView, range, deque)):
        return "; make a list of it"
    if hasattr(type(value), "collect_schema"):
        return "; collect() it"
    if isinstance(value, np.ndarray) and value.ndim > 1:
        return f"; its shape is {value.shape}: make it a table, as in pandas.DataFrame(x, columns=['wait', 'stay'])"
    return ""


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
