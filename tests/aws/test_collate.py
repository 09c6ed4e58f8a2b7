"""The collating function's /tmp holds one table of ours at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import replicast
from replicast.aws import functions
from replicast.stores.objects import ObjectStore

MODEL = """
def simulate(rng, beds=1):
    rows = [{"x": float(rng.normal())} for _ in range(3)]
    return {"value": 1.0 * beds, "arrivals": rows, "resources": rows, "attributes": rows}
"""
OWN = """
def collate(run):
    return {"means": [{"mean": run.summary().to_dicts()[0]["mean"]}]}
"""


class Watched(ObjectStore):
    """Notes for each file that it is given which files lie in its folder at that moment."""

    seen: list[list[str]]

    def write_file(self, run: str, name: str, file: Path) -> None:
        root = next(parent for parent in file.parents if parent.name.startswith("replicast-"))
        self.seen.append([path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()])
        super().write_file(run, name, file)


@pytest.mark.parametrize("own", ["", OWN])
def test_each_table_is_in_the_bucket_before_the_next_is_made(
    own: str, write_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = replicast.run(
        write_model(MODEL + own), n=3, seed=1, on="serial", store=str(tmp_path / "runs"),
        scenarios={"one": {"beds": 1}, "two": {"beds": 2}},
    )  # fmt: skip
    at_home = run.collate(tmp_path / "home").files
    store = Watched(str(tmp_path / "runs"))
    store.seen = []
    monkeypatch.setattr(functions, "runs", lambda: store)
    monkeypatch.setenv("REPLICAST_BUCKET", "bucket")
    answer = functions.collate(lambda _store, _name: run, {"run": run.id}, context())
    assert answer["summary"] == f"s3://bucket/runs/{run.id}/collated/summary.csv"
    made = {path.name for path in at_home.values()}
    assert {"metrics.csv", "arrivals.csv", "resources.csv", "attributes.csv", "scenarios.csv", "summary.csv"} <= made
    assert [len(files) for files in store.seen] == [1] * len(made)
    assert {files[0] for files in store.seen} == made
    for path in at_home.values():
        assert store.read(run.id, f"collated/{path.name}") == path.read_bytes()


def context() -> Any:
    return SimpleNamespace()
