"""The languages that replicast comes with; each is imported when a model in it is opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from replicast.core.experiment import Experiment
from replicast.core.ports import Model

from .registry import LanguageKind


def open_python(
    folder: Path, experiment: Experiment, *, log: Any, function: Any = None, project: Path | None = None, **_: Any
) -> Model:
    from .python import PythonModel

    return PythonModel(folder, experiment, log=log, function=function, project=project)


def open_r(folder: Path, experiment: Experiment, *, scratch: Path, timeout_seconds: float | None, **_: Any) -> Model:
    from .r import RModel

    return RModel(folder, experiment, timeout_seconds=timeout_seconds, scratch=scratch)


def open_command(
    folder: Path, experiment: Experiment, *, scratch: Path, timeout_seconds: float | None, **_: Any
) -> Model:
    from .command import CommandModel

    return CommandModel(folder, experiment, timeout_seconds=timeout_seconds, scratch=scratch)


PYTHON = LanguageKind(open_python, (".py",), debugs=True)
R = LanguageKind(open_r, (".r",), ends_overdue=True, programs="R")
COMMAND = LanguageKind(open_command, ends_overdue=True, programs="a command")
CALLABLE = LanguageKind(open_python, travels=False)
