"""Frames and series of pandas as columns, with their labels, without importing pandas."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from arro3.core import Array

from .columns import IN_SECONDS, Noted, column_array, ignore_note, in_microseconds, is_zone, timestamps

ROW_LABELS = "index"
"""The column of labels that have no name, as pandas' own reset_index calls it."""


def columns_of_frame(frame: Any, table: str, noted: Noted = ignore_note) -> dict[str, Array]:
    """Labels that say more than the rows' order come first."""
    names = list(map(str, frame.columns))
    columns = labels_of(frame.index, table, names, noted)
    for position, name in enumerate(names):
        columns[name] = column_of_series(frame.iloc[:, position], table, name, noted)
    return columns


def columns_of_series(series: Any, table: str, name: str, noted: Noted) -> dict[str, Array]:
    return labels_of(series.index, table, [name], noted) | {name: column_of_series(series, table, name, noted)}


def labels_of(index: Any, table: str, taken: Collection[str], noted: Noted) -> dict[str, Array]:
    names = list(index.names)
    if names == [None] and _counts(index):
        return {}
    columns: dict[str, Array] = {}
    for level, own in enumerate(names):
        unnamed = ROW_LABELS if len(names) == 1 and ROW_LABELS not in taken else f"level_{level}"
        name = free_name(unnamed if own is None else str(own), [*columns, *taken])
        columns[name] = column_of_series(index.get_level_values(level).to_series(), table, name, noted)
    return columns


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, or the first of `name_1`, `name_2`, … that is not taken."""
    free, number = name, 0
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


def _counts(index: Any) -> bool:
    """Whether labels are 0..n-1, which is no more than the rows' order."""
    if len(index) == 0:
        return True
    if not isinstance(index.dtype, np.dtype) or index.dtype.kind not in "iu":
        return False
    return bool((index.to_numpy() == np.arange(len(index))).all())


def column_of_series(series: Any, table: str, name: str, noted: Noted) -> Array:
    kind = getattr(series.dtype, "kind", "O")
    if kind in "iufb" and isinstance(series.dtype, np.dtype):
        return column_array(series.to_numpy(), table, name, noted)
    if kind == "M":
        zone = getattr(series.dtype, "tz", None)
        where = f"column '{name}' of table '{table}'"
        plain = series if zone is None else series.dt.tz_convert("UTC").dt.tz_localize(None)
        ticks = in_microseconds(plain.to_numpy(), where, noted)
        return timestamps(ticks, None if zone is None else str(zone) if is_zone(str(zone)) else "UTC")
    if kind == "m":
        noted(f"column '{name}' of table '{table}' {IN_SECONDS}")
        return column_array(series.dt.total_seconds().to_numpy(), table, name)
    missing = series.isna().to_numpy()
    return column_array([None if m else v for v, m in zip(series, missing, strict=True)], table, name, noted)
