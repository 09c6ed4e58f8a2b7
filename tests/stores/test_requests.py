"""What looking at runs costs in a bucket, whose requests are counted where they leave for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.store import MemoryStore

from replicast.cli import main
from replicast.core.errors import RunNotFound
from replicast.core.record import NAME, RunRecord
from replicast.runs import Run, list_runs, run
from replicast.stores import registry
from replicast.stores.labels import set_note
from replicast.stores.objects import ObjectStore
from replicast.stores.registry import StoreKind
from replicast.testing.stored import outcome

RUNS, PARTS = 50, 3
REQUESTS = ("get", "put", "list", "list_with_delimiter", "delete", "head")


class Bucket(ObjectStore):
    """A bucket in memory, that every command of a test finds again."""

    memory = MemoryStore()

    @property
    def objects(self) -> Any:
        return self.memory


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []

    def counted(name: str, operation: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            found.append(f"{name} {arguments[1:2]}")
            return operation(*arguments, **options)

        return call

    for name in REQUESTS:
        monkeypatch.setattr(obstore, name, counted(name, getattr(obstore, name)))
    return found


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Fifty runs of three parts each, one with a note, beside a folder that is no run."""
    model = tmp_path / "model.py"
    model.write_text("def simulate(rng):\n    return rng.random()\n")
    record = run(model, 2, seed=1, store=tmp_path / "runs", on="serial").record
    monkeypatch.setattr(Bucket, "memory", MemoryStore())
    store = Bucket("s3://bucket/runs")
    monkeypatch.setattr(registry.REGISTRY, "load", lambda _named: StoreKind(lambda _url, **_: store))
    for number in range(RUNS):
        own = dataclasses.replace(record, id=f"run-{number:03d}", created=f"2026-01-01T00:00:{number:02d}+00:00")
        store.write(own.id, NAME, own.to_json())
        for first in range(1, 2 * PARTS, 2):
            store.save(own.id, [outcome(first), outcome(first + 1)])
    set_note(store, "run-007", "keep")
    store.write("other", "data.csv", b"1")
    yield store


def test_listing_runs_takes_about_three_requests_a_run(
    bucket: Bucket, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "--store", bucket.label]) == 0
    printed = capsys.readouterr().out
    assert "run-049" in printed
    assert "keep" in printed
    assert "other" not in printed
    assert len(asked) <= 3 * RUNS + 5, "a listing of the store; of each run its documents, record and parts; a note"


@pytest.mark.parametrize(("name", "most"), [("run-012", 1), ("run-01", None), ("run-049", 1), ("latest", RUNS + 2)])
def test_opening_a_run_takes_one_request(bucket: Bucket, asked: list[str], name: str, most: int | None) -> None:
    if most is None:
        with pytest.raises(RunNotFound, match="beginning of 10 runs"):
            Run(bucket, name)
        return
    assert Run(bucket, name).id == ("run-049" if name == "latest" else name)
    assert len(asked) <= most


def test_the_beginning_of_a_name_takes_three(bucket: Bucket, asked: list[str]) -> None:
    record = RunRecord.from_json(bucket.read("run-000", NAME) or b"", NAME)
    bucket.write("unlike", NAME, dataclasses.replace(record, id="unlike").to_json())
    asked.clear()
    assert Run(bucket, "unl").id == "unlike"
    assert len(asked) <= 3, "the name itself, the store's folders, the record"


def test_the_runs_of_a_bucket_are_opened_at_two_requests_each(bucket: Bucket, asked: list[str]) -> None:
    assert len(list_runs(bucket.label)) == RUNS
    assert len(asked) <= 2 * RUNS + 2
