"""Antithetic pairs: replication 2i runs on the stream of 2i - 1, and the model mirrors the uniforms that it draws.

The halves of a pair depend on each other, so that a pair is one observation: its mean. Pairs are independent, and n
replications give an interval of n/2 values, with n/2 - 1 degrees of freedom (Law 2015, section 11.3; Hammersley and
Morton 1956).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import RequestError

MIRRORED = 0x1F123BB5159A55E5
"""What tells the fingerprint of a mirrored replication from that of its other half, which drew the same numbers."""


def stream_of(replication: int, antithetic: bool) -> int:
    """The number of the replication whose stream this one runs on."""
    return replication - (antithetic and replication % 2 == 0)


def is_mirrored(replication: int, antithetic: bool) -> bool:
    return antithetic and replication % 2 == 0


def mark(draws: int, replication: int, antithetic: bool) -> int:
    """The fingerprint of what was drawn, see `Outcome.draws`; 0, nothing drawn, stays 0."""
    return draws ^ MIRRORED if draws and is_mirrored(replication, antithetic) else draws


def check_pairs(replications: int, antithetic: bool, what: str = "-n") -> int:
    """Raises RequestError for an odd number of replications that come in pairs."""
    if antithetic and replications % 2:
        raise RequestError(
            f"antithetic replications come in pairs, and {what} {replications} is odd: take {replications + 1}"
        )
    return replications


def refuse_pairs(antithetic: bool, what: str) -> None:
    """Raises RequestError for an estimate that takes each replication for independent of the others."""
    if antithetic:
        raise RequestError(
            f"{what} take every replication for independent of the others, and this run's are antithetic pairs: "
            "run the model without `antithetic` for them"
        )


@dataclass(frozen=True, slots=True)
class Pairs:
    """Values by pair, with NaN where a half has none. `first` and `second` are the halves, one value a pair."""

    first: NDArray[np.float64]
    second: NDArray[np.float64]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Pairs:
        """`values` is by replication number, element i being replication i + 1; a half without its other has NaN."""
        whole = values if len(values) % 2 == 0 else np.append(values, np.nan)
        return cls(whole[0::2], whole[1::2])

    @property
    def means(self) -> NDArray[np.float64]:
        found: NDArray[np.float64] = 0.5 * self.first + 0.5 * self.second
        found[~self.complete] = np.nan
        return found

    @property
    def complete(self) -> NDArray[np.bool_]:
        both: NDArray[np.bool_] = np.isfinite(self.first) & np.isfinite(self.second)
        return both

    @property
    def correlation(self) -> float | None:
        """Of the halves: below 0, pairs are worth their price. None of fewer than three pairs, or of constants."""
        a, b = self.first[self.complete], self.second[self.complete]
        if len(a) < 3 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
            return None
        a, b = (a - a.mean()) / np.ptp(a), (b - b.mean()) / np.ptp(b)
        return float(np.clip(a @ b / np.sqrt((a @ a) * (b @ b)), -1.0, 1.0))

    @property
    def are_equal(self) -> bool:
        """Whether both halves of every pair agree in all bits, though pairs differ."""
        a, b = self.first[self.complete], self.second[self.complete]
        return len(a) > 1 and bool((a == b).all()) and bool(np.ptp(a) > 0.0)


def pair_means(values: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Each metric's means of pairs, of its values by replication number."""
    return {metric: Pairs.of(own).means for metric, own in values.items()}
