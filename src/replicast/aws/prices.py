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
    "https://aws.amazon.com/cloudwatch/pricing/",
    "https://aws.amazon.com/rds/pricing/",
    "https://aws.amazon.com/fargate/pricing/",
    "https://aws.amazon.com/vpc/pricing/",
)


@dataclass(frozen=True, slots=True)
class Prices:
    """`gb_second` is by architecture; `scratch` is a GB-second of /tmp above 512 MB; `stored` a GB in S3 a month.

    A listing costs what a `put` does. `logged` is a GB taken in by CloudWatch Logs.
    """

    gb_second: Mapping[str, float]
    request: float
    transition: float
    put: float
    get: float
    stored: float
    scratch: float
    logged: float = 0.50


LAMBDA = {"x86_64": 0.0000166667, "arm64": 0.0000133334}
COMMON = Prices(LAMBDA, 0.20 / 1e6, 0.025 / 1e3, 0.005 / 1e3, 0.0004 / 1e3, 0.023, 0.0000000309)
PRICES: Mapping[str, Prices] = {
    "us-east-1": COMMON,
    "us-east-2": COMMON,
    "us-west-2": COMMON,
    "eu-west-1": COMMON,
    "eu-west-2": Prices(LAMBDA, 0.20 / 1e6, 0.025 / 1e3, 0.0053 / 1e3, 0.00042 / 1e3, 0.024, 0.0000000358, 0.5985),
}
"""First price step of each, for on-demand use. A region that is not here is reckoned as us-east-1, and that is said."""

DATABASES: Mapping[str, Mapping[str, float]] = {
    "us-east-1": {"db.t4g.micro": 0.016, "db.t4g.small": 0.032, "db.t4g.medium": 0.065},
    "eu-west-2": {"db.t4g.micro": 0.018, "db.t4g.small": 0.036},
}
"""Dollars an hour, in one zone, PostgreSQL; a database costs them whether anything runs or not.

A region, or a class in a region, that is not here is reckoned as in us-east-1.
"""

FARGATE = {
    "us-east-1": {"x86_64": (0.04048, 0.004445), "arm64": (0.03238, 0.00356)},
    "eu-west-2": {"x86_64": (0.04656, 0.00511), "arm64": (0.03725, 0.00409)},
}
"""Dollars an hour of a processor, and of a GB of memory; another region is reckoned as us-east-1.

Compared in 2026-11: us-east-1 with cloudburn.io/blog/aws-fargate-pricing (AWS's price list of March 2026), with
factualminds.com (June 2026), with vantage.sh/blog/fargate-pricing (arm64), and with AWS's own example on
aws.amazon.com/ecs/pricing, $0.000011244 a second of a processor. In 2026-12, but for transitions, all of eu-west-2 with
a public repository's reading of AWS's price lists of that region, published from 2026-09-11 to 2026-10-06
(pricing.us-east-1.amazonaws.com/offers/v1.0/aws/SERVICE/current/eu-west-2/index.json).
"""

ADDRESS = 0.005
"""Dollars an hour of a public IPv4 address, since 2024-02 (aws.amazon.com/vpc/pricing); Lambda needs none."""

MONTH_HOURS = 730.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run uses: functions' GB-seconds and requests, state transitions, requests to S3, GB written there.

    `lists` are listings in S3, `logged` the GB that functions log, `database_hours` those of its database.
    """

    gb_seconds: float
    requests: int
    transitions: int
    puts: int
    gets: int
    gigabytes: float
    scratch_gb_seconds: float = 0.0
    lists: int = 0
    logged: float = 0.0
    database_hours: float = 0.0


@dataclass(frozen=True, slots=True)
class Bill:
    """Dollars by what they are for; storage is for one month. The free tier is not taken off."""

    compute: float
    requests: float
    transitions: float
    store_requests: float
    storage: float
    logs: float = 0.0
    database: float = 0.0

    @property
    def total(self) -> float:
        of_the_run = self.compute + self.requests + self.transitions + self.store_requests + self.storage
        return of_the_run + self.logs + self.database


def database_price(database: str, region: str) -> float | None:
    """Dollars an hour; None where it is not known."""
    return DATABASES.get(region, {}).get(database, DATABASES["us-east-1"].get(database))


def bill(usage: Usage, region: str, architecture: str, database: str = "") -> Bill:
    """`database` is the class of the instance that the results go to, empty for none or one of an unknown price."""
    prices = PRICES.get(region, COMMON)
    return Bill(
        compute=usage.gb_seconds * prices.gb_second[architecture] + usage.scratch_gb_seconds * prices.scratch,
        requests=usage.requests * prices.request,
        transitions=usage.transitions * prices.transition,
        store_requests=(usage.puts + usage.lists) * prices.put + usage.gets * prices.get,
        storage=usage.gigabytes * prices.stored,
        logs=usage.logged * prices.logged,
        database=usage.database_hours * (database_price(database, region) or 0.0),
    )
