"""Where results live: a folder or object store, or a relational database, named by a URL."""

from .registry import StoreKind, at_home, open_named_store, open_store

__all__ = ["StoreKind", "at_home", "open_named_store", "open_store"]
