"""The policies for people allow what the code asks of AWS and what CloudFormation asks for whoever deploys."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from replicast.aws.access import Aws
from replicast.aws.permissions import POLICIES, policy
from replicast.core.errors import RequestError

from .conftest import REGION

SOURCE = Path(str(files("replicast.aws")))
SERVICES = ("cloudformation", "s3", "lambda", "stepfunctions", "logs", "ecr", "ec2", "kms", "secretsmanager", "sts",
            "codebuild")  # fmt: skip
BY_ROLES = {"secretsmanager:GetSecretValue"}
"""Asked by functions with their roles too."""

NAMES = {"stepfunctions": "states"}
ACTIONS = {
    "s3:HeadBucket": "s3:ListBucket", "s3:HeadObject": "s3:GetObject", "s3:ListObjectsV2": "s3:ListBucket",
    "s3:DeleteObjects": "s3:DeleteObject", "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "s3:PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
}  # fmt: skip
"""Whose right has another name: docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html"""

FREE = {"sts:GetCallerIdentity"}
UNUSED = (
    "*CodeSigning*", "lambda:GetLayerVersion", "lambda:PassCapacityProvider", "elasticfilesystem:*", "s3files:*",
    "s3tables:*", "firehose:*", "vpc-lattice:*", "vpce:*", "Eks:*", "s3:REST.PUT.OBJECT", "kms:RetireGrant",
    "logs:*Delivery", "logs:*ResourcePolic*", "ec2:*VpnGateway*", "ec2:*SubnetCidrBlock",
    "ec2:CreateVpcEncryptionControl", "ec2:ModifyVpcTenancy",
)  # fmt: skip
"""Rights that a handler asks for properties that our templates do not have: layers, file systems, replicas, …"""

RUNNERS_FILES = ("own_bucket", "place", "step_functions", "progress", "access", "secret")


@cache
def operations() -> dict[str, set[str]]:
    """Python's name of an operation → the rights that it takes, in each service that we talk to."""
    found: dict[str, set[str]] = {}
    for service in SERVICES:
        client = boto3.client(service, region_name=REGION)
        for operation in client.meta.service_model.operation_names:
            action = f"{NAMES.get(service, service)}:{operation}"
            found.setdefault(xform_name(operation), set()).add(ACTIONS.get(action, action))
    return found


def asked_in(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8")
    called = re.findall(
        r"(?:client|network|storage|states|_states|_formation|_client|_storage)(?:\([^)]*\))?\.(\w+)\(", text
    )
    called += re.findall(r'get_paginator\("(\w+)"\)', text)
    return {action for name in called for action in operations().get(name, ())}


def allowed(*names: str) -> list[str]:
    patterns = []
    for name in names:
        for statement in json.loads((SOURCE / "policies" / f"{name}.json").read_text())["Statement"]:
            patterns += statement["Action"]
    return patterns


def lacking(actions: set[str], patterns: list[str]) -> list[str]:
    lower = [pattern.lower() for pattern in patterns]
    return sorted(a for a in actions - FREE if not any(fnmatchcase(a.lower(), pattern) for pattern in lower))


def test_every_right_that_the_code_asks_for_is_in_a_policy() -> None:
    asked = {action for path in SOURCE.glob("*.py") for action in asked_in(path)}
    assert {
        "cloudformation:CreateStack",
        "states:StartExecution",
        "s3:ListBucket",
        "lambda:GetAccountSettings",
    } <= asked
    assert lacking(asked, allowed(*POLICIES)) == []
    assert lacking({a for a in asked - BY_ROLES if not a.startswith(("ec2:", "codebuild:"))}, allowed("deployer")) == []


def test_whoever_runs_models_needs_no_right_of_the_deployer() -> None:
    asked = {action for name in RUNNERS_FILES for action in asked_in(SOURCE / f"{name}.py")}
    assert len(asked) > 6
    assert lacking(asked, allowed("runner")) == []
    for pattern in allowed("runner"):
        assert "*" not in pattern
        assert not pattern.startswith(("iam:", "ec2:", "ecr:"))


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("template", ("deployer",)), ("batch", ("deployer-batch",)), ("codebuild", ("deployer-codebuild",)),
        ("database", ("deployer-database",)),
    ],
)  # fmt: skip
def test_cloudformation_may_do_for_the_deployer_what_the_resources_schemas_ask_for(
    template: str, names: tuple[str, ...]
) -> None:
    kinds = set(re.findall(r"Type: (AWS::\w+::\w+)", (SOURCE / f"{template}.yaml").read_text()))
    asked: set[str] = set()
    for kind in kinds:
        # Of CodeBuild's project no schema says it: its rights are `codebuild:*` of that project.
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema.get("handlers", {})
        for deed in ("create", "read", "update", "delete"):
            asked |= set(handlers.get(deed, {}).get("permissions", ()))
    needed = {a for a in asked if not any(fnmatchcase(a, pattern) for pattern in UNUSED)}
    assert len(needed) > 30
    assert lacking(needed, allowed(*names)) == []


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_fits_into_a_managed_policy_and_names_the_stacks_own_alone(aws: Aws, name: str) -> None:
    found = policy(aws, name, "replicast")
    text = json.dumps(found, separators=(",", ":"))
    assert len(text) <= 6144, "docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"
    assert not re.search("PARTITION|REGION|ACCOUNT|STACK|SUFFIX", text)
    for statement in found["Statement"]:
        if statement["Resource"] == "*":
            assert is_reading(statement) or statement["Condition"] == {"StringEquals": {"aws:RequestedRegion": REGION}}
        else:
            assert all(":*" not in one.replace(":*", "", 1) or "STACK" not in one for one in statement["Resource"])
    sids = [statement["Sid"] for statement in found["Statement"]]
    assert len(sids) == len(set(sids))


def is_reading(statement: dict[str, Any]) -> bool:
    return all(re.match(r"\w+:(Describe|Get|List)", action) for action in statement["Action"])


def test_an_unknown_policy_is_refused_with_those_there_are(aws: Aws) -> None:
    with pytest.raises(RequestError, match="choose from runner, deployer"):
        policy(aws, "admin", "replicast")
