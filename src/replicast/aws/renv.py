"""What an `renv.lock` asks for: R packages and their versions, for the image to have the same."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replicast.core.errors import RequestError

NAME = "renv.lock"
DEBIAN_R = "4.5.0"
"""The image's R, which is that of Debian's release."""

PACKAGE = re.compile(r"[A-Za-z][A-Za-z0-9.]*")
VERSION = re.compile(r"[0-9]+([.-][0-9]+)+")


@dataclass(frozen=True, slots=True)
class Lock:
    """`packages` gives each its version; `r` is the version of R that they were locked with, `content` the file."""

    packages: Mapping[str, str]
    r: str
    content: bytes

    @property
    def note(self) -> str:
        """What the image cannot have as it was; empty if it can have all."""
        if self.r in ("", DEBIAN_R):
            return ""
        return f"{NAME} was made with R {self.r}, and the image has Debian's R {DEBIAN_R}"


def read_lock(path: Path) -> Lock:
    """Raises RequestError for a file that is none of renv's, naming what is wrong."""
    try:
        content = path.read_bytes()
        found = json.loads(content)
    except OSError as error:
        raise RequestError(f"'{path}' cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise RequestError(f"'{path}' is no {NAME}: it is not JSON ({error})") from None
    records = found.get("Packages") if isinstance(found, dict) else None
    if not isinstance(records, dict):
        raise RequestError(f"'{path}' is no {NAME}: it has no 'Packages'; make one in R with: renv::snapshot()")
    packages = {name: _version(path, name, record) for name, record in records.items() if name != "renv"}
    return Lock(packages, str(found.get("R", {}).get("Version", "")), content)


def _version(path: Path, name: str, record: Any) -> str:
    version = record.get("Version") if isinstance(record, dict) else None
    if not PACKAGE.fullmatch(name) or not isinstance(version, str) or not VERSION.fullmatch(version):
        raise RequestError(f"'{path}' gives no version of package '{name}' that R could have: {version!r}")
    return version


def find_lock(given: str | None, folder: Path | None) -> Lock | None:
    """The lock that was named, or the one in the model's folder; `none` asks for none."""
    if given == "none":
        return None
    if given is not None:
        return read_lock(Path(given))
    beside = folder / NAME if folder is not None else None
    return read_lock(beside) if beside is not None and beside.is_file() else None
