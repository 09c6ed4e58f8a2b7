"""Command models: any program, run once for each replication, that leaves its results as files in a folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from replicast.core.antithetic import is_mirrored, mark, stream_of
from replicast.core.errors import ModelError, nearest
from replicast.core.experiment import Experiment
from replicast.core.parameters import RESERVED, Parameter, Signature
from replicast.core.ports import Starting
from replicast.core.replication import LOG_LIMIT, Failure, Outcome
from replicast.core.scenarios import Scenario
from replicast.core.streams import model_seed

from .command_results import read_printed, take_results
from .kept import check_left
from .not_started import why_not_found, why_not_started
from .placeholders import COLLATION, SIMULATION, Template, parameter_values
from .results import UnusableResult
from .tables import keys_of

R_PROGRAMS = ("Rscript", "R", "Rscript.exe", "R.exe")
R_SEEDS = 2**31
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS",
                    "R_DATATABLE_NUM_THREADS", "POLARS_MAX_THREADS")  # fmt: skip
TRACEBACK_LINES = 20


class CommandModel:
    """Fulfils `core.ports.Model` for a command. `folder` is the run's copy of the source, where the command runs."""

    def __init__(self, folder: Path, experiment: Experiment, *, timeout_seconds: float | None, scratch: Path) -> None:
        self.folder, self.experiment = folder.resolve(), experiment
        self.timeout_seconds, self.scratch = timeout_seconds, scratch.resolve()
        self.program = ""

    def describe(self) -> Signature:
        """A command takes the parameters that it names, and any where it takes all of them as JSON."""
        templates = [self._template()]
        if self._collate_command:
            templates.append(self._collate_template())
        for template in templates:
            if template.program is not None:
                find_program(template.program, self.folder)
        names = dict.fromkeys(name for template in templates for name in template.parameters)
        placeholders = templates[0].names
        taken = {name for name in RESERVED if name in placeholders}
        taken |= {"params"} if templates[0].takes_all_parameters else set()
        return Signature(
            parameters=tuple(Parameter(name, required=True) for name in names),
            takes_any=any(template.takes_all_parameters for template in templates),
            uses=tuple(name for name in RESERVED if name in taken),
            has_collate=bool(self._collate_command),
        )

    @contextmanager
    def start(self) -> Iterator[CommandSimulate]:
        template = self._template()
        for scenario in self.experiment.scenarios:
            parameter_values(scenario.parameters, template)
        self.scratch.mkdir(parents=True, exist_ok=True)
        yield CommandSimulate(self, template)

    def collate(self, artefacts: Path, out: Path, parameters: Mapping[str, Any], scenario: str = "") -> None:
        """Runs the collate command over one scenario's folder `artefacts`; what it leaves in `out` are the results.

        Raises ModelError with the command's log.
        """
        out.mkdir(parents=True, exist_ok=True)
        self.scratch.mkdir(parents=True, exist_ok=True)
        template = self._collate_template()
        values = self.values(parameters, template) | {"scenario": scenario}
        values |= {"artefacts": str(artefacts.resolve()), "out": str(out.resolve())}
        try:
            ended = self.run(template, values, {}, None)
        except OSError as error:
            reason = why_not_started(error, self.program)
            raise ModelError(f"the collate command could not be started: {reason}") from None
        if ended.status != 0:
            raise ModelError(f"the collate command {ended.reason}", ended.log)

    @property
    def _collate_command(self) -> tuple[str, ...]:
        return self.experiment.collation.command if self.experiment.collation else ()

    def _template(self) -> Template:
        return Template.parse(self.experiment.model.command, SIMULATION)

    def _collate_template(self) -> Template:
        return Template.parse(self._collate_command, COLLATION)

    def values(self, parameters: Mapping[str, Any], template: Template) -> dict[str, str]:
        """The placeholders that parameters fill; writes the file of `{params_file}` anew."""
        values = parameter_values(parameters, template)
        if "params_file" in template.names:
            file = self.scratch / "params.json"
            file.write_text(json.dumps(dict(parameters), indent=2) + "\n", encoding="utf-8")
            values["params_file"] = str(file)
        return values

    def run(
        self, template: Template, values: Mapping[str, str], variables: Mapping[str, str], timeout: float | None
    ) -> Ended:
        """Raises OSError if the command cannot be started."""
        program, *arguments = template.fill(values)
        self.program = find_program(program, self.folder)
        command = [self.program, *arguments]
        return run_command(command, self.folder, os.environ | variables, self.scratch, timeout)


