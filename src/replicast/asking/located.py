"""What was found of a model before it is loaded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replicast.core.experiment import Collation, ModelReference


@dataclass(frozen=True, slots=True)
class Located:
    """A model that was found: what it is, the folder of its source, files that must be in it, the callable if one."""

    reference: ModelReference
    folder: Path
    needed: tuple[str, ...] = ()
    function: Callable[..., Any] | None = None
    collation: Collation | None = None
