"""Rows are cut and ordered by replication, and keep the order in which the model gave them."""

from __future__ import annotations

import numpy as np
from arro3.core import Array, DataType, Table
from hypothesis import given, settings
from hypothesis import strategies as st

from replicast.stores.reading import keep_replications, order_by_replication, replications_of


def table(numbers: list[int], start: int = 0) -> Table:
    """Rows of the given replications, numbered so that no two rows of all tables are alike."""
    return Table.from_pydict({
        "replication": Array(np.array(numbers, dtype=np.int64)),
        "row": Array(list(range(start, start + len(numbers))), DataType.int64()),
    })  # fmt: skip


def rows(found: Table) -> list[tuple[int, int]]:
    columns = [found.column(name).to_pylist() for name in ("replication", "row")]
    return list(zip(*columns, strict=True))


lengths = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 4)), max_size=10, unique_by=lambda pair: pair[0])


@given(lengths, st.integers(0, 35), st.integers(0, 35))
def test_kept_rows_are_those_of_the_replications_asked_for(
    wanted: list[tuple[int, int]], first: int, last: int
) -> None:
    numbers = [number for number, length in sorted(wanted) for _ in range(length)]
    whole = table(numbers)
    kept = keep_replications(whole, first, max(first, last))
    assert rows(kept) == [row for row in rows(whole) if first <= row[0] <= max(first, last)]


@settings(max_examples=150)
@given(lengths, st.data())
def test_tables_of_several_schemas_are_read_one_replication_after_the_other(
    wanted: list[tuple[int, int]], data: st.DataObject
) -> None:
    of = {number: data.draw(st.integers(0, 2)) for number, _ in wanted}
    tables = []
    for which in range(3):
        numbers = [number for number, length in sorted(wanted) if of[number] == which for _ in range(length)]
        tables.append(table(numbers, start=1000 * which))
    read = [row for piece in order_by_replication(tables) for row in rows(piece)]
    assert sorted(read) == sorted(row for one in tables for row in rows(one))
    assert [number for number, _ in read] == sorted(number for number, _ in read)
    for number in of:
        own = [row for replication, row in read if replication == number]
        assert own == sorted(own)


def test_a_table_without_rows_has_no_replications() -> None:
    assert replications_of(table([])).tolist() == []
    assert list(order_by_replication([table([]), table([])])) == []


def test_replications_are_read_across_chunks() -> None:
    chunked = Table.from_batches([*table([1, 1]).to_batches(), *table([2]).to_batches()])
    assert replications_of(chunked).tolist() == [1, 1, 2]
    assert rows(keep_replications(chunked, 2, 2)) == [(2, 0)]
