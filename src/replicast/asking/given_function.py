"""A model that no file defines: which function it is, and whether one that is given again is the same."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from replicast.core.errors import RequestError
from replicast.core.record import RunRecord
from replicast.models import language_of
from replicast.performing.copies import code_hash

Function = Callable[..., Any]


def source_of(function: Function) -> str | None:
    """None of what has none that can be read, as an object with `__call__`."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return None


def digest_of(function: Function) -> str:
    """What tells functions apart in a run's record."""
    return code_hash({"source": source_of(function) or repr(function)})[:12]


def function_for(record: RunRecord, given: Function | None, remembered: Function | None = None) -> Function | None:
    """The function that a run is of, where no file defines it; None where the model's source is stored with the run.

    Raises RequestError, naming the function, where it is not to be had here or another one is given. A lambda is not
    told from another: its line holds more than itself.
    """
    model = record.experiment.model
    if language_of(model).travels:
        if given is not None:
            raise RequestError(
                f"run {record.id} is of {model.label}, whose source is stored with it: leave function out, or start "
                "another run of the function"
            )
        return None
    function = given or remembered
    name = model.function
    if function is None:
        raise RequestError(
            f"run {record.id} is of the function '{name}', which no file defines, so its source is not stored with it; "
            f"replay, verify or resume it from Python, and give it again: .replay(17, function={name}), "
            f".verify(function={name}) or .resume(function={name}). A function in a file travels with its run"
        )
    if given is not None and name != "<lambda>" and source_of(given) is not None and digest_of(given) != model.module:
        raise RequestError(
            f"run {record.id} is of a function '{name}' with another source than the one that was given; give it as it "
            "was, or start another run"
        )
    return function
