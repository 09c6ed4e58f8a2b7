"""Antithetic pairs: replication 2i runs on the stream of 2i - 1, and the model mirrors the uniforms that it draws.

The halves of a pair depend on each other, so that a pair is one observation: its mean. Pairs are independent, and n
replications give an interval of n/2 values, with n/2 - 1 degrees of freedom (Law 2015, section 11.3; Hammersley and
Morton 1956).
"""

from __future__ import annotations

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
