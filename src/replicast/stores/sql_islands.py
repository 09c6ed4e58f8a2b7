"""Unbroken stretches of numbers, found by the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa


def islands(kept: Any, where: sa.ColumnElement[bool], by: Sequence[Any]) -> sa.Select[Any]:
    """(…by, first, last) of unbroken stretches of replications: those whose number less their rank is the same."""
    rank = sa.func.row_number().over(partition_by=by, order_by=kept.replication)
    numbered = sa.select(*by, kept.replication, (kept.replication - rank).label("island")).where(where).subquery()
    own = [numbered.c[column.name] for column in by]
    number = numbered.c.replication
    ends = (sa.func.min(number).label("first"), sa.func.max(number).label("last"))
    return sa.select(*own, *ends).group_by(*own, numbered.c.island).order_by(*own, sa.text("first"))
