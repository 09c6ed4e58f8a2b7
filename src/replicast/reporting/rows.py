"""Rows of a run as a frame of the reader's choice: `.df()` pandas, `.pl()` polars, `.arrow()` Arrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any, Self

import polars as pl
from arro3.core import Table

from replicast.core.errors import RequestError
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.reporting.tables import RunTables
from replicast.reporting.unify import plain

FAILURE_TYPES = {"replication": pl.Int64(), "attempt": pl.Int64(), "seconds": pl.Float64()}
FAILURE_COLUMNS = (
    "scenario", "replication", "error_kind", "error_type", "error", "traceback", "log", "attempt", "seconds", "worker",
)  # fmt: skip
"""Called as they are where they are stored."""

FORMER_NAMES = {"kind": "error_kind", "type": "error_type", "message": "error", "attempts": "attempt"}
"""Of version 0.1, by which a failure's row still answers."""


class Rows:
    """A table that shows itself well in a notebook. `objects` are its rows as dataclasses, if it was made of some."""

    def __init__(self, frame: pl.DataFrame, objects: Sequence[Any] = ()) -> None:
        self._frame, self.objects = frame, list(objects)

    @classmethod
    def of(cls, rows: Sequence[Any], kind: type) -> Self:
        """A row for each dataclass of one kind; a column for each of its fields, typed as the field is annotated."""
        schema = {f.name: column_type(str(f.type)) for f in fields(kind)}
        return cls(pl.DataFrame([asdict(row) for row in rows], schema=schema), rows)

    @classmethod
    def of_table(cls, store: Store, record: RunRecord, name: str) -> Rows:
        return cls(RunTables(store, record).frame(name))

    @classmethod
    def of_failures(cls, store: Store, record: RunRecord) -> Rows:
        return Failures(failures_frame(store, record))

    @classmethod
    def of_warnings(cls, store: Store, record: RunRecord) -> Rows:
        return cls(warnings_frame(store, record))

    def pl(self) -> pl.DataFrame:
        return self._frame

    def df(self) -> Any:
        """A pandas DataFrame; needs pandas. Integers beside missing values are of pandas' Int64, to keep them exact."""
        try:
            import pandas as pd
        except ImportError:
            raise RequestError(
                "a pandas DataFrame needs pandas: python -m pip install pandas (or take .pl())"
            ) from None

        return pd.DataFrame({name: _series(pd, self._frame[name]) for name in self._frame.columns})

    def arrow(self) -> Table:
        return Table.from_arrow(self._frame)

    def to_dicts(self) -> list[dict[str, Any]]:
        return self._frame.to_dicts()

    def __len__(self) -> int:
        return len(self._frame)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self._frame.iter_rows(named=True)

    def __repr__(self) -> str:
        return repr(self._frame)

    def _repr_html_(self) -> str:
        return self._frame._repr_html_()


class Failure(dict[str, Any]):
    """A row of `Run.failures()`."""

    def __missing__(self, name: str) -> Any:
        return self[FORMER_NAMES[name]]


class Failures(Rows):
    """Rows whose values are also had by their names of version 0.1."""

    def to_dicts(self) -> list[dict[str, Any]]:
        return list(self)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(Failure, super().__iter__())


def column_type(annotation: str) -> pl.DataType:
    """Of a dataclass's field: `int | None` is a column of whole numbers, and so on; what is not known is text."""
    first = annotation.split("|")[0].strip()
    known = {"int": pl.Int64(), "float": pl.Float64(), "bool": pl.Boolean()}
    return known.get(first, pl.String())


def _series(pandas: Any, column: pl.Series) -> Any:
    if column.dtype.is_integer() and column.null_count():
        return pandas.array(column.to_list(), dtype="Int64")
    return column.to_numpy() if column.dtype.is_numeric() and not column.null_count() else column.to_list()


def failures_frame(store: Store, record: RunRecord) -> pl.DataFrame:
    """A row per failed replication, in order of scenario and replication."""
    frames = []
    coverage = store.coverage(record.id)
    for scenario in (s.name for s in record.experiment.scenarios):
        if coverage.failed(scenario):
            for chunk in store.ledger(record.id, scenario):
                frame = plain(pl.DataFrame(chunk)).filter(pl.col("state") == "failed")
                frames.append(frame.select(FAILURE_COLUMNS))
    empty = pl.DataFrame(schema={name: FAILURE_TYPES.get(name, pl.String()) for name in FAILURE_COLUMNS})
    return pl.concat([empty, *frames])


def warnings_frame(store: Store, record: RunRecord) -> pl.DataFrame:
    """A row per replication that warned: how often, and the first of its warnings, each on a line."""
    frames = []
    for scenario in (s.name for s in record.experiment.scenarios):
        for chunk in store.ledger(record.id, scenario):
            frame = plain(pl.DataFrame(chunk)).filter(pl.col("warning_count") > 0)
            count = pl.col("warning_count").cast(pl.Int64).alias("count")
            frames.append(frame.select("scenario", pl.col("replication").cast(pl.Int64), count, "warnings"))
    schema = {"scenario": pl.String(), "replication": pl.Int64(), "count": pl.Int64(), "warnings": pl.String()}
    return pl.concat([pl.DataFrame(schema=schema), *frames])
