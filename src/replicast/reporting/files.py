"""Texts written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from replicast.core.errors import StoreError


def write_text(path: Path, content: str) -> None:
    """Writes beside `path` and then takes its place. Raises StoreError where that cannot be done."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(content, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"cannot write '{path}': {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
