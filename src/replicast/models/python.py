"""Python models: a function of a file, of an importable module, or a callable that was handed over."""

from __future__ import annotations

import copy
import functools
import hashlib
import importlib
import importlib.util
import inspect
import linecache
import os
import random
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from replicast.core.errors import ModelError, nearest
from replicast.core.experiment import RESERVED, Experiment, ModelReference, Parameter, Scenario, Signature
from replicast.core.ports import Starting
from replicast.core.replication import WARNINGS_KEPT, Failure, Outcome
from replicast.core.streams import MASK_63, drawn, generators, stream_seeds

from .results import UnusableResult, read_result

QUICK_SECONDS = 0.001
"""Replications shorter than this run in chunks, within which what costs microseconds is done once."""

CHUNK_SECONDS = 0.02
IGNORED_WARNINGS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


class TakesLog(Protocol):
    def take(self) -> str: ...


class PythonModel:
    """Fulfils `core.ports.Model` for a Python function.

    `folder` is the run's copy of the source; `function`, where given, is called in place of the one that the reference
    names. `log` gives what was printed since it was last asked.
    """

    def __init__(
        self, folder: Path, experiment: Experiment, *, log: TakesLog, function: Callable[..., Any] | None = None
    ) -> None:
        self.folder, self.experiment, self.log = folder, experiment, log
        self._given = function

    def load(self) -> Callable[..., Any]:
        """The function, imported. Raises ModelError, with the model's own traceback in `detail`."""
        if self._given is not None:
            return self._given
        return load_function(self.folder, self.experiment.model)

    def describe(self) -> Signature:
        function = self.load()
        signature = read_signature(function)
        module = sys.modules.get(function.__module__)
        collate = getattr(module, "collate", None)
        versions = {"python": sys.version.split()[0], "numpy": np.__version__}
        for name in ("simpy", "scipy", "pandas", "polars"):
            if name in sys.modules:
                versions[name] = str(getattr(sys.modules[name], "__version__", ""))
        return Signature(**(signature | {"has_collate": callable(collate), "versions": versions}))

    @contextmanager
    def start(self) -> Iterator[PythonSimulate]:
        with working_in(self.folder):
            function = self.load()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                for category in IGNORED_WARNINGS:
                    warnings.simplefilter("ignore", category)
                yield PythonSimulate(function, self.experiment, self.folder, self.log, caught or [])


@contextmanager
def working_in(folder: Path) -> Iterator[None]:
    """Makes `folder` the working directory and the first place where modules are looked for."""
    before, path = Path.cwd(), list(sys.path)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = path
        os.chdir(before)


