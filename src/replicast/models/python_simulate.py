"""Calling a Python function, replication by replication, so that each depends on nothing but its own number."""

from __future__ import annotations

import copy
import functools
import hashlib
import inspect
import os
import random
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from replicast.core.antithetic import is_mirrored, mark
from replicast.core.experiment import Experiment
from replicast.core.ports import Starting
from replicast.core.replication import WARNINGS_KEPT, Failure, Outcome
from replicast.core.scenarios import Scenario
from replicast.core.streams import MASK_32, MASK_63, drawn, generators, stream_seeds
from replicast.machine.condition import Spoilt

from .python_defaults import is_object, like_default
from .repeats import may_repeat
from .results import Returned, UnusableResult, read_numbers, read_result
from .tables import keys_of
from .working_folder import WorkingFolder

QUICK_SECONDS = 0.001
"""Replications shorter than this run in chunks, within which what costs microseconds is done once."""

CHUNK_SECONDS = 0.02
LARGEST_CHUNK = 10_000
CHANGEABLE = (list, dict, set, np.ndarray)
"""Types of arguments that a model could change: each replication gets fresh copies."""

OURS = (str(Path(__file__).resolve().parent.parent) + os.sep, "<frozen importlib")


class TakesLog(Protocol):
    """Where printed text is taken from, see `capture`."""

    def grown(self) -> bool: ...
    def take(self) -> str: ...


