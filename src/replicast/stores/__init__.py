"""Where results live: a folder or object store, or a relational database, named by a URL."""

from __future__ import annotations

import importlib

from replicast.core.errors import RequestError, nearest
from replicast.core.ports import Store

OBJECT_SCHEMES = ("file", "s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "adl")
SQL_SCHEMES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb")
KEPT_ELSEWHERE = {"aws-secret": "replicast.aws.secret"}
"""Schemes that name where a database's URL is kept, and the module that opens it, imported only then."""


def open_store(url: str, *, reached: bool = False) -> Store:
    """The store that a URL names. Raises RequestError where none is named so, StoreError if it cannot be had.

    One that another process has `reached` is there: if it does not answer now, it is waited for.
    """
    scheme = url.partition("://")[0].partition("+")[0] if "://" in url else "file"
    if scheme in SQL_SCHEMES:
        from .sql import SqlStore

        return SqlStore(url, reached=reached)
    if scheme in KEPT_ELSEWHERE:
        opened: Store = importlib.import_module(KEPT_ELSEWHERE[scheme]).open_store(url)
        return opened
    if scheme not in OBJECT_SCHEMES:
        known = (*OBJECT_SCHEMES[:4], *SQL_SCHEMES)
        raise RequestError(f"no store is named by '{scheme}://'{nearest(scheme, known)}")
    from .objects import ObjectStore

    return ObjectStore(url)
