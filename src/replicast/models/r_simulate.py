"""Asking R for replications, chunk by chunk, and reading the outcomes. The R half is r_simulate.R."""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray

from replicast.core.antithetic import mark, stream_of
from replicast.core.experiment import Experiment
from replicast.core.factor_levels import FactorLevels
from replicast.core.lecuyer import random_seed_block
from replicast.core.parameters import Signature
from replicast.core.ports import Starting
from replicast.core.replication import Failure, Metric, Outcome
from replicast.core.scenarios import LONGEST_NAME, Scenario
from replicast.core.streams import stream_states

from .r_columns import DOUBLE, INTEGER, INTEGER64, LOGICAL, NA_LOW_WORD, read_table
from .r_literals import literal
from .r_process import (
    BLOCK,
    FAILED,
    LAYOUT,
    NOTED,
    OUTCOME,
    SCENARIO,
    SIMULATE,
    Ended,
    Garbled,
    Late,
    RProcess,
    understood,
)
from .working_folder import WorkingFolder

CHUNK_SECONDS = 0.1
LONGEST_CHUNK = 5000
LOG_EMPTIED_AFTER = 16 << 20
LEAST_RECYCLE_BYTES = 1 << 30
RECYCLE_GROWTH = 4
MASK_31, MASK_63 = (1 << 31) - 1, (1 << 63) - 1

Load = Callable[[], tuple[RProcess, Signature]]


@dataclass(eq=False, slots=True)
class Asked:
    """One call of a Simulate. Up to `singly_until`, replications go alone, since R died among them."""

    scenario: Scenario
    starting: Starting
    singly_until: int = 0


