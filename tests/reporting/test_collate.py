"""One file per table, the same bytes however, where and how often the replications were computed."""

from __future__ import annotations

import csv
import datetime
import io
import math
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest
from arro3.core import Array, Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicast.core.errors import RequestError, StoreError
from replicast.core.experiment import Experiment, ModelReference
from replicast.core.record import RunRecord
from replicast.core.replication import Failure, Outcome
from replicast.core.scenarios import Scenario
from replicast.models.results import read_result
from replicast.reporting.collate import collate
from replicast.reporting.formats import file_names
from replicast.reporting.writers import WRITERS, write_frames
from replicast.stores.objects import ObjectStore

RUN = "run"
NAN, INF = math.nan, math.inf
SCENARIOS = ["a=b", "ü,é", "x.y", "..x", "a%2Fb", "base"]


def record(scenarios: list[str], planned: int = 5) -> RunRecord:
    made = tuple(Scenario(name, {}, i) for i, name in enumerate(scenarios))
    return RunRecord(RUN, Experiment(ModelReference("python", "model.py"), made, 1), planned, "")


def outcome(replication: int, returned: Any, scenario: str = "base") -> Outcome:
    return Outcome(scenario, replication, 0.1, *read_result(returned), draws=replication)


def failed(replication: int, scenario: str = "base") -> Outcome:
    return Outcome(scenario, replication, 0.1, failure=Failure("error", "ValueError", "no"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


numbers = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.booleans(),
    st.sampled_from([2**53 + 1, -0.0, 0, 1, NAN, INF, -INF, 5e-324]),
)
texts = st.sampled_from(["NA", "", 'q"u"o', "a,b", "new\nline", "\r", "ü😀", " s ", "1", "null", "true"]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6
)
days = st.dates()
moments = st.datetimes()
zoned = st.datetimes(timezones=st.just(datetime.UTC))
column_kinds = [st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), texts, days, moments, zoned, st.none()]


@st.composite
def tables(draw: st.DrawFn) -> Any:
    """Rows, or nothing, in columns that need not be those of the next replication, nor of their types."""
    rows = draw(st.integers(0, 3))
    names = draw(st.lists(st.sampled_from(["x", "y", "s", "scenario", "a,b", "ü"]), max_size=3, unique=True))
    columns = {}
    for name in names:
        kind = draw(st.sampled_from(column_kinds))
        columns[name] = draw(st.lists(st.none() | kind, min_size=rows, max_size=rows))
    return [{name: values[i] for name, values in columns.items()} for i in range(rows)] if rows != 1 else columns


@st.composite
def results(draw: st.DrawFn) -> Any:
    """What a replication returned; nothing stands for a failure."""
    if draw(st.integers(0, 6)) == 0:
        return None
    found: dict[str, Any] = draw(st.dictionaries(st.sampled_from(["wait", "los", "a b"]), numbers, max_size=3))
    for name in draw(st.lists(st.sampled_from(["t", "T.2", "patients/ü"]), max_size=2, unique=True)):
        table = draw(tables())
        found[name] = table if not isinstance(table, dict) else [dict.fromkeys(table), dict.fromkeys(table)]
    return found or {"wait": 1}


experiments = st.lists(st.lists(results(), min_size=1, max_size=6), min_size=1, max_size=3)


def saved(store: ObjectStore, pieces: list[list[Outcome]]) -> None:
    for piece in pieces:
        store.save(RUN, piece)


def collated(store: ObjectStore, described: RunRecord, folder: Path) -> dict[str, bytes]:
    found = {}
    for file_format in ("csv", "parquet"):
        collate(store, described, folder / file_format, file_format=file_format)
        found |= contents(folder / file_format)
    return found


