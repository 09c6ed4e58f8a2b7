"""What simulates: Python functions, R functions, command models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from replicast.core.experiment import Experiment
from replicast.core.ports import Model

from .capture import Log, NoLog


def open_model(
    folder: Path,
    experiment: Experiment,
    *,
    scratch: Path,
    log: Log | NoLog,
    timeout_seconds: float | None = None,
    function: Callable[..., Any] | None = None,
    project: Path | None = None,
) -> Model:
    """The model of an experiment, not yet loaded. `scratch` is a folder that it may fill.

    `project` is what `folder` is a copy of, where that is on this machine: nothing is imported from there.
    """
    language = experiment.model.language
    if language == "r":
        from .r import RModel

        return RModel(folder, experiment, timeout_seconds=timeout_seconds, scratch=scratch)
    if language == "command":
        from .command import CommandModel

        return CommandModel(folder, experiment, timeout_seconds=timeout_seconds, scratch=scratch)
    from .python import PythonModel

    return PythonModel(folder, experiment, log=log, function=function, project=project)
