"""Workers that take the model from a store compare it with the run's record before anything is simulated."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws.performing import Performer
from replicast.core.errors import SourceDamaged
from replicast.core.ports import Store, Work
from replicast.core.record import RunRecord
from replicast.core.replication import Batch
from replicast.executors import batch_door
from replicast.executors.pool import Pool
from replicast.executors.serial import Serial
from replicast.runs import Run

MODEL = b"def simulate(replication):\n    return replication * 1.5\n\ndef collate(run):\n    return {'own': [1]}\n"
FLIPPED = MODEL.replace(b"1.5", b"1.7")


@pytest.fixture
def flipped(tmp_path: Path) -> tuple[RunRecord, Store]:
    """A run of which nothing is simulated yet, and one bit of its code is another one in the store."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "model.py").write_bytes(MODEL)
    request = Request(model=str(tmp_path / "project" / "model.py"), replications=4, seed=1, name="one")
    with Preparation(request, on="serial", store_url=str(tmp_path / "runs")) as preparation:
        record, store = preparation.create(), preparation.store
    store.write("one", "model/model.py", FLIPPED)
    return record, store


def in_serial(record: RunRecord, store: Store) -> None:
    with Serial() as serial:
        serial.start(Work.of(record, store), [Batch("base", 1, 4)])


def in_a_pool(record: RunRecord, store: Store) -> None:
    with Pool(workers=1) as pool:
        pool.start(Work.of(record, store), [Batch("base", 1, 4)])


def in_a_function(record: RunRecord, store: Store) -> None:
    Performer(store, record, processors=1, worker="")


def on_dask(record: RunRecord, store: Store) -> None:
    from replicast.executors.dask import _pool

    _pool(store.url, record.id)


@pytest.mark.parametrize("door", [in_serial, in_a_pool, in_a_function, on_dask])
def test_a_bit_of_the_code_that_flipped_in_the_store_keeps_workers_from_simulating(
    flipped: tuple[RunRecord, Store], door: Callable[[RunRecord, Store], None]
) -> None:
    record, store = flipped
    with pytest.raises(SourceDamaged, match=r"'model/model\.py' of run one is not what it was.* replicast resume one"):
        door(record, store)
    assert not store.coverage("one").done("base")


def test_a_process_that_a_cluster_starts_leaves_word_and_no_failures(
    flipped: tuple[RunRecord, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    record, store = flipped
    batch_door.write_round(store, "one", "jobs/1.json", [Batch("base", 1, 4)])
    monkeypatch.setenv(batch_door.STORE_VARIABLE, store.url)
    monkeypatch.setattr(batch_door.signal, "signal", lambda *_: None)
    assert batch_door.main(["one", "jobs/1.json", "0"]) == SourceDamaged.exit_code
    (trouble,) = batch_door.read_trouble(store, record.id, "jobs/1.json")
    assert trouble["error"] == "SourceDamaged"
    assert "'model/model.py'" in trouble["message"]
    assert not store.coverage("one").done("base")


def test_an_own_collation_is_not_made_by_code_that_flipped(flipped: tuple[RunRecord, Store], tmp_path: Path) -> None:
    record, store = flipped
    with pytest.raises(SourceDamaged, match=r"'model/model\.py'"):
        Run(store.url, record.id).collate(tmp_path / "out")
