"""Documents in a folder by the operating system alone, where obstore cannot work: each is there whole or not at all."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError


class Content:
    """What `get` returns, as obstore's does."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def bytes(self) -> bytes:
        return self._content


def put(folder: Path, name: str, content: bytes | Path, *, mode: str = "overwrite") -> None:
    """Raises AlreadyExistsError where `mode` is "create" and there is one of that name."""
    target = _place(folder, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_name(f"{target.name}#{os.getpid()}{threading.get_ident()}")
    try:
        if isinstance(content, Path):
            shutil.copyfile(content, half)
        else:
            half.write_bytes(content)
        if mode == "create":
            os.link(half, target)
        else:
            half.replace(target)
    except FileExistsError:
        raise AlreadyExistsError(name) from None
    finally:
        half.unlink(missing_ok=True)


def get(folder: Path, name: str) -> Content:
    """Raises FileNotFoundError."""
    try:
        return Content(_place(folder, name).read_bytes())
    except (IsADirectoryError, NotADirectoryError):
        raise FileNotFoundError(name) from None


def delete(folder: Path, name: str) -> None:
    """Raises FileNotFoundError."""
    _place(folder, name).unlink()


def _place(folder: Path, name: str) -> Path:
    if ".." in name.split("/"):
        raise ValueError(f"'{name}' leads out of its folder")
    return folder / name


IN_PLACE_OF: dict[Any, Any] = {obstore.put: put, obstore.get: get, obstore.delete: delete}
"""What is called in a folder for each of obstore's operations."""
