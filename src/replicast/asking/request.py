"""What a user asked for, made into a run: parameters checked, record written."""

from __future__ import annotations

import dataclasses
import getpass
import os
import platform
import secrets
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicast.asking.continuing import check_unchanged
from replicast.asking.designs import find_points, plan_of
from replicast.asking.settings import ExperimentFile
from replicast.asking.source import changes
from replicast.core.antithetic import check_pairs
from replicast.core.commands import command as hint
from replicast.core.designs import NOTE, cross_points
from replicast.core.errors import RequestError, RunChanged, RunNotFound
from replicast.core.experiment import (
    Experiment,
    Streams,
    check_antithetic,
    check_streams,
    differences,
)
from replicast.core.given import check_mapping, check_seconds, check_text, whole_number
from replicast.core.parameters import Signature, as_plain, fit_parameters
from replicast.core.ports import Store
from replicast.core.record import (
    Options,
    RunRecord,
    Segment,
    Tolerance,
    check_options,
    check_replications,
    check_run_name,
    new_run_id,
)
from replicast.core.scenarios import Scenario, check_scenarios, cross
from replicast.core.segments import digests_of, what_is_new
from replicast.core.sizes import parse_size
from replicast.core.version import __version__
from replicast.models import check_seed, language_of
from replicast.performing.copies import Source, code_hash
from replicast.stores.records import read_record

if TYPE_CHECKING:
    from .located import Located

DEFAULT_REPLICATIONS = 10
MOST_LEFT_OUT = 200
"""Names of files left out that a record keeps."""


WHOLE_NUMBERS = {
    "replications": "n", "seed": "seed", "retries": "retries", "maximum": "maximum", "look_ahead": "look_ahead",
    "budget": "budget", "workers": "workers",
}  # fmt: skip


@dataclass(slots=True)
class Request:
    """Everything that `replicast.run` and `replicast run` take. None means: not said."""

    model: str | os.PathLike[str] | Callable[..., Any] | None = None
    command: Sequence[str] = ()
    replications: int | None = None
    seed: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    scenarios: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    grid: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    design: Any = None
    streams: str | None = None
    common: bool | None = None
    antithetic: bool | None = None
    keep: str | None = None
    collate: str | None = None
    name: str | None = None
    timeout_seconds: float | None = None
    retries: int | None = None
    tolerate: str | None = None
    precision: str | None = None
    maximum: int | None = None
    look_ahead: int | None = None
    select: str | None = None
    indifference: float | None = None
    budget: int | None = None
    control: Mapping[str, float] = field(default_factory=dict)
    workers: int | None = None
    memory: str | int | None = None
    project: str | os.PathLike[str] | None = None
    file: ExperimentFile | None = None

    def __post_init__(self) -> None:
        """Raises RequestError for values of a wrong type, which Python lets through where a command line does not."""
        if isinstance(self.model, os.PathLike):
            self.model = os.fspath(self.model)
        if isinstance(self.model, str):
            self.model = os.path.expanduser(self.model)  # noqa: PTH111 - `~/model.py:function`
        if isinstance(self.command, str):
            words = shlex.split(self.command)
            raise RequestError(f"command takes a list of words, as {words!r}, and {self.command!r} is one text")
        for name, shown in WHOLE_NUMBERS.items():
            setattr(self, name, whole_number(getattr(self, name), shown))
        check_seconds(self.timeout_seconds, "timeout")
        for name in ("streams", "keep", "collate", "name", "precision"):
            check_text(getattr(self, name), name)
        check_mapping(self.parameters, "params")
        check_mapping(self.scenarios, "scenarios")
        check_mapping(self.grid, "grid")
        check_mapping(self.control, "control")
        for scenario, own in self.scenarios.items():
            check_mapping(own, f"scenarios[{scenario!r}]")

    def value(self, own: Any, key: str) -> Any:
        """What was asked for directly, else what the experiment file says."""
        return own if own is not None or self.file is None else self.file.get(key)

    def merged(self, own: Mapping[str, Any], key: str) -> dict[str, Any]:
        return {**(self.file.get(key, {}) if self.file else {}), **own}


