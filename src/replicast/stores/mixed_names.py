"""Names that are a metric in some replications of a run and something else in the others, which one cannot tell alone.

An R vector of length one is a number to R; longer ones are tables of one column. An inner mapping's number is called
`wait` where it is the only one of that name, and `icu.wait` where it is not. Either would be a metric in just those
replications where it happens so, and its mean no mean of anything. It is judged here, over the whole run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from arro3.core import Array, ChunkedArray, Schema, Table

from replicast.core.arrow import fields_of, table_of
from replicast.core.ports import Store
from replicast.core.record import RunRecord

from .reading import order_by_replication, replications_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Numbers = dict[str, NDArray[np.int64]]
    """Sorted numbers of replications, by scenario."""

METRICS = "metrics"
KEYS = ("scenario", "replication")
VALUE = "value"
"""The column of a table that is a vector without names."""

Schemas = Mapping[str, Sequence[Schema]]


def mixed_names(store: Store, record: RunRecord, schemas: Schemas) -> dict[str, str]:
    """Metrics that are none, each with a sentence that says why."""
    metrics = list(dict.fromkeys(name for own in schemas.get(METRICS, ()) for name in own.names if name not in KEYS))
    vectors = [name for name in metrics if _is_vector(schemas.get(name, ()))]
    longer = _longer_names(metrics)
    asked = {*vectors, *longer, *(name for names in longer.values() for name in names)}
    if not asked:
        return {}
    present = _replications_with(store, record, asked)
    found = {}
    for name in vectors:
        others = {s.name: _replications_of_table(store, record, name, s.name) for s in record.experiment.scenarios}
        if _are_apart(present[name], [others]):
            found[name] = _vector_note(name, present[name], record, store)
    for name, names in longer.items():
        if _are_apart(present[name], [present[other] for other in names]):
            found[name] = (
                f"'{name}' is called {', '.join(names)} in replications where two numbers have that name: it is no "
                "metric; give its numbers names that are the same in every replication"
            )
    return found


def _is_vector(schemas: Sequence[Schema]) -> bool:
    return bool(schemas) and all([n for n in own.names if n not in KEYS] == [VALUE] for own in schemas)


def _longer_names(metrics: Iterable[str]) -> dict[str, list[str]]:
    """For each metric those of the same name with an outer one before it, as `icu.wait` to `wait`."""
    known, found = set(metrics), dict[str, list[str]]()
    for name in metrics:
        pieces = name.split(".") if "." in name else []
        for start in range(1, len(pieces)):
            if (inner := ".".join(pieces[start:])) in known:
                found.setdefault(inner, []).append(name)
    return found


def _replications_with(store: Store, record: RunRecord, names: Iterable[str]) -> dict[str, Numbers]:
    """For each metric the replications that returned it."""
    import numpy as np

    found: dict[str, dict[str, list[NDArray[np.int64]]]] = {name: {} for name in names}
    for scenario in (s.name for s in record.experiment.scenarios):
        for chunk in store.rows(record.id, METRICS, scenario):
            there, numbers = {*chunk.column_names}, replications_of(chunk)
            for name in found.keys() & there:
                own = found[name].setdefault(scenario, [])
                own.append(numbers[_is_there(chunk.column(name))])
    return {name: {s: np.concatenate(pieces) for s, pieces in own.items()} for name, own in found.items()}


def _is_there(column: ChunkedArray) -> NDArray[np.bool_]:
    import numpy as np

    if not column.null_count:
        return np.ones(len(column), dtype=bool)
    return np.array([value is not None for value in column.to_pylist()])


def _replications_of_table(store: Store, record: RunRecord, table: str, scenario: str) -> NDArray[np.int64]:
    import numpy as np

    pieces = [np.unique(replications_of(chunk)) for chunk in store.rows(record.id, table, scenario)]
    return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *pieces]))


def _are_apart(own: Numbers, others: Sequence[Numbers]) -> bool:
    """Whether a name is there, and in no replication beside one of the others."""
    import numpy as np

    if not any(len(numbers) for numbers in own.values()):
        return False
    return not any(
        len(np.intersect1d(numbers, other.get(scenario, np.empty(0, dtype=np.int64))))
        for other in others
        for scenario, numbers in own.items()
    )


def _vector_note(name: str, present: Numbers, record: RunRecord, store: Store) -> str:
    coverage, single = store.coverage(record.id), sum(map(len, present.values()))
    total = sum(last - first + 1 for s in record.experiment.scenarios for first, last in coverage.ok(s.name))
    return (
        f"'{name}' is a vector, of one value in {single:,} of {total:,} replications: it is a table, and its numbers "
        "are no metric; return a number by a name of its own to have it summarised"
    )


def with_lone_values(store: Store, run: str, table: str, scenario: str) -> Iterator[Table]:
    """The rows of a table of vectors, with those that were stored as numbers, one replication after the other."""
    lone = [_as_rows(chunk, table) for chunk in store.rows(run, METRICS, scenario) if table in chunk.column_names]
    yield from order_by_replication([*store.rows(run, table, scenario), *lone])


def _as_rows(chunk: Table, name: str) -> Table:
    import numpy as np

    places = np.flatnonzero(_is_there(chunk.column(name)))
    columns = {"scenario": "scenario", "replication": "replication", VALUE: name}
    return table_of({ours: _taken(chunk.column(theirs), places) for ours, theirs in columns.items()})


def _taken(column: ChunkedArray, places: NDArray[np.int64]) -> Array:
    return column.combine_chunks().take(Array.from_numpy(places))


def lone_schemas(schemas: Schemas, name: str) -> list[Schema]:
    """What `with_lone_values` adds to the schemas of a table of vectors."""
    found = []
    for own in schemas.get(METRICS, ()):
        kinds = {field.name: field for field in fields_of(own)}
        if name in kinds:
            found.append(Schema([*(kinds[key] for key in KEYS), kinds[name].with_name(VALUE)]))
    return found