def load_module(folder: Path, file: str) -> ModuleType:
    """The module of a source file, run anew. Raises ModelError."""
    path = folder / file
    name = path.stem if path.stem.isidentifier() else "model"
    linecache.clearcache()
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ModelError(f"'{file}' is not a Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    with _loading(file, folder), _in_path(path.parent):
        specification.loader.exec_module(module)
    return module


@contextmanager
def _in_path(folder: Path) -> Iterator[None]:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    yield


@contextmanager
def _loading(label: str, folder: Path) -> Iterator[None]:
    where = os.path.realpath(folder)
    try:
        yield
    except SyntaxError as error:
        detail = "".join(traceback.format_exception_only(error)).replace(f'File "{where}/', 'File "')
        raise ModelError(f"{label} has a syntax error in line {error.lineno}: {error.msg}", detail) from None
    except ImportError as error:
        missing = f"; install it with: python -m pip install {error.name}" if error.name else ""
        raise ModelError(f"{label} cannot be loaded: {error}{missing}", model_traceback(error, where)) from None
    except (Exception, SystemExit) as error:
        message = f"{label} cannot be loaded: {type(error).__name__}: {error}"
        raise ModelError(message, model_traceback(error, where)) from None


def load_function(folder: Path, reference: ModelReference) -> Callable[..., Any]:
    if reference.file:
        module = load_module(folder, reference.file)
    else:
        with _loading(reference.module, folder):
            module = importlib.import_module(reference.module)
    function: Any = module
    for part in reference.function.split("."):
        function = getattr(function, part, None)
    if not callable(function):
        known = [n for n, v in vars(module).items() if inspect.isfunction(v) and v.__module__ == module.__name__]
        where = reference.file or reference.module
        hint = nearest(reference.function, known) or " (it defines no function)"
        raise ModelError(f"{where} has no function '{reference.function}'{hint}")
    return function  # type: ignore[no-any-return]


def type_of_default(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "boolean"
    if isinstance(value, (int, np.integer)):
        return "integer"
    if isinstance(value, (float, np.floating)):
        return "double"
    if isinstance(value, str):
        return "string"
    if value is None:
        return "null"
    return "list" if isinstance(value, (list, tuple)) else "other"


def read_signature(function: Callable[..., Any]) -> dict[str, Any]:
    """Arguments of Signature: parameters, takes_any, uses. Raises ModelError for positional-only arguments."""
    try:
        arguments = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise ModelError(f"the arguments of {function!r} cannot be read: {error}") from None
    parameters = []
    for argument in arguments:
        if argument.kind is argument.POSITIONAL_ONLY:
            raise ModelError(f"argument '{argument.name}' of the model is positional only; arguments go by name")
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD) or argument.name in RESERVED:
            continue
        required = argument.default is argument.empty
        default = None if required else argument.default
        kind = "other" if required else type_of_default(default)
        plain = default if kind in ("integer", "double", "boolean", "string") else None
        parameters.append(Parameter(argument.name, required, kind, plain))
    names = {argument.name for argument in arguments if argument.name in RESERVED}
    any_keyword = any(argument.kind is argument.VAR_KEYWORD for argument in arguments)
    uses = tuple(name for name in RESERVED if name in names)
    return {"parameters": tuple(parameters), "takes_any": any_keyword or "params" in names, "uses": uses}


def model_traceback(error: BaseException, folder: str = "") -> str:
    """The traceback from the model's first frame on, without replicast's; paths are relative to the source's copy."""
    ours = (str(Path(__file__).resolve().parent.parent), "<frozen importlib")
    frames = traceback.extract_tb(error.__traceback__)
    kept = [frame for frame in frames if not frame.filename.startswith(ours)]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(kept)] if kept else []
    text = "".join([*lines, *traceback.format_exception_only(error)])
    return text.replace(f'File "{folder}/', 'File "') if folder else text