class CommandSimulate:
    """Fulfils `core.ports.Simulate`: a fresh process for each replication."""

    def __init__(self, model: CommandModel, template: Template) -> None:
        self.model, self.template = model, template
        self._is_r = Path(template.program or "").name in R_PROGRAMS
        self._threads = {name: "1" for name in THREAD_VARIABLES if name not in os.environ}

    def __call__(self, scenario: Scenario, first: int, last: int, starting: Starting) -> Iterator[Outcome]:
        for replication in range(first, last + 1):
            starting(replication)
            yield self._perform(scenario, replication)

    def _perform(self, scenario: Scenario, replication: int) -> Outcome:
        seed = self._seed(scenario, replication)
        out = Path(tempfile.mkdtemp(prefix="out-", dir=self.model.scratch))
        outcome = Outcome(scenario.name, replication, 0.0, draws=self._draws(seed, replication))
        values = {"replication": str(replication), "seed": str(seed), "scenario": scenario.name, "out": str(out)}
        values["seed32"] = str(seed % 2**32)
        values["antithetic"] = "true" if self._is_mirrored(replication) else "false"
        values |= self.model.values(scenario.parameters, self.template)
        variables = self._threads | {"REPLICAST_REPLICATION": str(replication), "REPLICAST_SEED": str(seed)}
        start = time.perf_counter()
        try:
            ended = self.model.run(self.template, values, variables, self.model.timeout_seconds)
        except (OSError, ModelError) as error:
            reason = why_not_started(error, self.model.program) if isinstance(error, OSError) else error
            outcome.failure = Failure("error", "CannotStart", f"the command could not be started: {reason}")
        else:
            outcome.seconds = time.perf_counter() - start
            outcome.log = ended.log
            self._read(outcome, ended, out)
        if outcome.failure is not None or not _has_files(out):
            shutil.rmtree(out, ignore_errors=True)
        else:
            outcome.folder = str(out)
        return outcome

    def _is_mirrored(self, replication: int) -> bool:
        return is_mirrored(replication, self.model.experiment.streams.antithetic)

    def _seed(self, scenario: Scenario, replication: int) -> int:
        """R's `set.seed` takes 31 bits."""
        experiment = self.model.experiment
        streams = experiment.streams
        number = stream_of(replication, streams.antithetic)
        seed = model_seed(experiment.seed, number, scenario.index, streams.common)
        return seed % R_SEEDS if self._is_r else seed

    def _draws(self, seed: int, replication: int) -> int:
        """A command that takes `{seed}` or `{replication}` is taken to seed itself with it."""
        if {"seed", "seed32"} & {*self.template.names}:
            return mark(seed, replication, self.model.experiment.streams.antithetic)
        return replication if "replication" in self.template.names else 0

    def _read(self, outcome: Outcome, ended: Ended, out: Path) -> None:
        if ended.overdue:
            message = f"the replication took longer than {self.model.timeout_seconds:g} seconds"
            outcome.failure = Failure("timeout", "Timeout", message, ended.last_lines)
        elif ended.status < 0:
            outcome.failure = Failure("died", ended.signal, f"the command {ended.reason}", ended.last_lines)
        elif ended.status > 0:
            message = f"the command {ended.reason}{why_not_found(ended.status, self.model.program)}"
            outcome.failure = Failure("error", "ExitStatus", message, ended.last_lines)
        else:
            try:
                check_left(out)
                notes, keys = list[str](), keys_of(outcome.scenario, outcome.replication)
                outcome.metrics, outcome.tables = take_results(out, notes.append, keys)
                outcome.notes = tuple(notes)
                if not outcome.metrics and not outcome.tables and not _has_files(out):
                    outcome.metrics = {"value": read_printed(ended.printed)}
            except UnusableResult as error:
                outcome.metrics, outcome.tables = {}, {}
                outcome.failure = Failure("error", "UnusableResult", str(error), ended.last_lines)


