"""Ready IAM policies for people: who deploys a stack, and who runs models on it. The files lie in policies/.

In them stand PARTITION, REGION, ACCOUNT, STACK and SUFFIX (of a region's services), which `policy` fills in. What
CloudFormation does for whoever deploys is done with their rights: which those are, each resource type's schema says.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from replicast.core.errors import RequestError

from .access import Aws

POLICIES = ("runner", "deployer", "deployer-batch", "deployer-codebuild", "deployer-database")
SUFFIXES = {"aws-cn": "amazonaws.com.cn"}


def policy(aws: Aws, name: str, stack: str) -> dict[str, Any]:
    """The policy document of that name for a stack. Raises RequestError, naming those there are."""
    if name not in POLICIES:
        raise RequestError(f"there is no policy '{name}': choose from {', '.join(POLICIES)}")
    text = files("replicast.aws").joinpath(f"policies/{name}.json").read_text(encoding="utf-8")
    filled = {
        "PARTITION": aws.partition, "REGION": aws.region, "ACCOUNT": aws.account, "STACK": stack,
        "SUFFIX": SUFFIXES.get(aws.partition, "amazonaws.com"),
    }  # fmt: skip
    for word, value in filled.items():
        text = text.replace(word, value)
    found: dict[str, Any] = json.loads(text)
    return found
