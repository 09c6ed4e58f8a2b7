"""The local pool's door into the worker: orders come in as JSON lines on one pipe, news goes out on another.

Orders: `open` a model's folder, `describe` it, `load` it, `join` a run, `do` a batch, simulate a stored replication
`again`. News: `signature`, `ready`, `saved`, `done`, `again`, `model_error`, `store_error`, `spoilt`. The number of the
replication being simulated stands in a shared page, the beacon, so that whoever finds this process dead or silent knows
the culprit.
"""

from __future__ import annotations

import dataclasses
import json
import mmap
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import FrameType
from typing import Any

from replicast.core.errors import ModelError, ReplicastError
from replicast.core.experiment import Experiment
from replicast.core.parameters import Signature
from replicast.core.ports import Keeping, Model, Store
from replicast.core.progress import Saved
from replicast.core.replication import Batch
from replicast.machine.condition import Condition, Spoilt
from replicast.models import language_of, open_model
from replicast.models.capture import Log
from replicast.performing.copies import CALLABLE
from replicast.performing.worker import Assignment, Worker, started
from replicast.stores import open_store

from .own_folder import own_folder
from .pool_process import SPOILT_STATUS

IN_WORKER = "REPLICAST_IN_WORKER"
PROJECT_VARIABLE = "REPLICAST_PROJECT"
"""Where the model's folder was before it was copied: an R model looks there for a library of renv's, never copied."""


class Stop(BaseException):
    """Raised in the main thread by SIGTERM: save what is there and leave."""


def stop(_signal: int, _frame: FrameType | None) -> None:
    raise Stop


class LastWord:
    """The beacon of a forked child: where it would begin another replication, it ends."""

    def __setitem__(self, _place: int, _number: int) -> None:
        os._exit(0)


class Door:
    def __init__(self, orders: int, news: int, beacon: int, log: Path) -> None:
        self._orders = os.fdopen(orders, "rb")
        self._news, self._telling = news, threading.Lock()
        self._beacon = memoryview(mmap.mmap(beacon, mmap.PAGESIZE)).cast("q")
        self._log = Log(log)
        self._stack = ExitStack()
        self._worker: Worker | None = None
        self._store: Store | None = None
        self._model: Model | None = None
        self._scratch = log.parent / log.stem
        self._function: Callable[..., Any] | None = None
        self._condition = Condition([orders, news, self._log.descriptor])

    def tell(self, **news: Any) -> None:
        line = memoryview(json.dumps(news).encode() + b"\n")
        with self._telling:
            while line:
                line = line[os.write(self._news, line) :]

    def forget(self) -> None:
        """In a child that a model forks, which must not speak for its parent nor do its work."""
        nowhere = os.open(os.devnull, os.O_RDWR)
        for descriptor in (self._orders.fileno(), self._news):
            os.dup2(nowhere, descriptor)
        self._beacon = LastWord()  # type: ignore[assignment]

    def leave_over(self, error: Exception) -> None:
        """Says what went wrong, as far as it can: a model may have taken from this process what it needs to work."""
        spoilt = self._condition.changed() or (str(error) if isinstance(error, Spoilt) else "")
        known = isinstance(error, ReplicastError) and not spoilt
        if not known and not spoilt:
            traceback.print_exception(error)
            spoilt = f"{type(error).__name__}: {error}"
        with suppress(OSError, ValueError):
            self.tell(**({"store_error": str(error)} if known else {"spoilt": spoilt}))

    def starting(self, replication: int) -> None:
        self._beacon[1] = self._log.taken
        self._beacon[0] = replication

    def serve(self) -> None:
        """Follows orders until there are no more."""
        with self._stack:
            for line in self._orders:
                (order,) = json.loads(line).items()
                getattr(self, "follow_" + order[0])(order[1])

    def follow_open(self, order: dict[str, Any]) -> None:
        described = self._model
        if order.get("project"):
            os.environ[PROJECT_VARIABLE] = order["project"]
        self._scratch.mkdir(exist_ok=True)
        experiment = Experiment.from_dict(order["experiment"])
        if not language_of(experiment.model).travels and self._function is None:
            import cloudpickle

            self._function = cloudpickle.loads((Path(order["folder"]) / CALLABLE).read_bytes())
        self._model = open_model(
            own_folder(Path(order["folder"]), self._scratch / Path(order["folder"]).name),
            experiment,
            scratch=self._scratch,
            log=self._log,
            timeout_seconds=order.get("timeout_seconds"),
            function=self._function,
            project=Path(order["project"]) if order.get("project") else None,
        )
        if isinstance(described, Keeping):
            described.hand_over(self._model)

    def follow_describe(self, _order: None) -> None:
        try:
            self.tell(signature=dataclasses.asdict(self._described()))
        except ModelError as error:
            self.tell(model_error=[str(error), error.detail or self._log.take()])

    def follow_load(self, _order: None) -> None:
        """Loads the model while another process describes it; what is wrong with it is said there, or on joining."""
        with suppress(ModelError):
            self._described()
        self._log.take()

    def _described(self) -> Signature:
        model = self._model
        assert model is not None
        return model.describe_and_keep() if isinstance(model, Keeping) else model.describe()

    def follow_join(self, order: dict[str, Any]) -> None:
        assert self._model is not None
        experiment = Experiment.from_dict(order["experiment"])
        assignment = Assignment(order["run"], experiment, order["retries"], order["worker"], order["save_seconds"])
        try:
            self._store = open_store(order["store"], reached=True)
            context = started(assignment, self._model, self._store, self._saved)
            self._worker = self._stack.enter_context(context)
        except ModelError as error:
            self.tell(model_error=[str(error), error.detail])
        else:
            self.tell(ready=True)

    def follow_do(self, order: list[Any]) -> None:
        assert self._worker is not None
        self._worker.perform(Batch(*order), self.starting)
        self._beacon[0] = 0
        self.tell(done=order)

    def follow_again(self, order: list[Any]) -> None:
        from replicast.performing.second_look import look_again

        assert self._worker is not None and self._store is not None
        name, replication = order
        assignment = self._worker.assignment
        scenario = assignment.experiment.scenario(name)
        look_again(self._store, assignment.run, self._worker.simulate, scenario, replication, self.starting)
        self._beacon[0] = 0
        self.tell(again=order)

    def _saved(self, saved: Saved) -> None:
        batch = saved.batch
        where = [batch.scenario, batch.first, batch.last]
        self.tell(saved=[where, saved.failed, saved.seconds, saved.first_metric])


def work(orders: int, news: int, beacon: int, log: Path) -> None:
    """What a worker process does from its beginning to its end; all but the log are descriptors."""
    os.environ[IN_WORKER] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, stop)
    for descriptor in (orders, news, beacon):
        os.set_inheritable(descriptor, False)
    door = Door(orders, news, beacon, log)
    os.register_at_fork(after_in_child=door.forget)
    try:
        door.serve()
    except Stop:
        pass
    except Exception as error:
        door.leave_over(error)
        raise SystemExit(SPOILT_STATUS) from None


def main() -> None:
    orders, news, beacon = map(int, sys.argv[1:4])
    work(orders, news, beacon, Path(sys.argv[4]))


if __name__ == "__main__":
    main()
