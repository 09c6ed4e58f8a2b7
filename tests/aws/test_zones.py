"""Networks that a stack makes lie where Lambda and the endpoints have a place, and reach the stack's bucket alone."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.stub import Stubber
from cfnlint.decode.cfn_yaml import loads

from replicast.aws.access import Aws
from replicast.aws.stack import template
from replicast.aws.zones import two_zones
from replicast.core.errors import RequestError

from .conftest import REGION


def zones(**ids: str) -> dict[str, Any]:
    return {"AvailabilityZones": [{"ZoneName": f"{REGION}{letter}", "ZoneId": one} for letter, one in ids.items()]}


def services(letters: str) -> dict[str, Any]:
    return {"ServiceDetails": [{"AvailabilityZones": [f"{REGION}{letter}" for letter in letters]}]}


def test_a_zone_that_lambda_has_no_place_in_and_one_without_the_endpoint_are_passed_over(aws: Aws) -> None:
    with Stubber(aws.client("ec2")) as stub:
        stub.add_response("describe_availability_zones", zones(d="x-az4", a="use1-az3", b="x-az1", c="x-az2"))
        stub.add_response("describe_vpc_endpoint_services", services("acd"))
        assert two_zones(aws, endpoint="secretsmanager") == (f"{REGION}c", f"{REGION}d")
        stub.add_response("describe_availability_zones", zones(a="use1-az3", b="x-az1", c="x-az2"))
        assert two_zones(aws) == (f"{REGION}b", f"{REGION}c")


def test_a_region_without_two_such_zones_is_refused_with_what_to_give(aws: Aws) -> None:
    with Stubber(aws.client("ec2")) as stub:
        stub.add_response("describe_availability_zones", zones(a="x-az1", b="x-az2"))
        stub.add_response("describe_vpc_endpoint_services", services("b"))
        with pytest.raises(RequestError, match=r"has 1 zones .* give subnets of yours"):
            two_zones(aws, endpoint="secretsmanager")


@pytest.mark.parametrize("name", ["database.yaml", "batch.yaml"])
def test_subnets_lie_in_the_zones_that_were_chosen(name: str) -> None:
    found = loads(template(name))["Resources"]
    for subnet, zone in (("FirstSubnet", "FirstZone"), ("SecondSubnet", "SecondZone")):
        assert found[subnet]["Properties"]["AvailabilityZone"]["Fn::If"][:2] == ["HasZones", {"Ref": zone}]


@pytest.mark.parametrize(("name", "others"), [("database.yaml", 0), ("batch.yaml", 1)])
def test_the_networks_way_to_s3_leads_to_the_stacks_bucket_and_to_the_layers_of_images_alone(
    name: str, others: int
) -> None:
    first, *more = loads(template(name))["Resources"]["ToS3"]["Properties"]["PolicyDocument"]["Statement"]
    assert [one["Fn::Sub"].rpartition(":::")[2] for one in first["Resource"]] == ["${BucketName}", "${BucketName}/*"]
    assert "s3:DeleteObject" not in first["Action"]
    assert [one["Action"] for one in more] == ["s3:GetObject"] * others
