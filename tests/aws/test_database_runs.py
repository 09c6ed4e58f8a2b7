"""Results in a database and a conductor's notes in a bucket are one store to everybody else."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from replicast.aws.database_runs import PREPARED, SEEN, DatabaseRuns, OutsideRuns
from replicast.conducting.cancelling import CANCEL
from replicast.core.experiment import Experiment, ModelReference
from replicast.core.record import NAME, RunRecord
from replicast.core.scenarios import Scenario
from replicast.stores.objects import ObjectStore
from replicast.stores.sql import SqlStore
from replicast.testing import STORE_CHECKS, check_store
from replicast.testing.stored import failure, numbers, outcome, stored
from replicast.testing.stores import Check
from replicast.verifying.checking import Stored, differences_by_fingerprint


@pytest.fixture
def both(tmp_path: Path) -> DatabaseRuns:
    return DatabaseRuns(ObjectStore(str(tmp_path / "bucket")), SqlStore(f"sqlite:///{tmp_path}/runs.db"), "aws://test")


@pytest.fixture
def outside(both: DatabaseRuns) -> OutsideRuns:
    return OutsideRuns(both.bucket, both.label, "no way there")


def record(seed: int = 1) -> RunRecord:
    experiment = Experiment(ModelReference("python", "model.py"), (Scenario("base", {}),), seed)
    return RunRecord("ward", experiment, 4, "2026-01-01T00:00:00+00:00")


@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_the_two_together_conform_as_any_store_does(check: Check, both: DatabaseRuns) -> None:
    check_store(lambda: both, [check])


def test_what_was_prepared_outside_is_taken_in_and_what_is_written_inside_is_seen_outside(
    both: DatabaseRuns, outside: OutsideRuns
) -> None:
    outside.write("ward", "model/model.py", b"first")
    outside.write("ward", NAME, record().to_json())
    assert (both.runs(), outside.runs()) == ([], ["ward"])
    both.take_in("ward")
    assert both.runs() == ["ward"]
    assert both.documents("ward", "model") == outside.documents("ward", "model") == ["model/model.py"]
    both.write("ward", NAME, record().with_replications(9).to_json())
    assert RunRecord.from_json(outside.read("ward", NAME) or b"", NAME).replications == 9
    assert both.database.documents("ward", PREPARED) == []


def test_the_mark_to_stop_and_the_conductors_notes_touch_no_database(both: DatabaseRuns, outside: OutsideRuns) -> None:
    outside.write("ward", CANCEL, b"{}")
    assert both.read("ward", CANCEL) == b"{}"
    both.write("ward", "cloud/job.json", b"{}")
    both.write("ward", "collated/summary.csv", b"scenario\n")
    assert outside.documents("ward", "cloud") == both.documents("ward", "cloud") == ["cloud/job.json"]
    both.delete("ward", CANCEL)
    assert outside.read("ward", CANCEL) is None
    assert not (both.database.database.file or Path("none")).exists()


def test_what_is_shown_outside_grows_with_the_run_and_failures_that_were_mended_are_mended_there(
    both: DatabaseRuns, outside: OutsideRuns
) -> None:
    both.write("ward", NAME, record().to_json())
    both.save("ward", [outcome(1), failure(2)])
    both.show(record())
    assert numbers(outside, "ward") == ([1], [2])
    parts = both.bucket.documents("ward", SEEN)
    both.show(record())
    assert both.bucket.documents("ward", SEEN) == parts
    both.save("ward", [outcome(2)])
    both.save("ward", [outcome(4)])
    both.show(record())
    assert numbers(outside, "ward") == ([1, 2, 4], [])
    assert stored(outside, "ward") == stored(both, "ward")
    assert list(outside.tables("ward")) == ["metrics"]


def test_a_replication_is_compared_by_its_fingerprint_where_its_tables_are_not_seen() -> None:
    metrics = pl.DataFrame({"scenario": ["base"], "replication": [1], "value": [0.5]})
    seen = Stored("base", 1, {"state": "ok", "fingerprint": 7}, {"metrics": metrics})
    again = Stored("base", 1, {"state": "ok", "fingerprint": 7}, {"metrics": metrics, "waits": metrics})
    assert differences_by_fingerprint(seen, again) == []
    again.ledger["fingerprint"] = 8
    assert differences_by_fingerprint(seen, again)[0].startswith("its tables differ")
    again.tables["metrics"] = metrics.with_columns(value=0.25)
    assert differences_by_fingerprint(seen, again) == ["value: 0.5; 0.25"]


def test_the_collated_tables_are_fetched_as_they_are(both: DatabaseRuns, outside: OutsideRuns, tmp_path: Path) -> None:
    both.write("ward", "collated/summary.csv", b"scenario\n")
    both.write("ward", "collated/more/own.csv", b"x\n")
    found = outside.collated("ward", tmp_path / "out")
    assert found["summary"].read_bytes() == b"scenario\n"
    assert (tmp_path / "out" / "more" / "own.csv").read_bytes() == b"x\n"