class PythonSimulate:
    """Fulfils `core.ports.Simulate`: calls the function, replication by replication, in this process."""

    def __init__(
        self,
        function: Callable[..., Any],
        experiment: Experiment,
        folder: Path,
        log: TakesLog,
        caught: list[warnings.WarningMessage],
    ) -> None:
        self.function, self.experiment, self.log = function, experiment, log
        self.folder = os.path.realpath(folder)
        self._caught = caught
        described = read_signature(function)
        self._uses = set(described["uses"])
        self._names = {parameter.name for parameter in described["parameters"]}
        self._any_keyword = any(
            argument.kind is argument.VAR_KEYWORD for argument in inspect.signature(function).parameters.values()
        )
        self._own_streams = experiment.streams.kind == "own"
        self._draws_globals = False
        self._seconds = QUICK_SECONDS

    def __call__(self, scenario: Scenario, first: int, last: int, starting: Starting) -> Iterator[Outcome]:
        call = self._call_of(scenario)
        while first <= last:
            size = min(last - first + 1, int(CHUNK_SECONDS / self._seconds) if self._seconds < QUICK_SECONDS else 1)
            outcomes = self._chunk(scenario, first, first + size - 1, call, starting)
            if outcomes is not None:
                yield from outcomes
                self._seconds = max(outcomes[-1].seconds, sum(o.seconds for o in outcomes) / size, 1e-6)
                first += size

    def debug(self, scenario: Scenario, replication: int) -> Any:
        """Calls the function as for that replication and lets its exceptions through; returns what it returned."""
        ((seed, given),) = self._given(scenario, replication, replication)
        if not self._own_streams:
            _seed_globals(seed)
        return self._call_of(scenario)(**given)

    def _call_of(self, scenario: Scenario) -> Callable[..., Any]:
        """The function with the scenario's parameters filled in, fresh copies of those that could be changed."""
        values = dict(scenario.parameters)
        own = values if self._any_keyword else {k: v for k, v in values.items() if k in self._names}
        own = {k: v for k, v in own.items() if k not in self._uses}
        if "params" not in self._uses and not any(isinstance(v, (list, dict)) for v in own.values()):
            return functools.partial(self.function, **own) if own else self.function

        def call(**given: Any) -> Any:
            fresh = copy.deepcopy(own)
            if "params" in self._uses:
                fresh["params"] = copy.deepcopy(values)
            return self.function(**fresh, **given)

        return call

    def _chunk(
        self, scenario: Scenario, first: int, last: int, call: Callable[..., Any], starting: Starting
    ) -> list[Outcome] | None:
        """Replications first..last; None if they drew from the global generators, which then get seeded each time.

        A chunk of one has the global generators of `random` and `numpy.random` seeded for that replication. In a longer
        chunk they are only watched, since seeding costs more than a quick model.
        """
        each = self._draws_globals or first == last
        watched = None if each or self._own_streams else _seed_globals(0)
        outcomes = []
        for replication, (seed, given) in enumerate(self._given(scenario, first, last), first):
            starting(replication)
            before = _seed_globals(seed) if each and not self._own_streams else None
            outcome = self._perform(scenario.name, replication, call, given)
            outcome.draws = self._draws(outcome, seed, given.get("rng"), before)
            outcomes.append(outcome)
        if watched is not None and _globals_state() != watched:
            self._draws_globals = True
            return None
        return outcomes

    def _given(self, scenario: Scenario, first: int, last: int) -> list[tuple[int, dict[str, Any]]]:
        """Of each replication: its seed, and the reserved arguments that the function takes."""
        experiment, uses = self.experiment, self._uses
        common = experiment.streams.common
        if "rng" in uses:
            streams, seeds = generators(experiment.seed, first, last, scenario.index, common)
            given: list[dict[str, Any]] = [{"rng": stream} for stream in streams]
        else:
            seeds = stream_seeds(experiment.seed, first, last, scenario.index, common)
            given = [{} for _ in seeds]
        for replication, (seed, arguments) in enumerate(zip(seeds, given, strict=True), first):
            if "replication" in uses:
                arguments["replication"] = replication
            if "seed" in uses:
                arguments["seed"] = seed
        return list(zip(seeds, given, strict=True))

    def _perform(self, scenario: str, replication: int, call: Callable[..., Any], given: Mapping[str, Any]) -> Outcome:
        start = time.perf_counter()
        try:
            metrics, tables = read_result(call(**given))
        except UnusableResult as error:
            outcome = _failed(scenario, replication, start, Failure("error", "UnusableResult", str(error)))
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            failure = Failure("error", type(error).__qualname__, str(error), model_traceback(error, self.folder))
            outcome = _failed(scenario, replication, start, failure)
        else:
            outcome = Outcome(scenario, replication, time.perf_counter() - start, metrics, tables)
        self._restore(outcome)
        return outcome

    def _restore(self, outcome: Outcome) -> None:
        """Takes the log and the warnings, and undoes a change of directory."""
        sys.stdout.flush()
        outcome.log = self.log.take()
        if self._caught:
            texts = [f"{type(w.message).__name__}: {w.message}" for w in self._caught]
            outcome.warnings, outcome.warning_count = tuple(texts[:WARNINGS_KEPT]), len(texts)
            self._caught.clear()
        try:
            if os.getcwd() != self.folder:  # noqa: PTH109 - pathlib takes ten times as long
                os.chdir(self.folder)
        except FileNotFoundError:
            os.chdir(self.folder)

    def _draws(self, outcome: Outcome, seed: int, rng: np.random.Generator | None, before: tuple[Any, Any] | None) -> int:
        """The fingerprint of Outcome.draws, of whichever generator the model may have seeded itself by."""
        if "seed" in self._uses:
            return seed
        draws = 0
        if rng is not None:
            draws = drawn(rng)
        if before is not None:
            for then, now in zip(before, _globals_state(), strict=True):
                draws ^= 0 if now == then else _digest(now)
        if not draws and "replication" in self._uses and not outcome.tables:
            whole = all(value is None or value == int(value) for value in outcome.metrics.values() if value == value)
            return outcome.replication if whole else 0
        return draws


def _failed(scenario: str, replication: int, start: float, failure: Failure) -> Outcome:
    return Outcome(scenario, replication, time.perf_counter() - start, failure=failure)


def _seed_globals(seed: int) -> tuple[Any, Any]:
    """Seeds the generators that functions of `random` and `numpy.random` draw from; returns their state."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    return _globals_state()


def _globals_state() -> tuple[Any, Any]:
    """The states of `random` and of `numpy.random`."""
    legacy: Any = np.random.get_state(legacy=True)
    return random.getstate(), (legacy[1].tobytes(), legacy[2:])


def _digest(state: Any) -> int:
    return int.from_bytes(hashlib.blake2b(repr(state).encode(), digest_size=8).digest()) & MASK_63
