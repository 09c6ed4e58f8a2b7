"""What kinds of numbers a run's metrics are, by the schemas in which they are stored: without a frame library.

The rule is that of `unify`: logical wherever it is stored is a proportion, whole wherever it is no logical a count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from arro3.core import DataType, Schema

from replicast.core.arrow import fields_of

KEYS = ("scenario", "replication")


@dataclass(frozen=True, slots=True)
class MetricTypes:
    """`names` in order of first appearance; of these, `booleans` are proportions and `whole` counts."""

    names: tuple[str, ...] = ()
    booleans: tuple[str, ...] = ()
    whole: frozenset[str] = frozenset()


def metric_types(schemas: Iterable[Schema]) -> MetricTypes:
    kinds: dict[str, list[DataType]] = {}
    for schema in schemas:
        for field in fields_of(schema):
            kinds.setdefault(field.name, []).append(field.type)
    own = {name: found for name, found in kinds.items() if name not in KEYS}
    booleans = tuple(name for name, found in own.items() if all(map(DataType.is_boolean, found)))
    counted = [name for name, found in own.items() if all(map(_is_whole, found))]
    whole = frozenset(counted).difference(booleans)
    return MetricTypes(tuple(own), booleans, whole)


def _is_whole(kind: DataType) -> bool:
    return DataType.is_boolean(kind) or DataType.is_integer(kind)
