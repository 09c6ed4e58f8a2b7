"""What one replication leaves behind, and the batches in which replications travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from arro3.core import Table

    from .factor_levels import FactorLevels

Metric = bool | int | float | None
"""A metric's value: a boolean is a proportion, an integer a count. None is a missing value (R's NA); NaN and infinities
are kept as they are."""

FailureKind = Literal["error", "died", "timeout", "lost", "memory"]
"""`error`: the model raised. `died`: its process ended. `timeout`: it took too long. `lost`: nobody could have it.
`memory`: it used too much."""

RETRIED: frozenset[FailureKind] = frozenset({"died", "timeout"})
"""Kinds of failure that another attempt may mend; a model's error is its answer."""

LOG_LIMIT = 64 * 1024
WARNINGS_KEPT = 10


@dataclass(frozen=True, slots=True)
class Batch:
    """Replications `first` to `last` (both included, numbered from 1) of one scenario."""

    scenario: str
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a replication has no result. `type` is an exception class, a signal's name or a reason in one word."""

    kind: FailureKind
    type: str
    message: str
    traceback: str = ""


class Outcome(msgspec.Struct):  # made in half a dataclass's time, which counts where a model takes microseconds
    """One replication as it ended: a row of metrics, tables and kept files, or a failure.

    `seconds` is wall time inside the model. `draws` fingerprints the final state of the random number generators that
    the model was given: 0 where it drew from none of them. Two outcomes that are equal in metrics, tables and `draws`
    are copies of one replication. `folder` holds files to be kept as artefacts; whoever saves the outcome empties it.
    `notes` are sentences for whoever reads the run: what was renamed, converted or not kept. `levels` are those of
    factors in its tables, as far as the process has not told them before.
    `fingerprint` is given where the outcome comes from another store, which knew `draws`; else it is computed.
    """

    scenario: str
    replication: int
    seconds: float
    metrics: Mapping[str, Metric] = msgspec.field(default_factory=dict)
    tables: Mapping[str, Table] = msgspec.field(default_factory=dict)
    failure: Failure | None = None
    draws: int = 0
    log: str = ""
    warnings: tuple[str, ...] = ()
    warning_count: int = 0
    folder: str | None = None
    worker: str = ""
    attempt: int = 1
    fingerprint: int | None = None
    notes: tuple[str, ...] = ()
    levels: tuple[FactorLevels, ...] = ()
