"""What the command line does with a run can be done from Python too, with the same answer."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast as library
from replicast.cli.arguments import build_parser
from replicast.core.errors import RequestError, RunNotFound
from replicast.reporting.collate import collate as write_tables
from replicast.reporting.collating import collate_run
from replicast.reporting.comparing import compare_run
from replicast.reporting.steadying import steady_rows
from replicast.reporting.studies import performance_rows
from replicast.reporting.warming import find_warm_up
from replicast.runs import Run

FROM_PYTHON = {
    "run": library.run, "resume": Run.resume, "status": Run.status, "cancel": Run.cancel, "list": library.list_runs,
    "summary": Run.summary, "compare": Run.compare, "collate": Run.collate, "artefacts": Run.artefacts,
    "report": Run.report, "sql": Run.sql, "failures": Run.failures, "warnings": Run.warnings, "replay": Run.replay,
    "verify": Run.verify, "warmup": Run.warm_up, "steady": Run.steady, "sensitivity": Run.sensitivity,
    "performance": Run.performance, "environment": Run.environment, "tag": Run.tag, "note": Run.note,
    "delete": Run.delete, "copy": Run.copy_to,
}  # fmt: skip
OF_THE_MACHINE = {"init", "check", "estimate", "aws", "ui", "doctor", "completion"}
"""What concerns no stored run, or is a program in itself."""


def test_every_command_about_a_run_has_its_method() -> None:
    _, commands = build_parser()
    assert set(commands) == FROM_PYTHON.keys() | OF_THE_MACHINE


HANDED_ON = {
    "compare": [compare_run, Run.compare_and_rank], "collate": [collate_run, write_tables], "warmup": [find_warm_up],
    "steady": [steady_rows], "performance": [performance_rows],
}  # fmt: skip
"""Whose parameters the `**options` of a command's method are."""

OF_THE_TERMINAL = {"help", "json", "csv", "top", "quiet", "run", "store", "output", "yes", "detach", "pdb", "trust"}
"""What is shown and asked there, whose shell may close, and what a `Run` is opened with."""

CALLED_OTHERWISE = {
    "run": {"replications": "n", "param": "params", "scenario": "scenarios"}, "resume": {"replications": "n"},
    "list": {"tag": "tags"}, "tag": {"tag": "tags"}, "copy": {"target": "store"},
    "compare": {"adjust": "adjustment", "metric": "metrics"},
    "collate": {"format": "file_format", "table": "only", "spreadsheet_safe": "file_format"},
    "report": {"format": "file_format", "ratio": "ratios"}, "warmup": {"scenario": "scenarios"},
    "steady": {"scenario": "scenarios", "leave_out": "left_out"}, "sensitivity": {"metric": "metrics"},
    "verify": {"sample": "size"},
}  # fmt: skip
OF_ANOTHER_METHOD = {
    "status": {"watch": library.run}, "replay": {"snippet": Run.write_snippet},
    "verify": {"stored": Run.damage, "on": Run}, "copy": {"source": Run}, "warmup": {"output": Run.report},
}  # fmt: skip
"""`watch` is a function that `run` and `resume` take; `verify --on` names the store that a `Run` is opened with."""


@pytest.mark.parametrize("command", sorted(FROM_PYTHON.keys() - {"summary"}))
def test_every_option_of_a_command_is_a_parameter_of_its_method(command: str) -> None:
    _, commands = build_parser()
    asked = (
        {action.dest for action in commands[command]._actions}
        - OF_THE_TERMINAL
        - OF_ANOTHER_METHOD.get(command, {}).keys()
    )
    asked = {CALLED_OTHERWISE.get(command, {}).get(name, name) for name in asked}
    asked = {"options" if name.startswith("place_options.") else name for name in asked}
    taken = {
        name
        for one in (FROM_PYTHON[command], *HANDED_ON.get(command, []))
        for name in inspect.signature(one).parameters
    }
    assert asked - taken == set()


def test_every_further_table_of_summary_has_its_method() -> None:
    _, commands = build_parser()
    options = {text.removeprefix("--") for one in commands["summary"]._actions for text in one.option_strings}
    tables = options - {"-h", "help", "json", "store", "confidence", "top", "csv"}
    methods = {"control": "controlled"}
    assert {name for name in tables if not callable(getattr(Run, methods.get(name, name), None))} == set()


@pytest.fixture
def run(write_model: Callable[..., Path], tmp_path: Path) -> Run:
    model = write_model("def simulate(rng):\n    return {'wait': rng.exponential()}\n")
    return library.run(str(model), n=6, seed=1, store=str(tmp_path / "runs"), name="one")


def test_a_query_has_the_same_answer(run: Run, replicast: Callable[..., Any]) -> None:
    asked = "select count(*) as n, max(wait) as most from metrics"
    assert run.sql(asked).to_dicts() == json.loads(replicast("sql", "one", asked, "--json").stdout)


def test_a_run_is_tagged_noted_found_copied_and_deleted(run: Run, tmp_path: Path) -> None:
    assert run.tag("paper", "old").tags == ("paper", "old")
    assert run.tag("old", remove=True).tags == ("paper",)
    assert run.note("the one in table 2").note == "the one in table 2"
    assert run.labels.tags == ("paper",)
    store = str(tmp_path / "runs")
    assert (
        [one.id for one in library.list_runs(store)]
        == [one.id for one in library.list_runs(store, ["paper"])]
        == ["one"]
    )
    assert library.list_runs(store, ["draft"]) == []
    copied = run.copy_to(str(tmp_path / "other"))
    assert copied.replications == 6
    run.delete()
    with pytest.raises(RunNotFound):
        Run(store, "one")
    assert Run(str(tmp_path / "other"), "one").labels.note == "the one in table 2"


def test_a_run_that_cannot_be_read_is_named_and_the_others_are_listed(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "runs" / "broken" / "run.json"
    broken.parent.mkdir()
    broken.write_text("{")
    with pytest.warns(UserWarning, match=r"left out: .*broken"):
        assert [one.id for one in library.list_runs(tmp_path / "runs")] == [run.id]


def test_the_environment_has_the_packages_of_the_model(run: Run) -> None:
    assert any(line.startswith("numpy==") for line in run.environment())
    with pytest.raises(RequestError, match="is a word"):
        run.tag("two words")
