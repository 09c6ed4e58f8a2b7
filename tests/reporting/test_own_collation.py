"""The model's own collation: all rows of all replications, in order, and nothing of what it returns is lost."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from replicast.core.errors import ModelError, StoreError
from replicast.core.experiment import Collation, Experiment, ModelReference
from replicast.core.record import RunRecord
from replicast.core.replication import Failure, Outcome
from replicast.core.scenarios import Scenario
from replicast.models.results import read_result
from replicast.reporting.collating import collate_run, has_own_collation
from replicast.reporting.own_collation import as_tables
from replicast.reporting.rows import Rows
from replicast.stores.objects import ObjectStore

RUN = "run"


class Handle:
    """What a Python model's `collate(run)` is given, as far as these tests use it."""

    def __init__(self, store: ObjectStore, record: RunRecord) -> None:
        self.store, self.record = store, record

    def metrics(self) -> Rows:
        return Rows.of_table(self.store, self.record, "metrics")

    def table(self, name: str) -> Rows:
        return Rows.of_table(self.store, self.record, name)


class Bench:
    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, ObjectStore(str(folder / "runs"))
        model = ModelReference("python", "model.py")
        scenarios = (Scenario("base", {}, 0), Scenario("a=b", {}, 1))
        self.record = RunRecord(RUN, Experiment(model, scenarios, 1), 3, "", signature={"has_collate": True})
        for scenario in ("base", "a=b"):
            self.store.save(RUN, [self.outcome(i, scenario) for i in (1, 2, 3)])

    @staticmethod
    def outcome(i: int, scenario: str) -> Outcome:
        returned = {"wait": float(i), "patients": [{"los": i}, {"los": -i}]}
        return Outcome(scenario, i, 0.1, *read_result(returned), draws=i)

    def source(self, text: str, name: str = "model.py") -> None:
        self.store.write(RUN, f"model/{name}", textwrap.dedent(text).encode())

    def collate(self, text: str = "", **options: Any) -> dict[str, str]:
        if text:
            self.source(text)
        record = options.pop("record", self.record)
        done = collate_run(self.store, record, self.folder / "out", run=Handle(self.store, record), **options)
        return {name: path.read_text(encoding="utf-8") for name, path in done.files.items() if path.suffix == ".csv"}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_table_that_it_returns_is_written_beside_the_others_with_all_its_columns(bench: Bench) -> None:
    files = bench.collate("""
        import polars as pl
        def collate(run):
            return run.metrics().pl().group_by("scenario", maintain_order=True).agg(pl.col("wait").mean())
    """)
    assert files["collated"] == "scenario,wait\nbase,2.0\na=b,2.0\n"
    assert {"metrics", "patients", "summary"} < files.keys()
    assert (bench.folder / "out" / "collated.csv").exists()


def test_columns_called_scenario_and_replication_are_its_own(bench: Bench) -> None:
    files = bench.collate("""
        def collate(run):
            return {"all": run.table("patients"), "few": [{"replication": 3, "scenario": "x", "v": 1}]}
    """)
    assert files["all"].splitlines()[:3] == ["scenario,replication,los", "base,1,1", "base,1,-1"]
    assert files["few"] == "replication,scenario,v\n3,x,1\n"


@pytest.mark.parametrize(
    ("returned", "files"),
    [
        ("None", {}),
        ("{}", {}),
        ("[{'a': 1}]", {"collated": "a\n1\n"}),
        ("{'a': [1, 2]}", {"collated": "a\n1\n2\n"}),
        ("{'one': [{'a': 1}], 'two': pd.DataFrame({'b': ['x']})}", {"one": "a\n1\n", "two": "b\nx\n"}),
        ("{'t/1': [{'a': 1}], 't_1': [{'a': 2}]}", {"t/1": "a\n1\n", "t_1": "a\n2\n"}),
        ("pa.table({'c': pa.array(['x']).dictionary_encode()})", {"collated": "c\nx\n"}),
        ("run.metrics().df().groupby('scenario')['wait'].max().reset_index()",
         {"collated": "scenario,wait\na=b,3.0\nbase,3.0\n"}),
    ],
)  # fmt: skip
def test_tables_of_every_kind_are_written(bench: Bench, returned: str, files: dict[str, str]) -> None:
    found = bench.collate(f"import pandas as pd, pyarrow as pa\ndef collate(run): return {returned}")
    standard = {"metrics", "patients", "scenarios", "summary"}
    assert {name: text for name, text in found.items() if name not in standard} == files