def _has_files(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))


def find_program(word: str, folder: Path) -> str:
    """The program that a command's first word means: on the PATH, else a file of `folder`. Raises ModelError."""
    on_path = None if "/" in word else shutil.which(word)
    if on_path is not None:
        return on_path
    path = folder / word
    if path.is_file():
        _let_execute(path, folder)
        return str(path)
    if word in R_PROGRAMS:
        raise ModelError(f"'{word}' is not installed: get R from https://cran.r-project.org")
    hint = nearest(word, (entry.name for entry in folder.iterdir() if entry.is_file() and os.access(entry, os.X_OK)))
    raise ModelError(f"there is no program '{word}', neither on the PATH nor beside the model{hint}")


def _let_execute(path: Path, folder: Path) -> None:
    """Object stores keep no permissions, so the run's copy of a program may have lost its own."""
    if not os.access(path, os.X_OK) and folder in path.resolve().parents:
        with suppress(OSError):
            path.chmod(path.stat().st_mode | stat.S_IXUSR)


@dataclass(frozen=True, slots=True)
class Ended:
    """A command that has ended. `status` is negative for a signal; `printed` is the end of its standard output."""

    status: int
    overdue: bool
    printed: str
    errors: str

    @property
    def log(self) -> str:
        """Standard output, then standard error."""
        break_between = "\n" if self.printed and self.errors and not self.printed.endswith("\n") else ""
        return (self.printed + break_between + self.errors)[-LOG_LIMIT:]

    @property
    def last_lines(self) -> str:
        return "\n".join(self.log.splitlines()[-TRACEBACK_LINES:])

    @property
    def signal(self) -> str:
        try:
            return signal.Signals(-self.status).name
        except ValueError:
            return f"signal {-self.status}"

    @property
    def reason(self) -> str:
        if self.status >= 0:
            return f"ended with exit status {self.status}"
        hint = " (often the system's answer to running out of memory)" if self.signal == "SIGKILL" else ""
        return f"was ended by {self.signal}{hint}"


def run_command(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], scratch: Path, timeout: float | None
) -> Ended:
    """Runs a command in a process group of its own, of which nothing is left afterwards. Raises OSError."""
    with (scratch / "stdout").open("w+b") as printed, (scratch / "stderr").open("w+b") as errors:
        child = Child(command, cwd=folder, env=environment, stdout=printed, stderr=errors)
        try:
            child.start()
            overdue = not child.ended.wait(timeout)
        finally:
            child.end()
        if child.error is not None:
            raise child.error
        return Ended(child.status, overdue, _tail(printed), _tail(errors))


class Child(threading.Thread):
    """Starts a process and waits for its end, in a thread, where no signal's exception can come between the two."""

    def __init__(self, command: Sequence[str], **options: Any) -> None:
        super().__init__(name="replicast-command", daemon=True)
        self.command, self.options = command, options
        self.started, self.ended = threading.Event(), threading.Event()
        self.process: subprocess.Popen[bytes] | None = None
        self.error: OSError | None = None
        self.status = 0

    def run(self) -> None:
        try:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, process_group=0, **self.options)
        except OSError as error:
            self.error = error
        finally:
            self.started.set()
        if self.process is not None:
            _wait_unreaped(self.process)
        self.ended.set()

    def end(self) -> None:
        """Kills what is left of the process group and reaps the process."""
        if self.ident is not None:
            self.started.wait()
        if self.process is not None:
            _kill_group(self.process.pid)
            self.ended.wait()
            self.status = self.process.wait()


def _wait_unreaped(process: subprocess.Popen[bytes]) -> None:
    """While a process is not reaped its group's number cannot pass to another, so the group can be killed safely."""
    if hasattr(os, "waitid"):
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    else:
        process.wait()


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _tail(file: IO[bytes]) -> str:
    """The last LOG_LIMIT bytes."""
    size = file.seek(0, os.SEEK_END)
    start = max(0, size - LOG_LIMIT)
    file.seek(start)
    text = file.read(LOG_LIMIT).decode(errors="replace")
    return f"[{start} bytes left out]\n{text}" if start else text
