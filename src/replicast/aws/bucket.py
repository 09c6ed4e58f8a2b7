"""A stack's bucket, which outlives the stack: whether it is there and ours, what it refuses, and its removal.

A bucket that a stack makes has its policy from template.yaml; one that an earlier stack left is given the same here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from replicast.core.errors import ExecutorError

from .access import Aws, error_code, error_message, explained

BLOCKED = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
ABSENT = ("404", "NoSuchBucket", "NotFound")


def bucket_exists(aws: Aws, name: str) -> bool:
    """Raises ExecutorError where it is another account's."""
    from botocore.exceptions import ClientError

    try:
        aws.client("s3").head_bucket(Bucket=name)
    except ClientError as error:
        if error_code(error) in ABSENT:
            return False
        raise ExecutorError(
            f"bucket '{name}' is not this account's, or these credentials may not look at it: "
            f"{error_code(error)} {error_message(error)}; take another --stack"
        ) from None
    return True


def is_gone(aws: Aws, name: str) -> bool:
    """Whether no account has a bucket of that name; not where that is not to be told."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        aws.client("s3").get_bucket_location(Bucket=name)
    except ClientError as error:
        return error_code(error) == "NoSuchBucket"
    except BotoCoreError:
        return False
    return False


def policy_of(arn: str) -> dict[str, Any]:
    """As template.yaml has it: nothing in plain text, and no part of a run written twice.

    docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """
    over_tls = {
        "Sid": "OnlyOverTls", "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    write_once = {
        "Sid": "WriteOnce", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
        "Resource": f"{arn}/runs/*/parts/*",
        "Condition": {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}},
    }  # fmt: skip
    return {"Version": "2012-10-17", "Statement": [over_tls, write_once]}


def encryption_of(key: str) -> dict[str, Any]:
    """By S3's own key, or by that with the ARN `key`."""
    if not key:
        return {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    return {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}


def close_bucket(aws: Aws, name: str, key: str) -> None:
    """As the template has it of a bucket that it makes; what is so already is left."""
    storage, policy = aws.client("s3"), policy_of(f"arn:{aws.partition}:s3:::{name}")
    with explained(f"close bucket '{name}' to others"):
        if _policy_now(storage, name) != policy:
            storage.put_public_access_block(Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(BLOCKED, True))
            storage.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
        rule = storage.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]["Rules"][0]
        wanted = encryption_of(key)
        if any(rule.get(part) != value for part, value in wanted.items()):
            storage.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [wanted]})


def _policy_now(storage: Any, name: str) -> Any:
    from botocore.exceptions import ClientError

    try:
        return json.loads(storage.get_bucket_policy(Bucket=name)["Policy"])
    except ClientError as error:
        if error_code(error) == "NoSuchBucketPolicy":
            return None
        raise


def remove_bucket(aws: Aws, name: str) -> None:
    """With all that is in it."""
    storage = aws.client("s3")
    with explained(f"empty bucket '{name}'"):
        for page in storage.get_paginator("list_objects_v2").paginate(Bucket=name):
            keys = [{"Key": item["Key"]} for item in page.get("Contents", [])]
            if keys:
                _raise_on_errors(storage.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True}))
    with explained(f"delete bucket '{name}'"):
        storage.delete_bucket(Bucket=name)


def _raise_on_errors(answer: Mapping[str, Any]) -> None:
    errors: Sequence[Mapping[str, Any]] = answer.get("Errors", [])
    if errors:
        raise ExecutorError(f"{len(errors)} objects stay, '{errors[0]['Key']}' first: {errors[0].get('Message')}")