@pytest.mark.long
@settings(max_examples=35, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(experiments, st.data())
def test_the_same_outcomes_give_the_same_bytes_however_they_were_cut_ordered_and_repeated(
    tmp_path_factory: pytest.TempPathFactory, returned: list[list[Any]], data: st.DataObject
) -> None:
    names = SCENARIOS[: len(returned)]
    outcomes = [
        [failed(i, name) if value is None else outcome(i, value, name) for i, value in enumerate(own, 1)]
        for name, own in zip(names, returned, strict=True)
    ]
    described = record(names, max(map(len, outcomes)))
    reference = ObjectStore(str(tmp_path_factory.mktemp("whole")))
    saved(reference, outcomes)
    pieces = []
    for own in outcomes:
        cuts = sorted(data.draw(st.sets(st.integers(1, len(own)))) - {len(own)})
        pieces += [own[a:b] for a, b in zip([0, *cuts], [*cuts, len(own)], strict=True)]
        first, more = data.draw(st.tuples(st.integers(0, len(own) - 1), st.integers(1, len(own))))
        pieces += [own[first : first + more]]
    store = ObjectStore(str(tmp_path_factory.mktemp("cut")))
    saved(store, data.draw(st.permutations(pieces)))
    expected = collated(reference, described, tmp_path_factory.mktemp("out"))
    assert collated(store, described, tmp_path_factory.mktemp("out")) == expected
    assert {"metrics.csv", "summary.csv", "metrics.parquet", "summary.parquet"} <= expected.keys()


@pytest.mark.parametrize("returned", [
    [{"a": None}, {"a": 5}],
    [{"a": 2**53 + 1}, {"a": None}, {"a": 0.5}],
    [{"a": None}, {"a": None}],
    [{"b": 1, "a": 2}, {"a": 1, "b": 2}],
    [{"a": 1}, {"c": 1}, {"b": 1}, {"a": 1, "b": 1, "c": 1}],
    [{"t": [{"x": 1}] * 2}, {"t": [{"x": None}] * 2}, {"t": [{"x": "one"}] * 2}],
    [{"t": []}, {"t": [{"y": 1, "x": 2}] * 2}, {"t": [{"x": 1, "y": 2}] * 2}],
    [{"t": [{"x": True}] * 2}, {"t": [{"x": datetime.date(2020, 1, 1)}] * 2}],
    [{"t": [{"x": x}] * 2} for x in (None, datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1))],
    [{"n": 1, "u": [{"x": 1}] * 2}, {"n": 1}, {"n": 1, "u": []}],
])  # fmt: skip
def test_each_way_of_cutting_gives_the_same_bytes(returned: list[Any], tmp_path: Path) -> None:
    outcomes = [outcome(i, value) for i, value in enumerate(returned, 1)]
    found = []
    for cut in range(len(outcomes)):
        store = ObjectStore(str(tmp_path / f"store{cut}"))
        saved(store, [piece for piece in (outcomes[cut:], outcomes[:cut]) if piece])
        found.append(collated(store, record(["base"], len(outcomes)), tmp_path / f"out{cut}"))
    single = ObjectStore(str(tmp_path / "single"))
    saved(single, [[one] for one in reversed(outcomes)])
    found.append(collated(single, record(["base"], len(outcomes)), tmp_path / "outsingle"))
    assert all(files == found[0] for files in found)


