"""The local pool: long-lived worker processes, each with its model loaded, each replaced when it dies.

Why not `concurrent.futures`: there, one dead worker fails every future. Here a death costs the guilty replication.
"""

from __future__ import annotations

import os
import secrets
import selectors
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicast.core.errors import ModelError
from replicast.machine.deaths import reason_of_death
from replicast.machine.forks import can_fork
from replicast.machine.processes import available_cores, descendants, end_carriers, end_group
from replicast.performing.saving import SAVE_SECONDS

from .forking import Zygote, begin_to_fork
from .pool_process import PoolProcess
from .processes import Guardian
from .surroundings import POOL_VARIABLE

if TYPE_CHECKING:  # what is needed once processes are starting is imported then
    from replicast.core.experiment import Experiment
    from replicast.core.parameters import Signature
    from replicast.core.ports import Work
    from replicast.core.replication import Batch

    from .pool_job import PoolJob

LOOK_SECONDS = 0.1


class Pool:
    """Fulfils `core.ports.Executor` with processes of this machine. A context manager: at its end none is left.

    `folder` holds the source that is simulated; without one it is taken from the run's store, or `function` is.
    `worker` names this machine in the results, which wait `save_seconds` at most to be saved. Where workers can be
    forked, they are, from a process that is started for them unless there is a `zygote` already.
    """

    name = "local"

    def __init__(
        self,
        folder: Path | None = None,
        experiment: Experiment | None = None,
        *,
        workers: int | None = None,
        environment: Mapping[str, str] | None = None,
        project: Path | None = None,
        function: Callable[..., Any] | None = None,
        worker: str = "",
        save_seconds: float = SAVE_SECONDS,
        zygote: Zygote | None = None,
    ) -> None:
        self.folder, self._experiment, self.project, self.function = folder, experiment, project, function
        self.worker, self.save_seconds = worker or f"{os.uname().nodename}/", save_seconds
        self.environment = dict(environment or {})
        self.workers = workers or available_cores()
        self.zygote, self.forks = zygote, self.workers > 1 and can_fork()
        self.token = zygote.token if zygote is not None else secrets.token_hex(8)
        self.scratch = Path(tempfile.mkdtemp(prefix="replicast-"))
        self.guardian = Guardian(self.token, self.scratch)
        self.processes: list[PoolProcess] = []
        self._started = 0
        self.looks_again = False
        self._work: Work | None = None
        self._source_of: str | None = None
        self._describing: PoolProcess | None = None

    def __enter__(self) -> Pool:
        return self

    @property
    def experiment(self) -> Experiment:
        """What is to be simulated; processes may be started before that is known."""
        assert self._experiment is not None
        return self._experiment

    @experiment.setter
    def experiment(self, experiment: Experiment) -> None:
        self._experiment = experiment

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm_up(self, workers: int) -> None:
        """Starts processes before their work is known, so that they load Python meanwhile."""
        while len(self.processes) < min(workers, self.workers):
            self.start_process()

    def limit(self, workers: int) -> None:
        """Has no more than so many processes from now on, and ends those that are too many."""
        self.workers = workers
        for process in self.processes[workers:]:
            self.replace(process)

    def start_process(self) -> PoolProcess:
        """One more, told at once which run it works for if that is known."""
        self._started += 1
        if self.zygote is None and self.forks:
            self.zygote = begin_to_fork(self.token, self.environment)
        process = PoolProcess(self._started, self.token, self.scratch, self.guardian, self.environment, self.zygote)
        self.processes.append(process)
        if self._work is not None:
            self._join(process, self._work)
        return process

    def begin_to_describe(self) -> PoolProcess:
        """Has a process load the model to describe it, which `describe` waits for, and all others load it meanwhile."""
        self.warm_up(1)
        process, *others = self.processes
        self._open(process, self.experiment, None)
        process.order(describe=None)
        for other in others:
            self._open(other, self.experiment, None)
            other.order(load=None)
        self._describing = process
        return process

    def describe(self) -> Signature:
        """What the model says of itself, loaded in a worker process. Raises ModelError."""
        from replicast.core.parameters import Parameter, Signature

        process = self._describing or self.begin_to_describe()
        self._describing = None
        news = _wait_for_news(process)
        if news is None:
            status = process.kill()
            reason = process.spoilt or reason_of_death(status)[1]
            message = f"{self.experiment.model.label} cannot be loaded: {reason}"
            raise ModelError(message.replace(" while this replication ran", ""), process.log_tail())
        if "model_error" in news:
            raise ModelError(*news["model_error"])
        found = news["signature"]
        found["parameters"] = tuple(Parameter(**parameter) for parameter in found["parameters"])
        return Signature(**(found | {"uses": tuple(found["uses"]), "warnings": tuple(found.get("warnings", ()))}))

    def _open(self, process: PoolProcess, experiment: Experiment, timeout_seconds: float | None) -> None:
        assert self.folder is not None
        order = {"folder": str(self.folder), "experiment": experiment.to_dict(), "timeout_seconds": timeout_seconds}
        order["project"] = None if self.project is None else str(self.project)
        process.order(open=order)

    def check_out(self, work: Work) -> None:
        """Takes the source from the run's store. Raises RequestError, StoreError.

        Processes that have the source of another run are ended: what they loaded of it they would simulate again.
        """
        if self._source_of not in (None, work.run):
            self.dismiss()
        from replicast.performing.copies import check_out_or_stage

        self.folder, self._source_of = self.scratch / f"model-{work.run}", work.run
        check_out_or_stage(work, self.folder, self.function)

    def join(self, work: Work) -> None:
        """Tells all processes, present and future, which run they work for."""
        if self.folder is None or self._source_of not in (None, work.run):
            self.check_out(work)
        self._work = work
        for process in self.processes:
            self._join(process, work)

    def _join(self, process: PoolProcess, work: Work) -> None:
        self._open(process, work.experiment, work.timeout_seconds)
        process.order(join={
            "run": work.run, "experiment": work.experiment.to_dict(), "retries": work.retries,
            "worker": f"{self.worker}{process.process.pid}", "store": work.store.url,
            "save_seconds": self.save_seconds,
        })  # fmt: skip

    def start(self, work: Work, batches: Sequence[Batch]) -> PoolJob:
        from .pool_job import PoolJob

        if work != self._work:
            self.join(work)
        wanted = min(self.workers, sum(map(len, batches)))
        self.warm_up(wanted)
        return PoolJob(self, batches, work)

    def find(self, _job_id: str) -> None:
        """Its jobs end with this process."""
        return

    def replace(self, process: PoolProcess) -> int:
        """Ends a process; returns its exit status. Another is started when there is work for it."""
        status = process.kill()
        self.processes.remove(process)
        return status

    def dismiss(self) -> None:
        """Ends all processes; others are started when there is work."""
        for process in list(self.processes):
            self.replace(process)

    def close(self) -> None:
        """Ends all processes, at once."""
        if self.zygote is not None and not self.zygote.is_ready:
            self.zygote.end()
        pids = [process.process.pid for process in self.processes]
        started = descendants(pids) if any(pids) else set()
        for process in self.processes:
            if process.process.pid:
                end_group(process.process)
            process.release()
        self.processes.clear()
        if self.zygote is not None:
            self.zygote.end()
        end_carriers(POOL_VARIABLE, self.token, known=started)
        self.guardian.dismiss()
        shutil.rmtree(self.scratch, ignore_errors=True)


def _wait_for_news(process: PoolProcess) -> dict[str, Any] | None:
    with selectors.DefaultSelector() as selector:
        selector.register(process.news, selectors.EVENT_READ)
        while True:
            selector.select(LOOK_SECONDS)
            ended = process.has_ended()
            if heard := process.hear():
                return heard[0]
            if heard is None or ended or process.spoilt:
                return None
