"""A store in a bucket that must be this account's: every request names the owner that it expects.

Names of buckets are one for all accounts, and a stack's can be guessed, so somebody else may have taken one. S3 answers
a request that expects another owner with 403
(https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any

from replicast.stores.objects import ObjectStore

OWNER = "x-amz-expected-bucket-owner"
OF_THE_ENVIRONMENT = ("allow_http", "allow_invalid_certificates", "proxy_url", "connect_timeout", "timeout")
"""What obstore reads as AWS_ALLOW_HTTP and so on, and forgets where it is given options of a client."""


class OwnBucket(ObjectStore):
    """obstore signs a header of one's own in all its requests but lists, and S3 takes no `x-amz-` header that is not
    signed (github.com/apache/arrow-rs-object-store/issues/484): so boto3, which signs it, lists."""

    def __init__(
        self,
        url: str,
        options: Mapping[str, Any],
        *,
        owner: str,
        storage: Any,
        explained: Callable[[str], AbstractContextManager[None]],
    ) -> None:
        """`storage` is boto3's client of S3, whose errors `explained` puts into words of ours."""
        given = {name: os.environ.get(f"AWS_{name.upper()}") for name in OF_THE_ENVIRONMENT}
        client = {name: value for name, value in given.items() if value} | {"default_headers": {OWNER: owner}}
        super().__init__(url, {**options, "client_options": client})
        self._bucket, _, folder = url.partition("://")[2].partition("/")
        self._root = f"{folder.strip('/')}/" if folder.strip("/") else ""
        self._owner, self._storage, self._explained = owner, storage, explained

    def _pages(self, prefix: str, **more: str) -> Iterator[Mapping[str, Any]]:
        pages = self._storage.get_paginator("list_objects_v2")
        with self._explained(f"list 's3://{self._bucket}/{self._root}{prefix}'"):
            yield from pages.paginate(
                Bucket=self._bucket, Prefix=self._root + prefix, ExpectedBucketOwner=self._owner, **more
            )

    def _below(self, prefix: str) -> tuple[list[str], list[str]]:
        pages = list(self._pages(prefix, Delimiter="/"))
        folders = [one["Prefix"] for page in pages for one in page.get("CommonPrefixes", [])]
        objects = [one["Key"] for page in pages for one in page.get("Contents", [])]
        return [name.rstrip("/").rpartition("/")[2] for name in folders], [key.rpartition("/")[2] for key in objects]

    def _list(self, prefix: str) -> Iterator[tuple[str, int]]:
        for page in self._pages(f"{prefix.strip('/')}/"):
            for item in page.get("Contents", []):
                yield item["Key"].removeprefix(self._root), item["Size"]