class PythonSimulate:
    """Fulfils `core.ports.Simulate`: calls the function in this process.

    Quick replications run in chunks. What a replication could leave behind for the next (a changed directory, printed
    text, numbers drawn from the global generators) is looked for once, at the end of the chunk. If it is found, the
    chunk is thrown away and performed again with care for each replication, and so are all that follow.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        experiment: Experiment,
        folder: Path,
        log: TakesLog,
        caught: CaughtWarnings,
    ) -> None:
        self.function, self.experiment, self.log = function, experiment, log
        self.folder = os.path.realpath(folder)
        self._caught = caught
        self._uses = set(arguments["uses"])
        self._names = {parameter.name for parameter in arguments["parameters"]}
        self._any_keyword = arguments["takes_any"] and "params" not in self._uses
        defaults = {name: argument.default for name, argument in inspect.signature(function).parameters.items()}
        self._defaults = {k: v for k, v in defaults.items() if k in self._names and v is not inspect.Parameter.empty}
        self._changeable = {k: v for k, v in defaults.items() if isinstance(v, CHANGEABLE) and k in self._names}
        self._own_streams = experiment.streams.kind == "own"
        self._careful = False
        self._notes: list[str] = []
        self._files = WorkingFolder(self.folder, keeps=experiment.keep_files)
        self._seconds = QUICK_SECONDS

    def __call__(self, scenario: Scenario, first: int, last: int, starting: Starting) -> Iterator[Outcome]:
        call = self._call_of(scenario)
        while first <= last:
            quick = not self._careful and self._seconds < QUICK_SECONDS
            size = min(last - first + 1, int(CHUNK_SECONDS / self._seconds) if quick else 1, LARGEST_CHUNK)
            outcomes = self._quickly(scenario, first, first + size - 1, call, starting) if quick else None
            if outcomes is None:
                given = self._given(scenario, first, first + size - 1)
                outcomes = [self._carefully(scenario.name, *one, call, starting) for one in given]
            yield from outcomes
            self._seconds = max(outcomes[-1].seconds, sum(o.seconds for o in outcomes) / size, 1e-6)
            first += size

    def debug(self, scenario: Scenario, replication: int) -> Any:
        """Calls the function as for that replication and lets its exceptions through; returns what it returned."""
        ((_, seed, given),) = self._given(scenario, replication, replication)
        if not self._own_streams:
            _seed_globals(seed)
        return self._call_of(scenario)(**given)

    def _call_of(self, scenario: Scenario) -> Callable[..., Any]:
        """The function with the scenario's parameters filled in, fresh copies of those that could be changed."""
        values = dict(scenario.parameters)
        own = {k: v for k, v in values.items() if (self._any_keyword or k in self._names) and k not in self._uses}
        own = {k: like_default(v, self._defaults[k]) if k in self._defaults else v for k, v in own.items()}
        own = self._changeable | own
        if "params" not in self._uses and not any(isinstance(v, CHANGEABLE) or is_object(v) for v in own.values()):
            return functools.partial(self.function, **own) if own else self.function

        def call(**given: Any) -> Any:
            fresh = copy.deepcopy(own)
            if "params" in self._uses:
                fresh["params"] = copy.deepcopy(values)
            return self.function(**fresh, **given)

        return call

    def _given(self, scenario: Scenario, first: int, last: int) -> Iterator[tuple[int, int, dict[str, Any]]]:
        """Of each replication: its number, its seed, and the reserved arguments that the function takes.

        The arguments are in the same dict each time; `rng` is made when its turn comes.
        """
        uses, antithetic = self._uses, self.experiment.streams.antithetic
        span = (self.experiment.seed, first, last, scenario.index, self.experiment.streams.common, antithetic)
        numbers, given = range(first, last + 1), dict[str, Any]()
        streams, seeds = generators(*span) if "rng" in uses else (repeat(None), stream_seeds(*span))
        if uses == {"rng"}:
            for number, seed, given["rng"] in zip(numbers, seeds, streams, strict=True):
                yield number, seed, given
            return
        for number, seed, rng in zip(numbers, seeds, streams):  # noqa: B905 - `streams` may have no end
            if rng is not None:
                given["rng"] = rng
            if "replication" in uses:
                given["replication"] = number
            if "seed" in uses:
                given["seed"] = seed
            if "seed32" in uses:
                given["seed32"] = seed & MASK_32
            if "antithetic" in uses:
                given["antithetic"] = is_mirrored(number, antithetic)
            yield number, seed, given

    def _quickly(
        self, scenario: Scenario, first: int, last: int, call: Callable[..., Any], starting: Starting
    ) -> list[Outcome] | None:
        """The chunk's outcomes, or None if the replications could have touched one another."""
        watched, antithetic = None if self._own_streams else _seed_globals(0), self.experiment.streams.antithetic
        name, perform, draws, caught, outcomes = scenario.name, self._perform, self._draws, self._caught, []
        for number, seed, given in self._given(scenario, first, last):
            starting(number)
            outcome = perform(name, number, call, given)
            outcome.draws = draws(outcome, seed, given)
            if antithetic:
                outcome.draws = mark(outcome.draws, number, antithetic)
            if caught.count:
                outcome.warnings, outcome.warning_count = caught.take()
            outcomes.append(outcome)
        _flush()
        try:
            written = self._files.written()
            moved = self._directory_changed() or self.log.grown()
            if written or moved or (watched is not None and _globals_state() != watched):
                self._careful = True
                self.log.take()
                self._return_to_folder()
                self._files.tidy(written)
                return None
        except OSError as error:
            raise Spoilt(str(error)) from None
        return outcomes

    def _carefully(
        self,
        scenario: str,
        number: int,
        seed: int,
        given: Mapping[str, Any],
        call: Callable[..., Any],
        starting: Starting,
    ) -> Outcome:
        """One replication, with the global generators of `random` and `numpy.random` seeded for it."""
        starting(number)
        before = None if self._own_streams else _seed_globals(seed)
        outcome = self._perform(scenario, number, call, given)
        draws = self._draws(outcome, seed, given, before)
        outcome.draws = mark(draws, number, self.experiment.streams.antithetic)
        _flush()
        outcome.warnings, outcome.warning_count = self._caught.take()
        try:
            outcome.log = self.log.take()
            if self._directory_changed():
                self._return_to_folder()
            if written := self._files.written():
                self._careful = True
                self._files.settle(outcome, written)
        except OSError as error:
            raise Spoilt(str(error)) from None
        return outcome

    def _perform(self, scenario: str, number: int, call: Callable[..., Any], given: Mapping[str, Any]) -> Outcome:
        start = time.perf_counter()
        try:
            returned = call(**given)
            metrics, tables = read_numbers(returned) or self._read(returned, scenario, number)
        except UnusableResult as error:
            failure = Failure("error", "UnusableResult", str(error))
            return Outcome(scenario, number, time.perf_counter() - start, failure=failure)
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            seconds = time.perf_counter() - start
            message = str(traceback.TracebackException.from_exception(error)) + _advice(error, self._uses)
            failure = Failure("error", type(error).__qualname__, message, model_traceback(error, self.folder))
            return Outcome(scenario, number, seconds, failure=failure)
        outcome = Outcome(scenario, number, time.perf_counter() - start, metrics, tables)
        if self._notes:
            outcome.notes = tuple(self._notes)
            self._notes.clear()
        return outcome

    def _read(self, returned: Any, scenario: str, number: int) -> Returned:
        return read_result(returned, self._notes.append, keys_of(scenario, number))

    def _directory_changed(self) -> bool:
        try:
            return os.getcwd() != self.folder  # noqa: PTH109 - pathlib takes ten times as long
        except FileNotFoundError:
            return True

    def _return_to_folder(self) -> None:
        try:
            os.chdir(self.folder)
        except FileNotFoundError:
            raise Spoilt("it removed the folder that it works in") from None

    def _draws(
        self, outcome: Outcome, seed: int, given: Mapping[str, Any], before: tuple[Any, Any] | None = None
    ) -> int:
        """The fingerprint of Outcome.draws, of whichever generator the model may have seeded itself by."""
        draws = drawn(given["rng"]) if "rng" in given else 0
        if before is not None:
            for then, now in zip(before, _globals_state(), strict=True):
                draws ^= 0 if now == then else _digest(now)
        if not draws and self._uses & {"seed", "seed32", "replication"}:
            return seed if may_repeat(outcome.metrics, outcome.tables.values()) else 0
        return draws


