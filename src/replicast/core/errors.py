"""Every error that replicast raises on purpose, and the exit status each one means.

    ReplicastError
    ├── RequestError (2)        the request is wrong; nothing was started
    │   ├── ModelError          no such model, it does not load, it is not a model
    │   │   └── CollationError (1)  the replications are stored; what the model's own collation made of them failed
    │   ├── ParameterError      a parameter that does not exist or has the wrong type
    │   ├── RunNotFound         no run, or more than one, goes by that name
    │   └── RunChanged          the run exists, with another model, parameters or seed
    ├── ExecutorError (3)       what should have performed the batches failed
    ├── StoreError (3)          what should have kept the results failed
    │   └── SourceDamaged       the run's copy of its model is not what it was when the run began
    └── ReplicationsFailed (1)  raised by `replicast.run(on_failure="raise")` alone

A model's own error is never raised: it is stored, as the replication's result. FailureWarning says that all were.
"""

from collections.abc import Iterable
from typing import Any


class ReplicastError(Exception):
    """Base of all errors below; `str(error)` is one clear message for a person."""

    exit_code = 1


class RequestError(ReplicastError):
    exit_code = 2


class ModelError(RequestError):
    """`detail` holds the model's own traceback or log, shown whole under the message."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class CollationError(ModelError):
    exit_code = 1


class ParameterError(RequestError):
    pass


class RunNotFound(RequestError):
    pass


class RunChanged(RequestError):
    pass


class ExecutorError(ReplicastError):
    exit_code = 3


class StoreError(ReplicastError):
    exit_code = 3


class SourceDamaged(StoreError):
    pass


class ReplicationsFailed(ReplicastError):
    """More replications failed than `tolerate` allows; `run` is the run, with all that is stored of it."""

    def __init__(self, message: str, run: Any = None) -> None:
        super().__init__(message)
        self.run = run


class FailureWarning(UserWarning):
    """All replications of a scenario failed, so that nothing is known of it."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause that names the nearest known name, or lists what is known: ` (did you mean 'beds'?)`."""
    from difflib import get_close_matches  # takes as long as all else here, and most names are right

    names = sorted(set(known))
    folded = {known_name.casefold(): known_name for known_name in names}
    close = get_close_matches(name, names, n=1, cutoff=0.5)
    close = [folded[name.casefold()]] if name.casefold() in folded else close
    if close:
        return f" (did you mean '{close[0]}'?)"
    if names:
        listed = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
        return f" (known: {listed})"
    return ""
