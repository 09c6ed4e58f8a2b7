"""N replications of any simulation model, in parallel; every result kept, every number reproducible."""

from typing import TYPE_CHECKING, Any

from replicast.core.version import __version__

if TYPE_CHECKING:
    from replicast.core.errors import (
        ExecutorError,
        FailureWarning,
        ModelError,
        ReplicastError,
        ReplicationsFailed,
        RequestError,
        StoreError,
    )
    from replicast.core.progress import Interrupted
    from replicast.runs import Run, list_runs, run

_HOMES = {
    "run": "replicast.runs", "Run": "replicast.runs", "list_runs": "replicast.runs",
    "ReplicastError": "replicast.core.errors", "RequestError": "replicast.core.errors",
    "ModelError": "replicast.core.errors", "ExecutorError": "replicast.core.errors",
    "StoreError": "replicast.core.errors",
    "ReplicationsFailed": "replicast.core.errors", "FailureWarning": "replicast.core.errors",
    "Interrupted": "replicast.core.progress",
}  # fmt: skip

__all__ = [
    "ExecutorError",
    "FailureWarning",
    "Interrupted",
    "ModelError",
    "ReplicastError",
    "ReplicationsFailed",
    "RequestError",
    "Run",
    "StoreError",
    "__version__",
    "list_runs",
    "run",
]


def __getattr__(name: str) -> Any:
    """Public names are imported when first used, so that a worker does not pay for them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'replicast' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__]
