"""The table of URL schemes, and what opens each: named by text, so that only what is asked for is imported."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from replicast.core.errors import RequestError, nearest
from replicast.core.ports import Store
from replicast.registries import Registry

Open = Callable[..., Store]
"""Takes a URL and, by name, `reached`: another process has reached that store, so it is to be waited for."""


@dataclass(frozen=True, slots=True)
class StoreKind:
    """What an entry point of `replicast.stores` gives, its name being a URL scheme."""

    open: Open


OBJECTS, SQL = "replicast.stores.objects:KIND", "replicast.stores.sql:KIND"
S3 = "replicast.aws.stores:S3"
BUILT_IN: Mapping[str, str] = {
    "file": OBJECTS, "s3": OBJECTS, "gs": OBJECTS, "az": OBJECTS,
    "s3a": OBJECTS, "azure": OBJECTS, "abfs": OBJECTS, "abfss": OBJECTS, "adl": OBJECTS,
    "sqlite": SQL, "postgresql": SQL, "postgres": SQL, "mysql": SQL, "mariadb": SQL,
    "aws": "replicast.aws.stores:STACK", "aws-secret": "replicast.aws.secret:KIND",
}  # fmt: skip
HERE: Mapping[str, str] = {"s3": S3, "s3a": S3}
"""Schemes that are opened otherwise for the person at this machine than by workers, which start fast."""

REGISTRY = Registry("replicast.stores", BUILT_IN, StoreKind)


def scheme_of(url: str) -> str:
    return url.partition("://")[0].partition("+")[0] if "://" in url else "file"


def at_home(url: str) -> str:
    """The URL with `~` as the home folder that it means, where the store is on this machine's disk."""
    scheme, separator, rest = url.partition("://")
    path = rest.removeprefix("/") if separator else url
    if not path.startswith("~") or (separator and scheme_of(url) not in ("file", "sqlite")):
        return url
    home = os.path.expanduser(path)  # noqa: PTH111 - a path may go on with `?options`
    return f"{scheme}:///{home}" if scheme_of(url) == "sqlite" else f"{scheme}://{home}" if separator else home


def open_store(url: str, *, reached: bool = False) -> Store:
    """The store that a URL names, as workers open it. Raises RequestError where none is named so, StoreError.

    One that another process has `reached` is there: if it does not answer now, it is waited for.
    """
    return _kind(url).open(at_home(url), reached=reached)


def open_named_store(url: str) -> Store:
    """The same store, as the person at this machine opens it: with whatever gives them credentials for it."""
    kind = REGISTRY.load(HERE[scheme_of(url)]) if scheme_of(url) in HERE else _kind(url)
    return kind.open(at_home(url), reached=False)


def _kind(url: str) -> StoreKind:
    scheme = scheme_of(url)
    kind = REGISTRY.find(scheme)
    if kind is None:
        raise RequestError(f"no store is named by '{scheme}://'{nearest(scheme, REGISTRY.names())}")
    return kind
