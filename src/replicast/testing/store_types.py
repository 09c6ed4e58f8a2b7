"""One column of every type that a store keeps, with the values that stores get wrong."""

from __future__ import annotations

from arro3.core import Array, DataType

NAN, INF = float("nan"), float("inf")
DAY, SECOND = 86_400, 1_000_000
YEAR_1, YEAR_1000, YEAR_9999 = -719_162, -354_285, 2_932_896
"""Days from 1970-01-01 to the first days of the years 1 and 1000, and to the last one of 9999."""

MOMENTS = [
    0, None, -1, 1_700_000_000 * SECOND + 123_456, YEAR_1000 * DAY * SECOND, YEAR_1 * DAY * SECOND - 1,
    YEAR_9999 * DAY * SECOND + 5, 2**55,
]  # fmt: skip
"""Microseconds since 1970: also before the first and after the last date that some databases know."""


def _cast(values: list[int | None], kind: DataType) -> Array:
    return Array(values, DataType.int64()).cast(kind)


TYPED_COLUMNS: dict[str, Array] = {
    "double": Array([NAN, INF, -INF, -0.0, 5e-324, 0.1 + 0.2, None, 1.7976931348623157e308], DataType.float64()),
    "integer": Array([2**63 - 1, -(2**63), 2**53 + 1, 0, -1, None, 7, 8], DataType.int64()),
    "logical": Array([True, False, None, True, False, None, True, True], DataType.bool()),
    "nothing": Array([None] * 8, DataType.bool()),
    "text": Array(["", None, "NA", "NULL", "a\0b", "\\N,\t\n\"'", "ä 医 😀", " end "], DataType.utf8()),
    "date": Array([0, None, -1, YEAR_1, YEAR_1000, YEAR_9999, -800_000, 3_000_000], DataType.int32()).cast(
        DataType.date32()
    ),
    "time": _cast(MOMENTS, DataType.timestamp("us")),
    "utc": _cast(MOMENTS, DataType.timestamp("us", tz="UTC")),
    "vienna": _cast(MOMENTS, DataType.timestamp("us", tz="Europe/Vienna")),
    "nanoseconds": _cast([0, None, -1, 1_700_000_000_123_456_789, 5, 1000, -1999, 2**62], DataType.timestamp("ns")),
    "milliseconds": _cast([0, None, -1, 1_700_000_000_123, 5, 6, 7, 8], DataType.timestamp("ms", tz="UTC")),
    "seconds": _cast([0, None, -1, 1_700_000_000, 5, 6, 7, 8], DataType.timestamp("s")),
}
