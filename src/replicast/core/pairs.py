"""Values of antithetic replications, pair by pair, see `antithetic`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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
