"""Stores that AWS names or gives credentials for: `aws://STACK`, and `s3://…` as the person at this machine sees it."""

from __future__ import annotations

import importlib.util

from replicast.core.errors import StoreError
from replicast.core.ports import Store
from replicast.stores import StoreKind
from replicast.stores.objects import ObjectStore

from .access import Aws
from .bucket import is_gone
from .commands import store_named


def open_stack(url: str, *, reached: bool = False) -> Store:  # noqa: ARG001 - it is seen, if not reached, at once
    """The store of a stack, be it the bucket or a database."""
    return store_named(Aws(), url)


def open_s3(url: str, *, reached: bool = False) -> Store:  # noqa: ARG001 - a bucket is there or not
    """With boto3's credentials (profiles, single sign-on) if boto3 is there: obstore reads neither.

    Raises StoreError where the bucket is gone: to S3 that is the same as that nothing is in it.
    """
    if importlib.util.find_spec("boto3") is None:
        return ObjectStore(url)
    aws, bucket = Aws(), url.partition("://")[2].partition("/")[0]
    if is_gone(aws, bucket):
        raise StoreError(f"there is no bucket '{bucket}'; it may have been removed, with the runs in it")
    return aws.store(url, own=False)


STACK, S3 = StoreKind(open_stack), StoreKind(open_s3)
