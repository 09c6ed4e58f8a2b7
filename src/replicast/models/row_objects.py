"""Objects with named fields, which are rows in all but type: named tuples, dataclasses, attrs, pydantic, msgspec."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any


def as_mapping(value: Any) -> Any:
    """The fields of such an object by name; anything else as it is."""
    read = reader_of(type(value))
    return value if read is None else read(value)


def reader_of(kind: type) -> Callable[[Any], Mapping[str, Any]] | None:
    """What reads the fields of a type's objects, or None if it is not one of those."""
    if issubclass(kind, tuple):
        return _by_name(kind._fields) if hasattr(kind, "_fields") else None
    for names in ("__dataclass_fields__", "__pydantic_fields__", "__struct_fields__"):
        if hasattr(kind, names):
            return _by_name(getattr(kind, names))
    if hasattr(kind, "__attrs_attrs__"):
        return _by_name(attribute.name for attribute in kind.__attrs_attrs__)
    return None


def _by_name(fields: Iterable[str]) -> Callable[[Any], Mapping[str, Any]]:
    names = tuple(fields)
    return lambda value: {name: getattr(value, name) for name in names}


def as_rows(values: Iterable[Any]) -> list[Mapping[Any, Any]] | None:
    """Every one as a mapping, or None where one is none."""
    readers: dict[type, Callable[[Any], Mapping[Any, Any]] | None] = {}
    rows: list[Mapping[Any, Any]] = []
    for value in values:
        kind = type(value)
        if kind not in readers:
            readers[kind] = _itself if issubclass(kind, Mapping) else reader_of(kind)
        read = readers[kind]
        if read is None:
            return None
        rows.append(read(value))
    return rows


def _itself(row: Mapping[Any, Any]) -> Mapping[Any, Any]:
    return row