class TestFiles:
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        store = ObjectStore(str(tmp_path / "runs"))
        rows = [{"s": s, "x": x} for s, x in (("NA", 0.1 + 0.2), ("", -0.0), ('q"u,o\nt', NAN), (None, None))]
        for name in ("b", "a"):
            saved(store, [[outcome(i, {"wait": i / 3, "n": i, "patients": rows}, name) for i in (1, 2)]])
        return store

    def test_csv_reads_back_to_what_was_returned(self, store: ObjectStore, tmp_path: Path) -> None:
        done = collate(store, record(["b", "a"], 2), tmp_path / "out")
        assert done.rows == {"metrics": 4, "patients": 16, "scenarios": 2, "summary": 4}
        assert [path.name for path in done.files.values()] == [f"{name}.csv" for name in done.rows]
        rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "patients.csv").read_text(encoding="utf-8"))))
        assert [(row["scenario"], row["replication"]) for row in rows[::4]] == [
            ("b", "1"),
            ("b", "2"),
            ("a", "1"),
            ("a", "2"),
        ]
        assert [row["s"] for row in rows[:4]] == ["NA", "", 'q"u,o\nt', ""]
        assert [row["x"] for row in rows[:4]] == ["0.30000000000000004", "-0.0", "NaN", ""]
        metrics = list(csv.reader(io.StringIO((tmp_path / "out" / "metrics.csv").read_text(encoding="utf-8"))))
        assert metrics[0] == ["scenario", "replication", "wait", "n"]
        assert metrics[1] == ["b", "1", repr(1 / 3), "1"]

    def test_missing_text_and_empty_text_stay_apart(self, store: ObjectStore, tmp_path: Path) -> None:
        collate(store, record(["b", "a"], 2), tmp_path)
        lines = (tmp_path / "patients.csv").read_text(encoding="utf-8").splitlines()
        assert 'b,1,"",-0.0' in lines
        assert "b,1,," in lines

    def test_parquet_reads_back_exactly_with_other_tools(self, store: ObjectStore, tmp_path: Path) -> None:
        done = collate(store, record(["b", "a"], 2), tmp_path / "out", file_format="parquet")
        table = pq.read_table(done.files["patients"])
        assert table.column("s").to_pylist()[:4] == ["NA", "", 'q"u,o\nt', None]
        assert list(map(repr, table.column("x").to_pylist()[:4])) == ["0.30000000000000004", "-0.0", "nan", "None"]
        assert pl.read_parquet(done.files["summary"]).columns[:4] == ["scenario", "metric", "planned", "n"]

    def test_only_what_was_asked_for_is_written(self, store: ObjectStore, tmp_path: Path) -> None:
        done = collate(store, record(["b", "a"], 2), tmp_path / "out", only=["patients", "patients"])
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["patients.csv"]
        assert done.summary is None
        collate(store, record(["b", "a"], 2), tmp_path / "out", only=["summary"])
        assert {path.name for path in (tmp_path / "out").iterdir()} == {"patients.csv", "summary.csv"}

    def test_an_unknown_table_or_format_is_refused_before_anything_is_written(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        for options in ({"only": ["patient"]}, {"file_format": "ods"}):
            with pytest.raises(RequestError, match=r"patients|csv, parquet or xlsx, not 'ods'"):
                collate(store, record(["b", "a"], 2), tmp_path / "out", **options)  # type: ignore[arg-type]
        assert not (tmp_path / "out").exists()

    def test_what_had_to_be_unified_is_told(self, tmp_path: Path) -> None:
        store = ObjectStore(str(tmp_path / "s"))
        saved(store, [[outcome(1, {"a": 1, "t": [{"x": 1}] * 2}), outcome(2, {"a": 1.5, "t": [{"x": "one"}] * 2})]])
        saved(store, [[outcome(3, {"a": 2, "t": []})]])
        notes = collate(store, record(["base"], 3), tmp_path / "out").notes
        assert "metric 'a' came as integer and as double: written as double" in notes
        assert "column 'x' of table 't' came as integer, text: written as text" in notes
        assert any("is missing in some replications" in note for note in notes)

    def test_files_are_replaced_whole(self, store: ObjectStore, tmp_path: Path) -> None:
        described = record(["b", "a"], 2)
        before = contents(collate(store, described, tmp_path / "out").files["metrics"].parent)
        reader = (tmp_path / "out" / "metrics.csv").open("rb")
        saved(store, [[outcome(3, {"wait": 9.0, "n": 9}, "b")]])
        collate(store, described, tmp_path / "out")
        assert reader.read() == before["metrics.csv"]
        reader.close()
        assert b"b,3,9.0,9" in (tmp_path / "out" / "metrics.csv").read_bytes()

    def test_a_write_that_breaks_leaves_the_old_file_and_no_rubbish(self, tmp_path: Path) -> None:
        path = tmp_path / "t.csv"
        path.write_text("old")

        def breaking() -> Any:
            yield pl.DataFrame({"a": [1]})
            raise StoreError("gone")

        for file_format in ("csv", "parquet"):
            with pytest.raises(Exception, match="gone"):
                write_frames(breaking(), {"a": pl.Int64()}, path, WRITERS[file_format])
        assert contents(tmp_path) == {"t.csv": b"old"}

    def test_a_folder_that_cannot_be_written_is_a_clear_error(self, store: ObjectStore, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("in the way")
        for folder in (tmp_path / "file", tmp_path / "file" / "out", Path("/proc/nowhere")):
            with pytest.raises(StoreError, match="cannot write to "):
                collate(store, record(["b", "a"], 2), folder)
        (tmp_path / "out" / "metrics.csv").mkdir(parents=True)
        with pytest.raises(StoreError, match="cannot write to "):
            collate(store, record(["b", "a"], 2), tmp_path / "out")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["metrics.csv"]

    def test_every_table_has_a_file_of_its_own(self, tmp_path: Path) -> None:
        store = ObjectStore(str(tmp_path / "s"))
        tables = {
            name: [{"x": i}, {"x": i}] for i, name in enumerate(["a/b", "a_b", "A_B", " metrics", "summary.", ".."])
        }
        saved(store, [[outcome(1, tables)]])
        done = collate(store, record(["base"], 1), tmp_path / "out")
        written = contents(tmp_path / "out")
        assert len({name.casefold() for name in written}) == len(tables) + 2
        for i, name in enumerate(tables):
            assert done.files[name].read_text().splitlines()[1:] == [f"base,1,{i}"] * 2
        assert done.files["metrics"].name == "metrics.csv"
        assert done.files["summary"].name == "summary.csv"

    def test_a_table_of_no_rows_is_a_file_of_its_columns(self, tmp_path: Path) -> None:
        store = ObjectStore(str(tmp_path / "s"))
        saved(store, [[outcome(1, {"n": 1, "t": {"x": np.array([], dtype=float)}, "nothing": []})]])
        done = collate(store, record(["base"], 1), tmp_path / "out")
        assert done.files["t"].read_text() == "scenario,replication,x\n"
        assert done.files["nothing"].read_text() == "scenario,replication\n"
        parquet = collate(store, record(["base"], 1), tmp_path / "pq", file_format="parquet").files["t"]
        assert pq.read_schema(parquet).names == ["scenario", "replication", "x"]

    def test_a_run_of_which_nothing_is_stored_is_two_empty_files(self, tmp_path: Path) -> None:
        collate(ObjectStore(str(tmp_path / "s")), record(["base"]), tmp_path / "out")
        assert contents(tmp_path / "out").keys() == {"metrics.csv", "summary.csv"}
        assert (tmp_path / "out" / "metrics.csv").read_text() == "scenario,replication\n"


@given(st.lists(st.text(max_size=4), max_size=8, unique=True))
def test_files_never_share_a_name(names: list[str]) -> None:
    made = file_names(["metrics", *(name for name in names if name not in ("metrics", "summary")), "summary"])
    assert made["metrics"] == "metrics"
    assert made["summary"] == "summary"
    assert len({name.casefold() for name in made.values()}) == len(made)
    assert all(name.strip(". ") and not set(name) & set('/\\:*?"<>|\0\n') for name in made.values())


ROWS, PARTS = 20_000, 100
COLLATE = """
import resource, sys
from pathlib import Path
from replicast.core.experiment import Experiment, ModelReference
from replicast.core.scenarios import Scenario
from replicast.core.record import RunRecord
from replicast.reporting.collate import collate
from replicast.stores.objects import ObjectStore
store, out, file_format = sys.argv[1:4]
record = RunRecord("run", Experiment(ModelReference("python", "m.py"), (Scenario("base", {}),), 1), 100, "")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
done = collate(ObjectStore(store), record, Path(out), file_format=file_format)
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(done.rows["patients"], (after - before) // 1024)
"""


def test_two_million_rows_are_collated_in_bounded_memory(tmp_path: Path) -> None:
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0
    store, draws = ObjectStore(str(tmp_path / "runs")), np.random.default_rng(1)
    for i in range(1, PARTS + 1):
        table = Table.from_pydict({
            "patient": Array(np.arange(ROWS)), "wait": Array(draws.random(ROWS)), "los": Array(draws.random(ROWS)),
        })  # fmt: skip
        store.save(RUN, [Outcome("base", i, 0.1, {"n": i}, {"patients": table}, draws=i)])
    for file_format in ("csv", "parquet"):
        command = [sys.executable, "-c", COLLATE, str(tmp_path / "runs"), str(tmp_path / "out"), file_format]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        rows, mebibytes = map(int, said)
        assert rows == ROWS * PARTS
        assert mebibytes < 500
