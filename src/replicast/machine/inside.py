"""The one way from a name that a store gives to a path: nothing that a store says is written outside its folder."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from replicast.core.errors import StoreError


def inside(folder: Path, name: str) -> Path:
    """`folder / name`. Raises StoreError for a name that leaves the folder, or goes through a link that does."""
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts or "\\" in name or any(ord(c) < 32 for c in name):
        raise StoreError(
            f"the store names a file '{ascii(name)[1:-1]}', which would be outside its folder: not written"
        )
    path = folder.joinpath(*parts)
    if not path.parent.resolve().is_relative_to(folder.resolve()) or path.is_symlink():
        raise StoreError(
            f"the store names a file '{ascii(name)[1:-1]}', which leads outside through a link: not written"
        )
    return path
