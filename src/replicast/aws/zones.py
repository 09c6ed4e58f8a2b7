"""In which zones of a region a network of a stack's own has its subnets: where all that it needs can be had."""

from __future__ import annotations

from replicast.core.errors import RequestError

from .access import Aws, explained

AVOIDED = frozenset({"use1-az3", "usw1-az2", "apne1-az3", "cac1-az3"})
"""Zones by ID, since accounts name them differently: old ones, in which not every service has a place. "The provided
subnets contain availability zone Lambda doesn't support": github.com/keboola/developer-portal/issues/81."""


def two_zones(aws: Aws, *, endpoint: str = "") -> tuple[str, str]:
    """Names of two zones, in which an interface endpoint of that service can be had too, if one is named.

    "The VPC endpoint service … does not support the availability zone of the subnet": github.com/awslabs/
    aws-orbit-workbench/issues/320. Raises RequestError where the region has no two such zones.
    """
    network = aws.client("ec2")
    with explained("look at the region's zones"):
        asked = [{"Name": "zone-type", "Values": ["availability-zone"]}, {"Name": "state", "Values": ["available"]}]
        zones = network.describe_availability_zones(Filters=asked)["AvailabilityZones"]
        fit = [zone["ZoneName"] for zone in zones if zone.get("ZoneId") not in AVOIDED]
        if endpoint:
            name = f"com.amazonaws.{aws.region}.{endpoint}"
            services = network.describe_vpc_endpoint_services(ServiceNames=[name])["ServiceDetails"]
            there = {zone for service in services for zone in service.get("AvailabilityZones", [])}
            fit = [zone for zone in fit if zone in there]
    if len(fit) < 2:
        raise RequestError(
            f"{aws.region} has {len(fit)} zones with all that a network of the stack's own needs, and it takes two; "
            "give subnets of yours"
        )
    first, second = sorted(fit)[:2]
    return first, second