def draft(request: Request, located: Located) -> Experiment:
    """The experiment as far as it is known before the model was loaded. Raises RequestError."""
    check_replications(replications_of(request))
    parameters = request.merged(request.parameters, "parameters")
    scenarios = request.merged(request.scenarios, "scenarios")
    if (design := request.value(request.design, "design")) is not None:
        scenarios = cross_points(find_points(design, design_folder(request)), parameters, scenarios)
    crossed = cross(parameters, scenarios, request.merged(request.grid, "grid"))
    crossed = tuple(dataclasses.replace(s, parameters=as_plain(dict(s.parameters))) for s in crossed)
    check_scenarios(crossed)
    if request.value(request.select, "select") and len(crossed) < 2:
        raise RequestError("--select chooses among scenarios, and there is one: give --scenario for each, or a --grid")
    from_file = request.file.get("streams", {}) if request.file else {}
    kind: Any = request.streams or from_file.get("kind", "parallel")
    common = request.common if request.common is not None else from_file.get("common", True)
    keep = kept(request.value(request.keep, "keep"), language_of(located.reference).keeps)
    seed = request.value(request.seed, "seed")
    check_streams(kind)
    antithetic = request.antithetic if request.antithetic is not None else from_file.get("antithetic", False)
    streams = Streams(kind, common, antithetic)
    check_pairs(replications_of(request), antithetic)
    check_pairs(request.value(request.maximum, "max") or 0, antithetic, "--max")
    check_least_pairs(request, antithetic)
    check_pairs(request.value(request.budget, "budget") or 0, antithetic, "--budget")
    if request.value(request.select, "select"):
        from replicast.core.choosing import check_budget  # imports numpy, which the first result does not wait for

        check_budget(request.value(request.budget, "budget"), len(crossed), antithetic)
    check_seed(0 if seed is None else seed, located.reference, streams)
    return Experiment(
        located.reference, crossed, 0 if seed is None else seed, streams, "rds" in keep, located.collation,
        "files" in keep,
    )  # fmt: skip


def check_least_pairs(request: Request, antithetic: bool) -> None:
    """A search judges pairs, of which it takes a few to begin with. Raises RequestError for a maximum below them."""
    maximum, select = request.value(request.maximum, "max"), request.value(request.select, "select")
    least = 20 if select else 6
    if antithetic and maximum is not None and maximum < least:
        raise RequestError(f"--max counts replications, and antithetic pairs are judged from {least} of them on")


def kept(text: str | None, keeps: Collection[str]) -> set[str]:
    """What is to be kept beside metrics and tables: any of `rds` and `files`. Raises RequestError.

    `keeps` are those of them that can be kept of the model.
    """
    found = {name.strip() for name in (text or "").split(",") if name.strip()}
    for name in sorted(found - {"rds", "files"}):
        raise RequestError(f"keep takes 'rds', 'files' or 'rds,files', not '{name}'")
    if "rds" in found - {*keeps}:
        raise RequestError('keep = "rds" keeps what an R model returned, and this model is not in R')
    if "files" in found - {*keeps}:
        raise RequestError('keep = "files" is for functions; what a command leaves in {out} is kept without it')
    return found


def design_folder(request: Request) -> Path:
    """Where the paths of a design count from: the experiment file that has it, or here."""
    return request.file.folder if request.file is not None and request.design is None else Path.cwd()


def settle(request: Request, experiment: Experiment, signature: Signature) -> Experiment:
    """The experiment with its parameters in the types of the model's defaults, and with a seed."""
    label, noted = experiment.model.label, _may_have_notes(request)
    check_antithetic(experiment.streams, label, signature.uses)
    scenarios = tuple(
        dataclasses.replace(s, parameters=fit_parameters(s.parameters, signature, label))
        for s in (_with_note(s, signature) if noted else s for s in experiment.scenarios)
    )
    check_scenarios(scenarios)
    seed = request.value(request.seed, "seed")
    if seed is None:
        seed = secrets.randbelow(2**31 - 1) + 1
    return dataclasses.replace(experiment, scenarios=scenarios, seed=seed)


def _may_have_notes(request: Request) -> bool:
    """Whether what is called `note` comes from a design, and from nowhere else."""
    named, grid = request.merged(request.scenarios, "scenarios"), request.merged(request.grid, "grid")
    elsewhere = {
        *request.merged(request.parameters, "parameters"),
        *grid,
        *(key for own in named.values() for key in own),
    }
    return request.value(request.design, "design") is not None and NOTE not in elsewhere


def _with_note(scenario: Scenario, signature: Signature) -> Scenario:
    """What a design says in its column `note`, of a scenario, unless the model has a parameter of that name."""
    if signature.parameter(NOTE) is not None or NOTE not in scenario.parameters:
        return scenario
    rest = {name: value for name, value in scenario.parameters.items() if name != NOTE}
    return dataclasses.replace(scenario, parameters=rest, note=str(scenario.parameters[NOTE]))