class RSimulate:
    """Fulfils `core.ports.Simulate`. R is started again when it died, took too long, or has grown past its limit.

    Quick replications go in chunks, of which R sends back what it has every 20 ms or so. If R dies within a chunk, what
    it had not sent is asked for again one by one, so that the guilty replication, and no other, gets the blame.
    """

    def __init__(
        self,
        load: Load,
        experiment: Experiment,
        scratch: Path,
        timeout_seconds: float | None,
        recycle_bytes: int | None,
    ) -> None:
        self._load, self._experiment, self._scratch = load, experiment, scratch
        self._timeout_seconds, self._recycle_bytes = timeout_seconds, recycle_bytes
        self._process: RProcess | None = None
        self._uses_seed, self._antithetic = False, experiment.streams.antithetic
        self._seeds: dict[int, int] = {}
        self._limit_bytes = LEAST_RECYCLE_BYTES
        self._told: tuple[RProcess, Asked] | None = None
        self._names: list[str] = []
        self._kinds: tuple[float, ...] = ()
        self._only_doubles = True
        self._replication_seconds = CHUNK_SECONDS
        self._under_way = False
        self._keeps = 0
        self.files: WorkingFolder | None = None
        self._singly = experiment.keep_files
        self.starts = 0
        """How often R was started: a measure of deaths, timeouts and recycling."""

    def make_ready(self) -> RProcess:
        """R with the model loaded: the one that runs, unless there is none or it has grown too large."""
        if self._process is not None and self._process.resident_bytes() > self._limit_bytes:
            self.close()
        if self._process is None:
            self._process, signature = self._load()
            self.starts += 1
            self._uses_seed = bool({"seed", "seed32"} & {*signature.uses})
            grown = max(LEAST_RECYCLE_BYTES, RECYCLE_GROWTH * self._process.resident_bytes())
            self._limit_bytes = self._recycle_bytes or grown
        return self._process

    def close(self) -> None:
        self._under_way = False
        if self._process is not None:
            self._process.close()
            self._process = None

    def __call__(self, scenario: Scenario, first: int, last: int, starting: Starting) -> Iterator[Outcome]:
        """May be called again while an earlier call is not at its end: a chunk that is under way is then given up."""
        asked = Asked(scenario, starting)
        while first <= last:
            end = min(last, first + self._chunk_length(asked, first) - 1)
            for outcome in self._chunk(asked, first, end):
                first = outcome.replication + 1
                yield outcome

    def _chunk_length(self, asked: Asked, first: int) -> int:
        if self._singly or first <= asked.singly_until:
            return 1
        return max(1, min(LONGEST_CHUNK, int(CHUNK_SECONDS / self._replication_seconds)))

    def _chunk(self, asked: Asked, first: int, last: int) -> Iterator[Outcome]:
        """Outcomes of first..last, or of as many as R gave before it failed; of a single one in any case."""
        asked.starting(first)
        if self._under_way:
            self.close()
        process, started = self.make_ready(), time.monotonic()
        self._under_way, following = True, first
        try:
            self._tell_scenario(process, asked)
            self._ask(process, asked.scenario, first, last)
            while following <= last and self._process is process:
                if following > first:
                    asked.starting(following)
                with understood():
                    outcomes = self._read_outcomes(process, asked.scenario.name, following, last)
                following = last + 1 if has_quit(outcomes[-1]) else following + len(outcomes)
                self._under_way = following <= last
                if self.files is not None and (written := self.files.written()):
                    self._singly = True
                    self.files.settle(outcomes[-1], written)
                for outcome in outcomes:
                    if outcome is not outcomes[0]:
                        asked.starting(outcome.replication)
                    yield outcome
        except (Ended, Late, Garbled) as reason:
            asked.singly_until = last
            lost = self._lost(process, asked.scenario, first, time.monotonic() - started, reason)
            self.close()
            if first == last:
                yield lost
        finally:
            if self._under_way and self._process is process:
                self.close()
        self._replication_seconds = max(1e-6, (time.monotonic() - started) / (last - first + 1))
        self._empty_log()

    def _empty_log(self) -> None:
        if self._process is not None and not self._under_way and self._process.log_taken > LOG_EMPTIED_AFTER:
            self._process.empty_log()

    def _tell_scenario(self, process: RProcess, asked: Asked) -> None:
        if self._told == (process, asked):
            return
        keep = None
        if self._experiment.keep_rds:
            self._keeps += 1
            keep = str(self._scratch / "kept" / f"{process.folder.name}-{self._keeps}-")
        named, parameters = asked.scenario.name, dict(asked.scenario.parameters)
        request: dict[str, Any] = {"parameters": parameters, "keep": keep, "scenario": named}
        request["antithetic"] = self._antithetic
        process.ask_source(SCENARIO, literal(request))
        self._told = (process, asked)

    def _ask(self, process: RProcess, scenario: Scenario, first: int, last: int) -> None:
        experiment = self._experiment
        streams, content = experiment.streams, b""
        if streams.kind != "own":
            block = random_seed_block(
                experiment.seed, streams.kind, first, last, scenario.index, streams.common, streams.antithetic
            )
            content = block.tobytes()
        if self._uses_seed:
            seeds = seeds_of(experiment, scenario, first, last)
            self._seeds = dict(enumerate(seeds.tolist(), first))
            content += seeds.tobytes()
        process.deadline = None
        process.ask(SIMULATE, first, last, int(self._uses_seed), content=content)

    def _read_outcomes(self, process: RProcess, scenario: str, following: int, last: int) -> list[Outcome]:
        """What R sends next: one outcome, or a block of those that left nothing but numbers. Raises Garbled."""
        if self._timeout_seconds is not None:
            process.deadline = time.monotonic() + self._timeout_seconds
        header, notes, levels = process.doubles(9), tuple[str, ...](), tuple[FactorLevels, ...]()
        if header[0] == NOTED:
            notes = tuple(process.texts())
            levels = tuple(FactorLevels.of_texts(process.texts()) for _ in range(int(header[1])))
            header = process.doubles(9)
        if header[0] == LAYOUT:
            process.unread(9)
            self._read_layout(process)
            header = process.doubles(9)
        kind, first, count = header[:3]
        if first != following or (kind == BLOCK and not 1 <= count <= last - following + 1):
            raise Garbled
        if kind == BLOCK:
            return self._read_block(process, scenario, *(int(number) for number in header[1:5]))
        if kind not in (OUTCOME, FAILED):
            raise Garbled
        outcome = self._read_outcome(process, scenario, header)
        outcome.notes, outcome.levels = notes, levels
        return [outcome]

    def _read_block(
        self, process: RProcess, scenario: str, first: int, count: int, width: int, states: int
    ) -> list[Outcome]:
        seconds = np.frombuffer(process.take(8 * count)).clip(min=0.0).tolist()
        values = np.frombuffer(process.take(8 * count * width)).reshape(count, width)
        lengths = np.frombuffer(process.take(4 * count), dtype=np.int32)
        content = np.frombuffer(process.take(4 * states), dtype=np.int32).astype(np.float64).tobytes()
        numbers = range(first, first + count)
        outcomes = [
            Outcome(scenario, number, took, metrics)
            for number, took, metrics in zip(numbers, seconds, self._metrics_of(values), strict=True)
        ]
        for outcome, draws in zip(outcomes, self._draws_of(numbers, lengths, content), strict=True):
            outcome.draws = mark(draws, outcome.replication, self._antithetic)
        return outcomes

    def _metrics_of(self, values: NDArray[np.float64]) -> list[dict[str, Metric]]:
        """The metrics of each row: its numbers by their names."""
        names = self._names
        if self._only_doubles and not np.isnan(values).any():
            return [dict(zip(names, row, strict=True)) for row in values.tolist()]
        columns = [
            [metric_of(kind, value) for value in column]
            for kind, column in zip(self._kinds, values.T.tolist(), strict=True)
        ]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def _draws_of(self, numbers: range, lengths: NDArray[np.int32], content: bytes) -> list[int]:
        """`Outcome.draws` for each of the replications, whose final states are as long as `lengths` says."""
        ends = (8 * np.cumsum(lengths, dtype=np.int64)).tolist()
        seeds = self._seeds if self._uses_seed else {}
        return [
            fingerprint(content[start:end]) if end > start else (seeds[number] or 1 if seeds else 0)
            for number, start, end in zip(numbers, [0, *ends[:-1]], ends, strict=True)
        ]

    def _read_outcome(self, process: RProcess, scenario: str, header: tuple[float, ...]) -> Outcome:
        kind, replication, seconds, log_size, warning_count, state, metrics, tables, kept = header
        outcome = Outcome(scenario, int(replication), max(0.0, seconds))
        if metrics:
            outcome.metrics = self._read_metrics(process)
        if state:
            outcome.draws = fingerprint(process.take(8 * int(state)))
        elif self._uses_seed:
            outcome.draws = self._seeds[outcome.replication] or 1
        outcome.draws = mark(outcome.draws, outcome.replication, self._antithetic)
        if log_size > process.log_taken:
            outcome.log = process.log_to(log_size)
        if warning_count:
            outcome.warning_count, outcome.warnings = int(warning_count), tuple(process.texts())
        if kind == FAILED:
            failure, type_, message, traceback, _ = process.texts()
            outcome.failure = Failure("died" if failure == "died" else "error", type_, message, traceback)
        if tables:
            outcome.tables = dict(read_table(process) for _ in range(int(tables)))
            refuse_long_names(outcome)
        if kept:
            outcome.folder = process.texts()[0]
        return outcome

    def _read_layout(self, process: RProcess) -> None:
        count = int(process.doubles(2)[1])
        self._kinds = process.doubles(count)
        self._names = process.texts()
        self._only_doubles = set(self._kinds) == {DOUBLE}

    def _read_metrics(self, process: RProcess) -> dict[str, Metric]:
        values = process.doubles(len(self._names))
        if self._only_doubles and all(value == value for value in values):
            return dict(zip(self._names, values, strict=True))
        triples = zip(self._names, self._kinds, values, strict=True)
        return {name: metric_of(kind, value) for name, kind, value in triples}

    def _lost(
        self, process: RProcess, scenario: Scenario, replication: int, seconds: float, reason: Exception
    ) -> Outcome:
        if isinstance(reason, Late):
            message = f"it took longer than {self._timeout_seconds:g} seconds"
            failure = Failure("timeout", "Timeout", message)
        elif isinstance(reason, Garbled):
            why = f" ({reason.__cause__!r})" if reason.__cause__ else ""
            message = f"what came from R is no answer: it, or a program of its own, wrote into a pipe not its own{why}"
            failure = Failure("died", "Garbled", message)
        else:
            failure = Failure("died", *process.end())
        return Outcome(scenario.name, replication, seconds, failure=failure, log=process.log_to())


