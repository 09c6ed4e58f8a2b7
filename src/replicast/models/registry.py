"""The table of languages that a model can be in: what opens it, and all that is asked of a language anywhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from replicast.core.errors import RequestError, nearest
from replicast.core.experiment import Experiment, ModelReference, Streams
from replicast.core.ports import Model
from replicast.registries import Registry

from .capture import Log, NoLog
from .environments import python_versions, requirements

Open = Callable[..., Model]
"""Takes the folder of the source and the experiment, and by name `scratch`, `log`, `timeout_seconds`, `function` and
`project`, which it may pass over."""

Collate = Callable[..., Any]
"""Calls a function that collates. Takes the folder of the source and the experiment, and by name `reference` to the
function, `scratch`, `run` (what `replicast.Run` is), `tables` (a function that gives all tables by name) and `objects`
(paths of the objects that were kept of one scenario, or None), which it may pass over. Gives a table or tables."""

Snippet = Callable[..., str]
"""Takes a run's record, a scenario, the number of a replication, the folder of the source and the texts of its files;
gives lines of the language that simulate it."""

EACH = {"parallel": "a seed or stream of its own for each replication",
        "own": "seeded by the model itself, by replication number"}  # fmt: skip


class Tables(dict[str, Any]):
    """What collating gave, where that is Arrow tables by name already."""


def not_negative(seed: int) -> str:
    return f"numpy takes no negative seed, and {seed} is one" if seed < 0 else ""


def no_such_function(file: str, name: str, _text: str, known: Sequence[str]) -> str:
    return f"{file} has no function '{name}'{nearest(name, known) or ' (it defines no function)'}"


@dataclass(frozen=True, slots=True)
class LanguageKind:
    """What an entry point of `replicast.languages` gives, its name being the language's in run.json.

    `suffixes` are those of its files, in lower case. `ends_overdue` says that its model ends a replication itself that
    takes too long, `travels` that its source can be copied to where it is simulated, `programs` what has to be
    installed there beside Python packages, `needs_r` that this is R, `debugs` that its `Simulate` has
    `debug(scenario, replication)`.

    `title` is what people call it (its name, if empty), `runtime` what runs it, as `Signature.versions` calls that (its
    name, if empty). `streams` says of each kind of streams that its models take what they draw from, `refuses_seed`
    why a seed is none, if it is not; `keeps` which of `rds` and `files` can be kept of it. `root_marks` are files, or
    patterns of them, that stand at the root of a project. `no_function` says that a text defines no function of a name,
    `missed` tells of a message on a module that is not there where a run had it from, by `outside` of the run's record.

    `collate` and `snippet` are there where a model can bring its own collation, and where one replication can be
    written as lines of the language. `environment` gives lines that install `versions`, `versions_here` those of this
    machine by name.
    """

    open: Open
    suffixes: tuple[str, ...] = ()
    ends_overdue: bool = False
    travels: bool = True
    programs: str = ""
    needs_r: bool = False
    debugs: bool = False
    title: str = ""
    runtime: str = ""
    streams: Mapping[str, str] = field(default_factory=lambda: EACH)
    refuses_seed: Callable[[int], str] = not_negative
    keeps: Collection[str] = ("files",)
    root_marks: tuple[str, ...] = ()
    no_function: Callable[[str, str, str, Sequence[str]], str] = no_such_function
    missed: Callable[[str, Mapping[str, str]], str] = lambda message, _outside: message
    collate: Collate | None = None
    snippet: Snippet | None = None
    environment: Callable[[Mapping[str, str]], list[str]] = requirements
    versions_here: Callable[[Iterable[str]], Mapping[str, str]] = python_versions


BUILT_IN: Mapping[str, str] = {
    "python": "replicast.models.languages:PYTHON",
    "r": "replicast.models.languages:R",
    "command": "replicast.models.languages:COMMAND",
    "callable": "replicast.models.languages:CALLABLE",
}
REGISTRY = Registry("replicast.languages", BUILT_IN, LanguageKind)


def language_of(reference: ModelReference) -> LanguageKind:
    """Raises RequestError for a language that is not to be had here."""
    kind = REGISTRY.find(reference.language)
    if kind is None:
        raise RequestError(_unknown(reference))
    return kind


def _unknown(reference: ModelReference) -> str:
    return (
        f"no language is called '{reference.language}'{nearest(reference.language, REGISTRY.names())}; "
        "is its plug-in installed here?"
    )


def language_or_any(reference: ModelReference) -> LanguageKind:
    """For who only looks at results: what is true of most languages, where this one is not to be had here."""

    def refuse(*_: Any, **__: Any) -> Model:
        raise RequestError(_unknown(reference))

    return REGISTRY.find(reference.language) or LanguageKind(refuse)


def language_by_suffix(suffix: str) -> str | None:
    """The name of the language whose files end so, in lower case; plug-ins are asked where none of ours do."""
    for name, text in BUILT_IN.items():
        if suffix in REGISTRY.load(text).suffixes:
            return name
    plugged = [name for name in REGISTRY.names() if name not in BUILT_IN]
    return next((name for name in plugged if suffix in language_of(ModelReference(name)).suffixes), None)


def language_of_file(file: str | Path) -> LanguageKind:
    """That of a file by its name: one of no language is taken as most are."""
    name = language_by_suffix(Path(file).suffix.lower())
    return language_or_any(ModelReference(name or ""))


def suffixes() -> list[str]:
    """Those of the files of our own languages."""
    return [suffix for text in BUILT_IN.values() for suffix in REGISTRY.load(text).suffixes]


def check_seed(seed: int, reference: ModelReference, streams: Streams) -> None:
    """Refuses streams that models of the language do not take, and a seed outside of the range of its generator."""
    kind = language_of(reference)
    if streams.kind not in kind.streams:
        others = [REGISTRY.load(text) for text in BUILT_IN.values()]
        owners = " and ".join(f"{other.title}'s" for other in others if streams.kind in other.streams)
        known = " or ".join(f"'{name}'" for name in kind.streams)
        raise RequestError(f"streams of kind '{streams.kind}' are {owners}; for this model use {known}")
    if refused := kind.refuses_seed(seed):
        raise RequestError(refused)


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

    `project` is what `folder` is a copy of, where that is on this machine: nothing is imported from there. Raises
    RequestError for a seed that its language does not take.
    """
    check_seed(experiment.seed, experiment.model, experiment.streams)
    return language_of(experiment.model).open(
        folder, experiment, scratch=scratch, log=log, timeout_seconds=timeout_seconds, function=function,
        project=project,
    )  # fmt: skip