def test_a_collation_of_parquet_files_is_of_parquet_files(bench: Bench) -> None:
    bench.source("def collate(run): return [{'a': 1}]")
    done = collate_run(bench.store, bench.record, bench.folder / "out", run=None, file_format="parquet")
    assert pl.read_parquet(done.files["collated"]).rows() == [(1,)]
    assert done.rows["collated"] == 1


def test_where_only_some_tables_are_asked_for_it_is_not_called(bench: Bench) -> None:
    assert bench.collate("raise SystemExit('called')", only=["metrics"]).keys() == {"metrics"}
    assert "collated" not in bench.collate("raise SystemExit('called')", own=False)


def test_another_file_of_the_model_s_folder_may_hold_it(bench: Bench) -> None:
    bench.source("from helper import NAME\ndef merge(run): return [{'name': NAME}]", "output/merge.py")
    bench.source("NAME = 'beside it'", "output/helper.py")
    experiment = replace(bench.record.experiment, collation=Collation("output/merge.py", "merge"))
    assert bench.collate(record=replace(bench.record, experiment=experiment))["collated"] == "name\nbeside it\n"


def test_a_model_that_is_an_importable_module_may_have_one(bench: Bench) -> None:
    bench.source("", "hospital/__init__.py")
    bench.source("def simulate(): return 1\ndef collate(run): return [{'a': 5}]", "hospital/model.py")
    model = ModelReference("python", module="hospital.model")
    record = replace(bench.record, experiment=replace(bench.record.experiment, model=model))
    assert bench.collate(record=record)["collated"] == "a\n5\n"


def test_a_function_whose_source_did_not_travel_has_none(bench: Bench) -> None:
    model = ModelReference("callable", "", "simulate", module="0123456789ab")
    record = replace(bench.record, experiment=replace(bench.record.experiment, model=model))
    assert not has_own_collation(record)
    assert "collated" not in bench.collate(record=record)


def test_the_run_s_copy_is_what_is_called_also_for_two_runs_one_after_the_other(tmp_path: Path) -> None:
    found = []
    for version in (1, 2):
        (tmp_path / str(version)).mkdir()
        bench = Bench(tmp_path / str(version))
        bench.source(f"VERSION = {version}", "helper_of_collate.py")
        text = "import helper_of_collate as h\ndef collate(run): return [{'version': h.VERSION}]"
        found.append(bench.collate(text)["collated"])
    assert found == ["version\n1\n", "version\n2\n"]
    assert "helper_of_collate" not in sys.modules


@pytest.mark.parametrize(
    ("text", "message", "detail"),
    [
        ("def collate(run): return 1 / 0", "model.py:collate failed: ZeroDivisionError", 'File "model.py", line 1'),
        ("import sys\ndef collate(run): sys.exit(3)", "model.py:collate failed: SystemExit: 3", "line 2"),
        ("def collate(run): return 5", "returned a int; it must return a table or a dict of tables", ""),
        ("def collate(run): return {'a': 5}", "returned a dict; it must return a table", ""),
        ("def collate(run): return [{'a': object()}] * 2", "column 'a' of table 'collated' holds object", ""),
        ("def colate(run): return None", "model.py has no function 'collate' .did you mean 'colate'", ""),
        ("def collate(run:", "model.py has a syntax error in line 1", ""),
        ("def collate(run): return open('/no/such/file')", "FileNotFoundError", "line 1"),
    ],
)
def test_what_is_wrong_with_it_is_said_as_the_model_s(bench: Bench, text: str, message: str, detail: str) -> None:
    with pytest.raises(ModelError, match=message) as failed:
        bench.collate(text)
    assert detail in failed.value.detail
    assert "replicast" not in failed.value.detail
    assert (bench.folder / "out" / "metrics.csv").exists()


