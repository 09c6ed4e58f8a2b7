"""A Dask cluster as a place: one that runs at HOST:PORT, or one of this machine's processes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from replicast.core.errors import ExecutorError, RequestError
from replicast.core.ports import Executor, Store
from replicast.core.record import RunRecord
from replicast.executors.dask import DaskExecutor
from replicast.machine.processes import available_cores
from replicast.models import language_of

from .home import Conducted
from .kinds import AtHand

CONNECT_SECONDS = "15s"


class DaskPlace(Conducted):
    """Fulfils `core.ports.Place`: this process conducts, and tasks of a Dask cluster perform."""

    def __init__(self, address: str, at_hand: AtHand) -> None:
        super().__init__(f"dask://{address}" if address else "dask", self._executor, at_hand=at_hand)
        self.address = address

    def check(self, record: RunRecord, store: Store) -> None:
        if not language_of(record.experiment.model).travels:
            raise RequestError("a function that no file defines cannot travel to a Dask worker; put it in a file")
        super().check(record, store)

    @contextmanager
    def _executor(self, record: RunRecord) -> Iterator[Executor]:
        try:
            import distributed
        except ImportError:
            raise RequestError("--on dask needs distributed: python -m pip install 'replicast[dask]'") from None
        dask: Any = distributed  # whose functions have no types
        if self.address:
            try:
                client = dask.Client(f"tcp://{self.address}", timeout=CONNECT_SECONDS, set_as_default=False)
            except (OSError, ValueError) as error:
                raise ExecutorError(f"there is no Dask scheduler at {self.address}: {error}") from None
            with DaskExecutor(client) as executor:
                yield executor
            return
        workers = self.at_hand.workers or record.options.workers or available_cores()
        with (
            dask.LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=None, memory_limit=None, silence_logs=50
            ) as cluster,
            DaskExecutor(dask.Client(cluster, set_as_default=False)) as executor,
        ):
            yield executor


def open_place(address: str, _options: Mapping[str, Any], at_hand: AtHand) -> DaskPlace:
    return DaskPlace(address, at_hand)
