"""AWS's prices in US dollars before tax, kept by hand and dated, and what a run would cost by them.

Nobody asks AWS when a run is planned: compare with SOURCES before a decision hangs on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

AS_OF = "2026-11"
SOURCES = (
    "https://aws.amazon.com/lambda/pricing/",
    "https://aws.amazon.com/step-functions/pricing/",
    "https://aws.amazon.com/s3/pricing/",
)


@dataclass(frozen=True, slots=True)
class Prices:
    """`gb_second` is by architecture; `scratch` is a GB-second of /tmp above 512 MB; `stored` a GB in S3 a month."""

    gb_second: Mapping[str, float]
    request: float
    transition: float
    put: float
    get: float
    stored: float
    scratch: float


LAMBDA = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
COMMON = Prices(LAMBDA, 0.20 / 1e6, 0.025 / 1e3, 0.005 / 1e3, 0.0004 / 1e3, 0.023, 0.0000000309)
PRICES: Mapping[str, Prices] = {
    "us-east-1": COMMON,
    "us-east-2": COMMON,
    "us-west-2": COMMON,
    "eu-west-1": COMMON,
    "eu-west-2": Prices(LAMBDA, 0.20 / 1e6, 0.025 / 1e3, 0.0053 / 1e3, 0.00042 / 1e3, 0.024, 0.0000000358),
}
"""First price step of each, for on-demand use. A region that is not here is reckoned as us-east-1, and that is said."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run uses: functions' GB-seconds and requests, state transitions, requests to S3, GB written there."""

    gb_seconds: float
    requests: int
    transitions: int
    puts: int
    gets: int
    gigabytes: float
    scratch_gb_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars by what they are for; storage is for one month. The free tier is not taken off."""

    compute: float
    requests: float
    transitions: float
    store_requests: float
    storage: float

    @property
    def total(self) -> float:
        return self.compute + self.requests + self.transitions + self.store_requests + self.storage


def bill(usage: Usage, region: str, architecture: str) -> Bill:
    prices = PRICES.get(region, COMMON)
    return Bill(
        compute=usage.gb_seconds * prices.gb_second[architecture] + usage.scratch_gb_seconds * prices.scratch,
        requests=usage.requests * prices.request,
        transitions=usage.transitions * prices.transition,
        store_requests=usage.puts * prices.put + usage.gets * prices.get,
        storage=usage.gigabytes * prices.stored,
    )
