"""What a replication leaves in its own folder: files of its own, whose names every store can take."""

from __future__ import annotations

import os
from pathlib import Path

from .columns import UnusableResult

LONGEST_NAME = 200
"""Of 255 bytes that file systems take: stores put something of their own beside it."""


def check_left(folder: Path) -> None:
    """Raises UnusableResult, naming the file, for a link to elsewhere or a name that is not UTF-8 or too long."""
    home = folder.resolve()
    for place, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            shown = f"'{os.path.relpath(os.path.join(place, name), folder)}'"  # noqa: PTH118 - a Path takes longer
            _check_name(name, shown.encode(errors="surrogateescape").decode(errors="backslashreplace"))
            path = Path(place, name)
            if path.is_symlink() and not path.resolve().is_relative_to(home):
                raise UnusableResult(f"{shown} is a link to a file outside the replication's folder: copy it instead")


def _check_name(name: str, shown: str) -> None:
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        raise UnusableResult(f"the name of the file {shown} is not UTF-8, which no store takes: rename it") from None
    if len(encoded) > LONGEST_NAME:
        raise UnusableResult(f"the name of the file {shown} is longer than {LONGEST_NAME} bytes: shorten it")
