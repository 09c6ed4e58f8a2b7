"""Asking R for replications, chunk by chunk, and reading the outcomes. The R half is r_simulate.R."""

from __future__ import annotations

import hashlib
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from replicast.core.experiment import Experiment, Scenario, Signature
from replicast.core.lecuyer import random_seed_block
from replicast.core.ports import Starting
from replicast.core.replication import Failure, Metric, Outcome
from replicast.core.streams import stream_states

from .r_columns import DOUBLE, INTEGER, INTEGER64, NA_LOW_WORD, read_table
from .r_literals import literal
from .r_process import FAILED, LAYOUT, SCENARIO, SIMULATE, Ended, Late, RProcess

CHUNK_SECONDS = 0.1
LONGEST_CHUNK = 5000
LOG_EMPTIED_AFTER = 16 << 20
LEAST_RECYCLE_BYTES = 1 << 30
RECYCLE_GROWTH = 4
MASK_31, MASK_63 = (1 << 31) - 1, (1 << 63) - 1

Load = Callable[[], tuple[RProcess, Signature]]


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
        self._uses_seed = False
        self._seeds: dict[int, int] = {}
        self._limit_bytes = LEAST_RECYCLE_BYTES
        self._told: RProcess | None = None
        self._names: list[str] = []
        self._kinds: tuple[float, ...] = ()
        self._only_doubles = True
        self._replication_seconds = CHUNK_SECONDS
        self._singly_until = 0
        self._calls = 0
        self.starts = 0
        """How often R was started: a measure of deaths, timeouts and recycling."""

    def make_ready(self) -> RProcess:
        """R with the model loaded: the one that runs, unless there is none or it has grown too large."""
        if self._process is not None and self._process.resident_bytes() > self._limit_bytes:
            self.close()
        if self._process is None:
            self._process, signature = self._load()
            self.starts += 1
            self._uses_seed = "seed" in signature.uses
            grown = max(LEAST_RECYCLE_BYTES, RECYCLE_GROWTH * self._process.resident_bytes())
            self._limit_bytes = self._recycle_bytes or grown
        return self._process

    def close(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def __call__(self, scenario: Scenario, first: int, last: int, starting: Starting) -> Iterator[Outcome]:
        self._told = None
        self._calls += 1
        self._singly_until = 0
        while first <= last:
            end = min(last, first + self._chunk_length(first) - 1)
            for outcome in self._chunk(scenario, first, end, starting):
                first = outcome.replication + 1
                yield outcome

    def _chunk_length(self, first: int) -> int:
        if first <= self._singly_until:
            return 1
        return max(1, min(LONGEST_CHUNK, int(CHUNK_SECONDS / self._replication_seconds)))

    def _chunk(self, scenario: Scenario, first: int, last: int, starting: Starting) -> Iterator[Outcome]:
        """Outcomes of first..last, or of as many as R gave before it failed; of a single one in any case."""
        process = self.make_ready()
        starting(first)
        started, whole = time.monotonic(), False
        try:
            self._tell_scenario(process, scenario)
            self._ask(process, scenario, first, last)
            for replication in range(first, last + 1):
                if replication > first:
                    starting(replication)
                outcome = self._read_outcome(process, scenario.name)
                whole = replication == last
                yield outcome
        except (Ended, Late) as reason:
            self._singly_until = last
            if first == last:
                whole = True
                yield self._lost(process, scenario, first, time.monotonic() - started, reason)
            self.close()
        finally:
            if not whole:
                self.close()
        self._replication_seconds = max(1e-6, (time.monotonic() - started) / (last - first + 1))
        self._empty_log(process)

    def _empty_log(self, process: RProcess) -> None:
        if process.log_taken > LOG_EMPTIED_AFTER and process is self._process:
            process.empty_log()

    def _tell_scenario(self, process: RProcess, scenario: Scenario) -> None:
        if self._told is process:
            return
        keep = None
        if self._experiment.keep_rds:
            keep = str(self._scratch / "kept" / f"{process.folder.name}-{self._calls}-")
        request = {"parameters": dict(scenario.parameters), "keep": keep}
        process.ask_source(SCENARIO, literal(request))
        self._told = process

    def _ask(self, process: RProcess, scenario: Scenario, first: int, last: int) -> None:
        experiment = self._experiment
        streams, content = experiment.streams, b""
        if streams.kind != "own":
            block = random_seed_block(experiment.seed, streams.kind, first, last, scenario.index, streams.common)
            content = block.tobytes()
        if self._uses_seed:
            seed = experiment.seed % 2**32 if experiment.seed < 0 else experiment.seed
            states = stream_states(seed, first, last, scenario.index, streams.common)
            seeds = (states[:, 0] & np.uint64(MASK_31)).astype(np.int32)
            self._seeds = dict(enumerate(seeds.tolist(), first))
            content += seeds.tobytes()
        process.deadline = None
        process.ask(SIMULATE, first, last, int(self._uses_seed), content=content)

    def _read_outcome(self, process: RProcess, scenario: str) -> Outcome:
        if self._timeout_seconds is not None:
            process.deadline = time.monotonic() + self._timeout_seconds
        header = process.doubles(9)
        if header[0] == LAYOUT:
            process.unread(9)
            self._read_layout(process)
            header = process.doubles(9)
        kind, replication, seconds, log_size, warning_count, state, metrics, tables, kept = header
        outcome = Outcome(scenario, int(replication), seconds)
        if metrics:
            outcome.metrics = self._read_metrics(process)
        if state:
            outcome.draws = fingerprint(process.take(8 * int(state)))
        elif self._uses_seed:
            outcome.draws = self._seeds[outcome.replication] or 1
        if log_size > process.log_taken:
            outcome.log = process.log_to(log_size)
        if warning_count:
            outcome.warning_count, outcome.warnings = int(warning_count), tuple(process.texts())
        if kind == FAILED:
            failure, type_, message, traceback, _ = process.texts()
            outcome.failure = Failure("died" if failure == "died" else "error", type_, message, traceback)
        if tables:
            outcome.tables = dict(read_table(process) for _ in range(int(tables)))
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
        else:
            failure = Failure("died", *process.end())
        return Outcome(scenario.name, replication, seconds, failure=failure, log=process.log_to())


def metric_of(kind: float, value: float) -> Metric:
    """A metric from the double that R sent: NA is None, an integer an int."""
    bits = struct.unpack("<q", struct.pack("<d", value))[0]
    if kind == INTEGER64:
        return None if bits == -(2**63) else int(bits)
    if value != value and bits & 0xFFFFFFFF == NA_LOW_WORD:
        return None
    return int(value) if kind == INTEGER else value


def fingerprint(state: bytes) -> int:
    """63 bits that stand for a state of R's generators; never 0."""
    return int.from_bytes(hashlib.blake2b(state, digest_size=8).digest()) & MASK_63 or 1