def test_a_folder_that_cannot_be_written_is_a_clear_error(bench: Bench) -> None:
    (bench.folder / "out" / "collated.csv").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot write to "):
        bench.collate("def collate(run): return [{'a': 1}]")


def test_nothing_is_a_table_and_a_table_is_called_collated() -> None:
    assert as_tables(None, "m") == {}
    assert list(as_tables(pl.DataFrame({"a": [1]}), "m")) == ["collated"]
    assert list(as_tables({"x": [{"a": 1}]}, "m")) == ["x"]


class TestCommands:
    """A collate command is given every successful replication's files, in order by name."""

    COLLATE = """
import pathlib, sys
artefacts, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
names = sorted(path.name for path in artefacts.iterdir())
texts = [(artefacts / name).read_text() for name in names]
(out / "names.txt").write_text("\\n".join(names))
(out / "all.csv").write_text("value\\n" + "".join(texts))
"""

    @pytest.fixture
    def record_of(self, bench: Bench, tmp_path: Path) -> Callable[..., RunRecord]:
        def make(*scenarios: str) -> RunRecord:
            command = (sys.executable, "merge.py", "{artefacts}", "{out}")
            model, collation = ModelReference("command", command=("true",)), Collation(command=command)
            made = tuple(Scenario(name, {}, i) for i, name in enumerate(scenarios))
            experiment = Experiment(model, made, 1, collation=collation)
            bench.store.write("commands", "model/merge.py", self.COLLATE.encode())
            for scenario in scenarios:
                for i in (11, 2, 3, 10):
                    folder = tmp_path / f"left-{scenario}-{i}"
                    folder.mkdir()
                    (folder / "result.txt").write_text(f"{scenario}{i}\n")
                    failure = Failure("error", "ExitStatus", "1") if i == 3 else None
                    left = Outcome(scenario, i, 0.1, failure=failure, folder=str(folder))
                    bench.store.save("commands", [left])
            return RunRecord("commands", experiment, 11, "")

        return make

    def test_a_failed_replication_s_files_are_not_among_them(
        self, bench: Bench, record_of: Callable[..., RunRecord]
    ) -> None:
        collate_run(bench.store, record_of("base"), bench.folder / "out", run=None)
        names = (bench.folder / "out" / "names.txt").read_text().splitlines()
        assert [int(name.split(".")[0]) for name in names] == [2, 10, 11]
        assert (bench.folder / "out" / "all.csv").read_text() == "value\nbase2\nbase10\nbase11\n"

    def test_scenarios_are_collated_each_by_itself_whatever_they_are_called(
        self, bench: Bench, record_of: Callable[..., RunRecord]
    ) -> None:
        collate_run(bench.store, record_of("a=b", "a_b", "..x"), bench.folder / "out", run=None)
        found = {path.read_text() for path in (bench.folder / "out").rglob("all.csv")}
        assert found == {f"value\n{name}2\n{name}10\n{name}11\n" for name in ("a=b", "a_b", "..x")}

    def test_a_command_that_fails_says_so(self, bench: Bench, record_of: Callable[..., RunRecord]) -> None:
        record = record_of("base")
        bench.store.write("commands", "model/merge.py", b"import sys; print('no beds'); sys.exit(4)")
        with pytest.raises(ModelError, match="collate command") as failed:
            collate_run(bench.store, record, bench.folder / "out", run=None)
        assert "no beds" in failed.value.detail