SEED_IS_TOO_LONG = ("2**32", "2^32", "4294967295", "0xffffffff", "32-bit", "int too large to convert to C long")


def _advice(error: BaseException, uses: Set[str]) -> str:
    """What to do about an error that comes of the 63 bits of `seed`."""
    if "seed" not in uses or not isinstance(error, (ValueError, OverflowError, TypeError)):
        return ""
    if not any(sign in str(error).lower() for sign in SEED_IS_TOO_LONG):
        return ""
    return " (`seed` has 63 bits: where a library takes 32, give the model the argument `seed32` instead)"


class CaughtWarnings:
    """Takes the place of `warnings.showwarning`: counts, and keeps the text of the first few."""

    def __init__(self) -> None:
        self.count, self._texts = 0, list[str]()

    def __call__(self, message: Warning | str, category: type[Warning], *_where: object) -> None:
        self.count += 1
        if len(self._texts) < WARNINGS_KEPT:
            self._texts.append(f"{category.__name__}: {message}")

    def take(self) -> tuple[tuple[str, ...], int]:
        """The texts and the number of those since the last call."""
        taken = tuple(self._texts), self.count
        self.count, self._texts = 0, []
        return taken


def _flush() -> None:
    """Hands over what was printed; a model may have closed its streams."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(ValueError, OSError, AttributeError):
            stream.flush()


def _seed_globals(seed: int) -> tuple[Any, Any]:
    """Seeds the generators that functions of `random` and `numpy.random` draw from; returns their states."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
    return _globals_state()


def _globals_state() -> tuple[Any, Any]:
    """The states of `random` and of `numpy.random`."""
    legacy: Any = np.random.get_state(legacy=True)
    return random.getstate(), (legacy[1].tobytes(), legacy[2:])


def _digest(state: Any) -> int:
    return int.from_bytes(hashlib.blake2b(repr(state).encode(), digest_size=8).digest()) & MASK_63


def model_traceback(error: BaseException, folder: str = "") -> str:
    """The traceback from the model's first frame on, without replicast's; paths are relative to the source's copy."""
    shown = traceback.TracebackException.from_exception(error, compact=True)
    for link in _links(shown):
        frames = [frame for frame in link.stack if not frame.filename.startswith(OURS)]
        link.stack = traceback.StackSummary.from_list(frames) if frames else None  # type: ignore[assignment]
    text = "".join(shown.format())
    return text.replace(f'File "{folder}/', 'File "') if folder else text


def _links(shown: traceback.TracebackException | None) -> Iterator[traceback.TracebackException]:
    """The exception, and those that it came of or groups."""
    if shown is not None:
        yield shown
        for inner in (shown.__cause__, shown.__context__, *(shown.exceptions or ())):
            yield from _links(inner)