def seeds_of(experiment: Experiment, scenario: Scenario, first: int, last: int) -> NDArray[np.int32]:
    """The reserved argument `seed` of each replication: 31 bits, since R's integers have no more."""
    seed = experiment.seed % 2**32 if experiment.seed < 0 else experiment.seed
    antithetic = experiment.streams.antithetic
    start = stream_of(first, antithetic)
    states = stream_states(seed, start, last, scenario.index, experiment.streams.common)
    seeds = (states[:, 0] & np.uint64(MASK_31)).astype(np.int32)
    return seeds[[stream_of(number, antithetic) - start for number in range(first, last + 1)]] if antithetic else seeds


def seed_of(experiment: Experiment, scenario: Scenario, replication: int) -> int:
    return int(seeds_of(experiment, scenario, replication, replication)[0])


def refuse_long_names(outcome: Outcome) -> None:
    """Makes a failure of an outcome with a table whose name no folder can have."""
    for name in outcome.tables:
        if len(quote(name)) > LONGEST_NAME:
            message = f"the name of table '{name[:40]}…' is too long for a folder"
            outcome.failure = Failure("error", "UnusableResult", message)
            outcome.metrics, outcome.tables = {}, {}
            return


def has_quit(outcome: Outcome) -> bool:
    """Whether the model called quit(), after which R, which goes on, waits for a request."""
    return outcome.failure is not None and outcome.failure.kind == "died"


def metric_of(kind: float, value: float) -> Metric:
    """A metric from the double that R sent: NA is None, an integer an int, a logical a bool."""
    bits = struct.unpack("<q", struct.pack("<d", value))[0]
    if kind == INTEGER64:
        return None if bits == -(2**63) else int(bits)
    if value != value and bits & 0xFFFFFFFF == NA_LOW_WORD:
        return None
    return int(value) if kind == INTEGER else bool(value) if kind == LOGICAL else value


def fingerprint(state: bytes) -> int:
    """63 bits that stand for a state of R's generators; never 0."""
    return int.from_bytes(hashlib.blake2b(state, digest_size=8).digest()) & MASK_63 or 1
