"""What a database says of its own tables may have been changed behind our back, too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from replicast.core.errors import StoreError


@contextmanager
def intact(label: str, run: str) -> Iterator[None]:
    """Around what reads rows as replicast's own tables describe them. Raises StoreError where these do not fit."""
    try:
        yield
    except (KeyError, ValueError, TypeError, IndexError) as error:
        why = f"{type(error).__name__}: {error}"
        raise StoreError(
            f"replicast's own rows about run {run} in '{label}' are not what was stored ({why}): put "
            "them back from a backup of the database, or simulate the run again under another name"
        ) from error
