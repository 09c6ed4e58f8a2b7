"""Cutting and ordering of stored rows by replication; numpy is imported where there is something to cut or to order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from arro3.core import DataType, Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def replications_of(table: Table) -> NDArray[np.int64]:
    import numpy as np

    chunks = table.column("replication").chunks
    return np.concatenate([chunk.to_numpy() for chunk in chunks]) if chunks else np.empty(0, dtype=np.int64)


def doubles(table: Table, name: str) -> NDArray[np.float64]:
    """A column of numbers or booleans as doubles, a missing value as NaN."""
    import numpy as np

    column = table.column(name)
    if column.null_count or DataType.is_boolean(column.type):
        return np.array([np.nan if value is None else float(value) for value in column.to_pylist()])
    return np.concatenate([np.empty(0), *(chunk.to_numpy() for chunk in column.chunks)])


def keep_replications(table: Table, first: int, last: int) -> Table:
    """The rows of replications first..last of a table that is ordered by replication."""
    if not table.num_rows:
        return table
    column = table.column("replication")
    if first <= column[0].as_py() and column[-1].as_py() <= last:
        return table
    import numpy as np

    numbers = replications_of(table)
    start, end = np.searchsorted(numbers, [first, last + 1])
    return table.slice(int(start), int(end - start))


def order_by_replication(tables: Sequence[Table]) -> Iterator[Table]:
    """The rows of several ordered tables, of which each has other replications, one replication after the other."""
    import numpy as np

    runs = []
    for which, table in enumerate(tables):
        numbers = replications_of(table)
        starts = np.flatnonzero(np.diff(numbers, prepend=numbers[:1] - 1)).tolist()
        ends = [*starts[1:], len(numbers)] if starts else []
        runs += [(int(numbers[a]), which, int(a), int(b)) for a, b in zip(starts, ends, strict=True)]
    for _, which, start, end in sorted(runs):
        yield tables[which].slice(start, end - start)
