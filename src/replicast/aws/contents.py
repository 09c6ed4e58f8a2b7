"""What the functions are made of, as it was asked for on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from replicast.core.errors import RequestError

from .building import BUILDERS
from .image import BASE, base_image
from .renv import Lock

PackageKind = Literal["zip", "image"]


@dataclass(frozen=True, slots=True)
class Contents:
    """What the functions are made of; without `dependencies`, of replicast alone, which is for tests."""

    package: PackageKind = "zip"
    requirements: tuple[str, ...] = ()
    r_packages: tuple[str, ...] = ()
    r: bool = False
    dependencies: bool = True
    lock: Lock | None = None
    base_image: str | None = None
    r_version: str | None = None
    refresh: bool = False
    built: str | None = None

    def check(self) -> None:
        """Raises RequestError for what does not go together."""
        if self.package == "zip" and (self.base_image or self.r_version or self.refresh or self.built):
            raise RequestError("--base-image, --r-version, --refresh and --aws-build are of an image: --package image")
        if self.built is not None and self.built not in BUILDERS:
            raise RequestError(f"--aws-build takes {' or '.join(BUILDERS)}, not '{self.built}'")
        base_image(self.base_image, self.r_version)

    def base(self, before: Mapping[str, str]) -> str:
        """The image to start from: as asked for, or as before."""
        if self.base_image or self.r_version:
            return base_image(self.base_image, self.r_version)
        return before.get("Base") or BASE

    def refreshed(self, before: Mapping[str, str]) -> str:
        return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}" if self.refresh else before.get("Refreshed", "")