def replications_of(request: Request) -> int:
    """Of each scenario; of a run until precise, those it begins with."""
    number = request.value(request.replications, "replications")
    maximum = request.value(request.maximum, "max")
    return min(DEFAULT_REPLICATIONS, maximum or DEFAULT_REPLICATIONS) if number is None else int(number)


def options_of(request: Request) -> Options:
    """Raises RequestError for options out of range."""
    retries, tolerate = request.value(request.retries, "retries"), request.value(request.tolerate, "tolerate")
    memory = request.value(request.memory, "memory")
    indifference = request.value(request.indifference, "indifference")
    control = request.merged(request.control, "control")
    if control:
        from replicast.core.controls import check_controls  # imports numpy, which the first result does not wait for

        control = check_controls(control)
    options = Options(
        timeout_seconds=request.value(request.timeout_seconds, "timeout"),
        retries=1 if retries is None else retries,
        tolerance=Tolerance() if tolerate is None else Tolerance.parse(str(tolerate)),
        precision=request.value(request.precision, "precision"),
        maximum=request.value(request.maximum, "max"),
        look_ahead=request.value(request.look_ahead, "look_ahead"),
        workers=request.value(request.workers, "workers"),
        memory_bytes=None if memory is None else parse_size(memory),
        select=request.value(request.select, "select"),
        indifference=None if indifference is None else float(indifference),
        budget=request.value(request.budget, "budget"),
        control=control,
    )
    return check_options(options, replications_of(request))


def new_record(
    request: Request, options: Options, experiment: Experiment, source: Source, signature: Signature
) -> RunRecord:
    now = datetime.now(UTC)
    created = now.isoformat(timespec="milliseconds")
    versions = {"replicast": __version__, "python": platform.python_version()} | dict(signature.versions)
    name = request.value(request.name, "name")
    return RunRecord(
        id=new_run_id(now) if name is None else check_run_name(name),
        experiment=experiment,
        replications=replications_of(request),
        created=created,
        options=options,
        files=source.files,
        code_hash=code_hash(source.files),
        git_commit=source.commit,
        project=str(source.folder),
        left_out=dict(list(source.left_out.items())[:MOST_LEFT_OUT]),
        outside=dict(signature.outside),
        digests=digests_of(experiment.to_dict()),
        segments=(Segment(created, code_hash(source.files), versions, dict(signature.outside)),),
        design=plan_of(request.value(request.design, "design")),
        host=platform.node(),
        user=_user(),
        versions=versions,
        signature=signature.recorded(),
    )


def existing_record(store: Store, request: Request) -> RunRecord | None:
    name = request.value(request.name, "name")
    if name is None:
        return None
    try:
        return read_record(store, check_run_name(name))
    except RunNotFound:
        return None


def continue_record(
    store: Store,
    request: Request,
    options: Options,
    old: RunRecord,
    experiment: Experiment,
    source: Source,
    signature: Signature,
) -> RunRecord:
    """The stored run with more replications. Raises RunChanged, naming each difference, for another experiment."""
    if request.value(request.seed, "seed") is None:
        experiment = dataclasses.replace(experiment, seed=old.experiment.seed)
    names = _names_of_request(request, source)
    was, now = ({name: content for name, content in f.items() if name not in names} for f in (old.files, source.files))
    found = [*differences(old.experiment, experiment), *changes(was, dataclasses.replace(source, files=now))]
    if found:
        listed = "\n".join(f"  - {line}" for line in found)
        raise RunChanged(
            f"run '{old.id}' is another experiment:\n{listed}\n"
            "Its results stay as they are. Give this experiment another --name, or none; or go on with the model as it "
            f"was, from the run's own copy: {hint('resume', old.id, store.label)}"
        )
    check_unchanged(old, store, what_is_new(old, old.files, signature.versions, signature.outside))
    replications, digests = max(old.replications, replications_of(request)), digests_of(experiment.to_dict())
    return dataclasses.replace(
        old,
        experiment=experiment,
        digests=digests,
        replications=replications,
        options=options,
        planned={},
        design=plan_of(request.value(request.design, "design")) or old.design,
    )


def _names_of_request(request: Request, source: Source) -> set[str]:
    """Files of the source that say which experiment this is: what they say is compared, and not how."""
    paths = [request.file.folder / request.file.name] if request.file is not None else []
    design = request.value(request.design, "design")
    file = design.get("csv") if isinstance(design, Mapping) else design
    if isinstance(file, (str, Path)):
        paths.append((design_folder(request) / file).resolve())
    return {path.relative_to(source.folder).as_posix() for path in paths if source.folder in path.parents}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""
