"""Tables are written straight from Arrow with the bytes that polars would write."""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from arro3.core import Array, DataType, Table
from hypothesis import example, given
from hypothesis import strategies as st

from replicast.core.arrow import table_of
from replicast.reporting.straight import NotStraight, straight_schema, write_straight
from replicast.reporting.writers import WRITERS, write_frames

KINDS = {"number": DataType.float64(), "count": DataType.int64(), "word": DataType.utf8(), "late": DataType.bool()}
texts = st.sampled_from(["NA", 'q"u"o', "a,b", "new\nline", "\r", " s ", "null", "#x", "ü"]) | st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6
)
rows = st.tuples(
    st.none() | st.floats(-9e15, 9e15) | st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 5e-324, 1e-5, 1e-7]),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | texts,
    st.none() | st.booleans(),
)


def table(listed: list[tuple[Any, ...]]) -> Table:
    own = zip(*listed, strict=True)
    keys = {"scenario": Array(["a,b"] * len(listed), DataType.utf8()), "replication": Array(range(1, len(listed) + 1),
            DataType.int64())}  # fmt: skip
    columns = {name: Array(list(values), kind) for (name, kind), values in zip(KINDS.items(), own, strict=True)}
    return table_of(keys | columns)


def both(written: list[Table], folder: Path, file_format: str) -> tuple[bytes, bytes]:
    """What is written straight, and what polars writes."""
    schema = straight_schema([written[0].schema], booleans=True)
    assert schema is not None
    straight, framed = folder / "straight", folder / "framed"
    frames = [pl.DataFrame(one) for one in written]
    assert write_straight(written, schema, straight, file_format) == sum(map(len, frames))
    write_frames(frames, dict(frames[0].schema), framed, WRITERS[file_format])
    return straight.read_bytes(), framed.read_bytes()


@example([(1e-5, 2**53 + 1, "one", True), (None, None, None, None)])
@given(st.lists(rows, min_size=1, max_size=20))
def test_csv_is_what_polars_writes(tmp_path_factory: pytest.TempPathFactory, listed: list[tuple[Any, ...]]) -> None:
    straight, framed = both([table(listed)] * 2, tmp_path_factory.mktemp("csv"), "csv")
    assert straight == framed


def test_doubles_of_all_magnitudes_are_written_as_polars_writes_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    numbers = rng.integers(0, 2**64, 200_000, dtype=np.uint64).view(np.float64)
    numbers = np.concatenate(
        [numbers[np.abs(numbers) < 1e16], rng.normal(size=50_000) * 10.0 ** rng.integers(-9, 15, 50_000)]
    )
    made = table_of({"a": Array(np.round(numbers, 2)), "b": Array(numbers)})
    straight, framed = both([made], tmp_path, "csv")
    assert straight == framed


@pytest.mark.parametrize("value", [1e16, -3.5e200])
def test_large_doubles_and_empty_texts_are_left_to_polars(tmp_path: Path, value: float) -> None:
    for large in ([(value, 1, "x", None)], [(1.5, 1, "", None)]):
        schema = straight_schema([table(large).schema], booleans=True)
        assert schema is not None
        with pytest.raises(NotStraight):
            write_straight([table([(1.0, 1, "x", True)]), table(large)], schema, tmp_path / "t.csv", "csv")
        assert list(tmp_path.iterdir()) == []


def test_row_groups_do_not_hang_on_how_rows_came(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    whole = table_of({"replication": Array(np.arange(230_000)), "x": Array(rng.random(230_000))})
    cuts = [0, 1, 99_999, 100_003, 230_000]
    parts = [whole.slice(a, b - a) for a, b in pairwise(cuts)]
    straight, framed = both([whole], tmp_path, "parquet")
    assert straight == framed
    assert both(parts, tmp_path, "parquet") == (straight, framed)
    read = pl.read_parquet(tmp_path / "straight")
    assert read.equals(pl.DataFrame(whole))


def test_what_has_to_be_unified_is_not_written_straight() -> None:
    own = table([(1.0, 1, "x", True)]).schema
    assert straight_schema([own, own], booleans=True) is None
    assert straight_schema([own], booleans=False) is None
    assert straight_schema([table_of({"scenario": Array(["a"], DataType.utf8())}).schema], booleans=True) is None
    dated = table_of({"a": Array([1], DataType.int64()), "b": Array([1], DataType.int32()).cast(DataType.date32())})
    assert straight_schema([dated.schema], booleans=True) is None
