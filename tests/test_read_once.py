"""The way of a run: what is asked for is made once and handed on, and what is stored is read once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replicast import runs
from replicast.asking import preparation, settings
from replicast.asking.request import Request
from replicast.cli import main, run_commands
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.reporting import summary
from replicast.reporting.tables import RunTables
from replicast.stores import open_named_store

EXPERIMENT = """
model = "model.py"
replications = 6
seed = 3
[scenarios.few]
[scenarios.many]
beds = 9
"""
MODEL = "def simulate(rng, beds=3):\n    return {'x': float(rng.normal()) + beds, 'visits': [{'bed': 1}, {'bed': 2}]}\n"


class Counting:
    """A store that counts what is asked of it."""

    def __init__(self, store: Store, counts: Counter[str]) -> None:
        self._store, self._counts = store, counts

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._store, name)
        if not callable(real):
            return real

        def counted(*arguments: Any, **named: Any) -> Any:
            asked = [one for one in arguments[1:] if isinstance(one, str)]
            self._counts[" ".join([name, *asked])] += 1
            return real(*arguments, **named)

        return counted


@pytest.fixture
def counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """How often what was asked, made, parsed, summarised; in a folder with a model."""
    counted = Counter[str]()

    def count(owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def counting(*arguments: Any, **named: Any) -> Any:
            counted[f"{owner.__name__.rpartition('.')[2]}.{name}"] += 1
            return real(*arguments, **named)

        monkeypatch.setattr(owner, name, counting)

    def opened(url: str) -> Any:
        counted["a store is opened"] += 1
        return Counting(open_named_store(url), counted)

    monkeypatch.setattr(preparation, "open_named_store", opened)
    monkeypatch.setattr(runs, "open_named_store", opened)
    for owner, name in (
        (summary, "_summarised"), (RunTables, "__init__"), (Request, "__init__"), (RunRecord, "from_json"),
        (settings, "read_experiment_file"), (preparation, "locate"), (preparation, "settle"),
        (preparation, "find_source"), (preparation, "new_record"), (run_commands, "add_values"),
    ):  # fmt: skip
        count(owner, name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "experiment.toml").write_text(EXPERIMENT)
    yield counted


READ = ("rows", "ledger", "tables", "documents", "read")
"""Of the store's methods, those that fetch what is stored."""


def read_more_than_once(counts: Counter[str]) -> dict[str, int]:
    return {asked: times for asked, times in counts.items() if asked.split()[0] in READ and times > 1}


@pytest.mark.parametrize("place", ["serial", "local"])
def test_a_run_that_is_collated_makes_and_reads_everything_once(
    counts: Counter[str], place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", "--experiment", "experiment.toml", "--param", "beds=4", "--on", place, "--name", "one"]
    assert main([*arguments, "-o", "tables", "--workers", "1"]) == 0, capsys.readouterr().err
    made = ("a store is opened", "settings.read_experiment_file", "Request.__init__", "preparation.locate",
            "preparation.find_source", "preparation.settle", "preparation.new_record", "run_commands.add_values",
            "RunTables.__init__", "summary._summarised")  # fmt: skip
    assert {name: counts[name] for name in made} == dict.fromkeys(made, 1)
    for scenario in ("few", "many"):
        assert counts[f"rows metrics {scenario}"] == counts[f"rows visits {scenario}"] == 1
        assert counts[f"ledger {scenario}"] == 1
    assert counts["tables"] == 1
    assert {name: times for name, times in read_more_than_once(counts).items() if name != "read run.json"} == {}
    assert counts["read run.json"] <= 2  # a name is looked for before it is taken, and the run is opened at the end
    assert counts["runs"] == 0
    # What is missing is asked before and after, and once more by the summary.
    assert counts["coverage"] == 3


def test_a_run_that_is_opened_by_its_name_lists_no_others(
    counts: Counter[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", "model.py", "-n", "2", "--on", "serial", "--name", "one", "--quiet"]) == 0
    counts.clear()
    assert runs.Run("runs", "one").record.replications == 2
    assert counts == {"a store is opened": 1, "read run.json": 1, "RunRecord.from_json": 1}
    counts.clear()
    assert main(["summary", "one", "--store", "runs"]) == 0
    assert counts["runs"] == 0
    assert (counts["RunTables.__init__"], counts["summary._summarised"], counts["rows metrics base"]) == (1, 1, 1)
    assert read_more_than_once(counts) == {}
    assert "x" in capsys.readouterr().out


def test_what_is_resumed_and_collated_is_read_once_too(counts: Counter[str]) -> None:
    assert main(["run", "--experiment", "experiment.toml", "--on", "serial", "--name", "one", "--quiet"]) == 0
    counts.clear()
    assert main(["resume", "one", "-n", "8", "--quiet", "-o", "tables"]) == 0
    assert (counts["RunTables.__init__"], counts["summary._summarised"], counts["tables"]) == (1, 1, 1)
    # The record is read when the run is opened, and again when whoever carried it out is done; so is who is at work.
    again = {"read run.json", "read conductor.json"}
    assert {name: times for name, times in read_more_than_once(counts).items() if name not in again} == {}
    assert counts["read run.json"] == counts["read conductor.json"] == 2
    assert counts["runs"] == 0


def test_a_handle_that_lives_on_shows_what_is_stored_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was read for one answer is taken for a later one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODEL)
    run = runs.run("model.py", 4, seed=1, on="serial")
    assert [row.n for row in run.summary().rows] == [4]
    runs.Run("runs", run.id).resume(9)
    again = runs.Run("runs", run.id)
    assert [row.n for row in again.summary().rows] == [9]
    assert len(again.metrics()) == 9
    run.resume(11)
    assert [row.n for row in run.final_summary().rows] == [11]
    assert run.final_collate(tmp_path / "tables").rows["metrics"] == 11
