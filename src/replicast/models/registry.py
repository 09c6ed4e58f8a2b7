"""The table of languages that a model can be in: what opens it, and all that is asked of a language anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from replicast.core.errors import RequestError, nearest
from replicast.core.experiment import Experiment, ModelReference
from replicast.core.ports import Model
from replicast.registries import Registry

from .capture import Log, NoLog

Open = Callable[..., Model]
"""Takes the folder of the source and the experiment, and by name `scratch`, `log`, `timeout_seconds`, `function` and
`project`, which it may pass over."""


@dataclass(frozen=True, slots=True)
class LanguageKind:
    """What an entry point of `replicast.languages` gives, its name being the language's in run.json.

    `suffixes` are those of its files, in lower case. `ends_overdue` says that its model ends a replication itself that
    takes too long, `travels` that its source can be copied to where it is simulated, `programs` what has to be
    installed there beside Python packages, `debugs` that its `Simulate` has `debug(scenario, replication)`.
    """

    open: Open
    suffixes: tuple[str, ...] = ()
    ends_overdue: bool = False
    travels: bool = True
    programs: str = ""
    debugs: bool = False


BUILT_IN: Mapping[str, str] = {
    "python": "replicast.models.languages:PYTHON",
    "r": "replicast.models.languages:R",
    "command": "replicast.models.languages:COMMAND",
    "callable": "replicast.models.languages:CALLABLE",
}
REGISTRY = Registry("replicast.languages", BUILT_IN, LanguageKind)


def language_of(reference: ModelReference) -> LanguageKind:
    kind = REGISTRY.find(reference.language)
    if kind is None:
        raise RequestError(
            f"no language is called '{reference.language}'{nearest(reference.language, REGISTRY.names())}; "
            "is its plug-in installed here?"
        )
    return kind


def language_by_suffix(suffix: str) -> str | None:
    """The name of the language whose files end so, in lower case; plug-ins are asked where none of ours do."""
    for name, text in BUILT_IN.items():
        if suffix in REGISTRY.load(text).suffixes:
            return name
    plugged = [name for name in REGISTRY.names() if name not in BUILT_IN]
    return next((name for name in plugged if suffix in language_of(ModelReference(name)).suffixes), None)


def suffixes() -> list[str]:
    """Those of the files of our own languages."""
    return [suffix for text in BUILT_IN.values() for suffix in REGISTRY.load(text).suffixes]


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
    return language_of(experiment.model).open(
        folder, experiment, scratch=scratch, log=log, timeout_seconds=timeout_seconds, function=function,
        project=project,
    )  # fmt: skip
