"""Tables of a run are read in the experiment's order, in one schema, in chunks."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from replicast.core.errors import RequestError
from replicast.core.experiment import Experiment, ModelReference
from replicast.core.record import RunRecord
from replicast.core.replication import Failure, Outcome
from replicast.core.scenarios import Scenario
from replicast.models.results import read_result
from replicast.reporting import tables as reading
from replicast.reporting.rows import Rows
from replicast.reporting.tables import RunTables
from replicast.stores.objects import ObjectStore

RUN = "run"


def record(*scenarios: str) -> RunRecord:
    made = tuple(Scenario(name, {}, i) for i, name in enumerate(scenarios))
    return RunRecord(RUN, Experiment(ModelReference("python", "model.py"), made, 1), 5, "")


def outcome(replication: int, returned: Any, scenario: str = "base") -> Outcome:
    return Outcome(scenario, replication, 0.1, *read_result(returned))


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(str(tmp_path))


def test_scenarios_stand_as_in_the_experiment_and_replications_in_order(store: ObjectStore) -> None:
    for scenario in ("alpha", "zulu", "mike"):
        for i in (3, 1, 2):
            store.save(RUN, [outcome(i, {"x": i, "t": [{"y": 10 * i}, {"y": i}]}, scenario)])
    tables = RunTables(store, record("zulu", "alpha", "mike"))
    expected = [(scenario, i) for scenario in ("zulu", "alpha", "mike") for i in (1, 2, 3)]
    assert tables.frame("metrics").select("scenario", "replication").rows() == expected
    assert tables.frame("t")["y"].to_list() == [10, 1, 20, 2, 30, 3] * 3
    assert tables.names == ["metrics", "t"]


def test_a_scenario_that_is_no_longer_asked_for_is_left_out(store: ObjectStore) -> None:
    for scenario in ("a", "b"):
        store.save(RUN, [outcome(1, {"x": 1}, scenario)])
    assert RunTables(store, record("b")).frame("metrics")["scenario"].to_list() == ["b"]
    assert RunTables(store, record("a", "b")).frame("metrics", ["a"])["scenario"].to_list() == ["a"]


def test_a_run_with_nothing_stored_has_empty_metrics(store: ObjectStore) -> None:
    tables = RunTables(store, record("base"))
    assert tables.names == ["metrics"]
    assert tables.frame("metrics").schema == {"scenario": pl.String, "replication": pl.Int64}
    assert tables.metric_names() == []


def test_a_run_of_failures_alone_has_empty_metrics(store: ObjectStore) -> None:
    store.save(RUN, [Outcome("base", i, 0.1, failure=Failure("error", "E", "no")) for i in (1, 2)])
    assert RunTables(store, record("base")).frame("metrics").is_empty()
    assert RunTables(store, record("base")).unified("metrics").notes == []


def test_an_unknown_table_is_refused_naming_the_nearest(store: ObjectStore) -> None:
    store.save(RUN, [outcome(1, {"x": 1, "arrivals": [{"y": 1}, {"y": 2}]})])
    with pytest.raises(RequestError, match=r"has no table 'arrival' .did you mean 'arrivals'?"):
        RunTables(store, record("base")).frame("arrival")


def test_chunks_are_of_about_the_size_asked_for_and_hold_every_row(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "CHUNK_ROWS", 10)
    for i in range(1, 31):
        shape = {"a": list(range(i % 4))} if i % 2 else {"b": list(range(i % 4))}
        store.save(RUN, [outcome(i, {"t": shape, "n": 1})])
    chunks = list(RunTables(store, record("base")).chunks("t"))
    assert all(10 <= len(chunk) < 14 for chunk in chunks[:-1])
    assert sum(map(len, chunks)) == sum(i % 4 for i in range(1, 31))
    numbers = pl.concat(chunks)["replication"].to_list()
    assert numbers == sorted(numbers)


def test_replications_that_take_turns_between_two_schemas_are_read_in_order(store: ObjectStore) -> None:
    store.save(RUN, [outcome(i, {"t": {("a" if i % 2 else "b"): [i, -i]}}) for i in range(1, 2001)])
    frame = RunTables(store, record("base")).frame("t")
    assert frame["replication"].to_list() == [i for i in range(1, 2001) for _ in "ab"]
    assert frame["a"].drop_nulls().to_list() == [sign * i for i in range(1, 2001, 2) for sign in (1, -1)]


def test_true_and_false_beside_dates_are_text_and_missing_values_beside_dates_are_not(store: ObjectStore) -> None:
    day = datetime.date(2020, 1, 2)
    store.save(RUN, [outcome(1, {"t": {"d": [day, None], "m": [day, None]}, "n": 1})])
    store.save(RUN, [outcome(2, {"t": {"d": [True, None], "m": [None, None]}, "n": 1})])
    frame = RunTables(store, record("base")).frame("t")
    assert frame["d"].to_list() == ["2020-01-02", None, "true", None]
    assert frame["m"].to_list() == [day, None, None, None]
    notes = RunTables(store, record("base")).unified("t").notes
    assert notes[0] == "column 'd' of table 't' came as date, logical: written as text"


def test_types_of_replications_without_a_row_change_no_other_s(store: ObjectStore) -> None:
    day = datetime.date(2020, 1, 2)
    store.save(RUN, [outcome(1, {"t": pl.DataFrame(schema={"x": pl.String, "d": pl.Int64, "e": pl.Date}), "n": 1})])
    store.save(RUN, [outcome(2, {"t": [{"x": 1.5, "d": day, "k": 1}], "n": 1})])
    store.save(RUN, [outcome(3, {"t": [], "n": 1})])
    frame = RunTables(store, record("base")).frame("t")
    assert dict(frame.schema)["x"] == pl.Float64
    assert frame.drop("scenario", "replication").rows(named=True) == [{"x": 1.5, "d": day, "e": None, "k": 1}]
    notes = RunTables(store, record("base")).unified("t").notes
    assert not [note for note in notes if "came as" in note]


class TestRows:
    """What `run.metrics()` and its like give."""

    FRAME = pl.DataFrame({
        "replication": [1, 2], "n": [2**53 + 1, None], "x": [0.1, None], "s": ["ü", None], "b": [True, None],
        "d": [datetime.date(2020, 1, 1), None], "t": [datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), None],
    })  # fmt: skip

    def test_pandas_keeps_integers_whole_beside_missing_values(self) -> None:
        frame = Rows(self.FRAME).df()
        assert int(frame["n"][0]) == 2**53 + 1
        assert frame["n"].isna().tolist() == [False, True]
        assert frame["x"][0] == 0.1
        assert frame["s"].tolist()[0] == "ü"
        assert str(frame["t"].dtype).startswith("datetime64[us, ")
        assert frame["replication"].tolist() == [1, 2]

    def test_every_other_form_has_the_same_values(self) -> None:
        rows = Rows(self.FRAME)
        assert pl.DataFrame(rows.arrow()).equals(self.FRAME)
        assert rows.pl() is self.FRAME
        assert list(rows) == rows.to_dicts() == self.FRAME.to_dicts()
        assert len(rows) == 2
        assert "<table" in rows._repr_html_()

    def test_failures_say_what_when_and_why(self, store: ObjectStore) -> None:
        failure = Failure("error", "KeyError", "'beds'", "Traceback ...")
        for scenario in ("b", "a"):
            failed = Outcome(scenario, 2, 0.5, failure=failure, log="printed", worker="w", attempt=2)
            store.save(RUN, [outcome(1, {"x": 1}, scenario), failed])
        frame = Rows.of_failures(store, record("b", "a")).pl()
        assert frame.rows()[0] == (
            "b", 2, "error", "KeyError", "'beds'", "Traceback ...", "printed", 2, 0.5, "w",
        )  # fmt: skip
        assert frame["scenario"].to_list() == ["b", "a"]

    def test_no_failures_are_an_empty_table_of_the_same_columns(self, store: ObjectStore) -> None:
        store.save(RUN, [outcome(1, {"x": 1})])
        empty = Rows.of_failures(store, record("base")).pl()
        store.save(RUN, [Outcome("base", 2, 0.1, failure=Failure("error", "E", "no"))])
        assert empty.schema == Rows.of_failures(store, record("base")).pl().schema
        assert empty.is_empty()
