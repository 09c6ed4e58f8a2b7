"""Which numbers are metrics: those that the model names, and a one-row table that is all it returns, every time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast
from replicast.core.errors import RequestError
from replicast.reporting.query import query

Write = Callable[..., Path]

PATIENTS = """
def simulate(rng):
    n = int(rng.integers(1, 40))
    w = rng.exponential(.1 * n, n)
    return {"total": float(w.sum()), "number": n, "patients": [{"wait": float(v)} for v in w]}
"""

KPI_FRAME = """
import pandas as pd
def simulate(rng, replication, odd=0, rows=2):
    row = {"wait": rng.random(), "n": int(rng.integers(9)), "ward": "icu", "late": bool(replication % 2)}
    return pd.DataFrame([row] * (rows if replication == odd else 1))
"""

KPI_FRAME_IN_R = """
simulate <- function(replication, odd = 0L, rows = 2L) {
  row <- data.frame(wait = runif(1), n = sample(9L, 1L), ward = "icu", late = replication %% 2L == 1L)
  row[rep(1L, if (replication == odd) rows else 1L), ]
}
"""

KPI_FILE = """
import random, sys
seed, out = sys.argv[1:]
random.seed(int(seed))
open(out + "/kpi.csv", "w").write(f"wait,ward\\n{random.random()},icu\\n")
"""


@pytest.fixture
def run(write_model: Write, tmp_path: Path) -> Callable[..., replicast.Run]:
    def perform(text: str, file: str = "model.py", n: int = 6, **options: Any) -> replicast.Run:
        options = {"store": str(tmp_path / "runs"), "seed": 1, "workers": 1} | options
        return replicast.run(str(write_model(text, file)), n=n, **options)

    return perform


def test_a_table_that_happens_to_have_one_row_gives_no_metric(run: Any) -> None:
    made = run(PATIENTS, n=200)
    assert [row.metric for row in made.summary().rows] == ["total", "number"]
    rows = made.table("patients").pl()
    lengths = rows.group_by("replication").len()["len"].to_list()
    assert lengths.count(1) > 0, "some replications have one patient"
    assert len(rows) == made.metrics().pl()["number"].sum()


def test_what_a_patient_waits_is_asked_of_all_rows_and_is_no_mean_of_means(run: Any) -> None:
    """The true mean is 79/30 = 2.633, that of replications' own means 2.0; 57 tables of one row have 0.106."""
    (found,) = run(PATIENTS, n=2000).pooled("patients.wait:mean").objects
    assert (found.replications, found.rows) == (2000, 40_336)
    assert found.estimate == pytest.approx(2.64121, abs=1e-5)
    assert found.ci_lower < 79 / 30 < found.ci_upper
    assert found.mean_of_replications == pytest.approx(2.02422, abs=1e-5)


def test_a_metric_may_be_called_as_a_column_of_a_table_of_one_row(run: Any) -> None:
    text = PATIENTS.replace('"number": n', '"wait": float(w.mean())')
    made = run(text, n=200)
    (wait,) = [row for row in made.summary().rows if row.metric == "wait"]
    assert (wait.n, wait.failed, wait.planned) == (200, 0, 200)


@pytest.mark.parametrize("store", ["runs", "sqlite"])
@pytest.mark.parametrize("language", ["python", pytest.param("r", marks=pytest.mark.r)])
def test_a_table_that_is_all_and_always_of_one_row_is_a_row_of_metrics(
    run: Any, language: str, store: str, tmp_path: Path
) -> None:
    url = str(tmp_path / "runs") if store == "runs" else f"sqlite:///{tmp_path}/runs.db"
    source = (KPI_FRAME, "model.py") if language == "python" else (KPI_FRAME_IN_R, "model.R")
    made = run(*source, scenarios={"a": {}, "b": {}}, store=url)
    table = made.table("table").pl()
    assert [(row.scenario, row.metric) for row in made.summary().rows] == [
        (scenario, metric) for scenario in "ab" for metric in ("wait", "n", "late")
    ]
    assert made.metrics().pl().equals(table.drop("ward"))
    (wait, *_) = made.summary().rows
    assert wait.mean == pytest.approx(table.filter(scenario="a")["wait"].mean())
    assert wait.n == 6
    assert made.summary().notes == []
    assert [row.metric for row in made.compare().differences] == ["wait", "n", "late"]
    assert query(made.store, made.id, "SELECT wait FROM metrics").equals(table.select("wait"))
    collated = made.collate(tmp_path / "out")
    assert collated.rows == {"metrics": 12, "table": 12, "scenarios": 2, "summary": 6}
    made.report(tmp_path / "report.html")
    assert made.verify(1) != []


@pytest.mark.parametrize("rows", [0, 2])
@pytest.mark.parametrize("language", ["python", pytest.param("r", marks=pytest.mark.r)])
def test_one_replication_of_another_number_of_rows_makes_it_a_table_and_is_named(
    run: Any, language: str, rows: int, tmp_path: Path
) -> None:
    source = (KPI_FRAME, "model.py") if language == "python" else (KPI_FRAME_IN_R, "model.R")
    made = run(*source, params={"odd": 4, "rows": rows})
    assert made.summary().rows == []
    assert made.metrics().pl().columns == ["scenario", "replication"]
    (note,) = made.summary().notes
    assert f"'table' has one row in 5 of 6 replications, but replication 4 returned {rows}" in note
    assert len(made.table("table")) == 5 + rows
    assert note in made.collate(tmp_path / "out").notes
    assert "has one row in 5 of 6 replications" in made.report(tmp_path / "report.html").read_text()


def test_a_failed_replication_leaves_the_others_a_row_of_metrics(run: Any) -> None:
    made = run(KPI_FRAME.replace("row = ", "assert replication != odd\n    row = "), params={"odd": 4})
    assert {(row.metric, row.n, row.failed) for row in made.summary().rows} == {
        ("wait", 5, 1), ("n", 5, 1), ("late", 5, 1)
    }  # fmt: skip


def test_a_precision_is_judged_of_such_metrics_and_refused_of_a_table(run: Any) -> None:
    made = run(KPI_FRAME, precision="wait=50%", maximum=60)
    assert made.precision()["base"].state == "met"
    with pytest.raises(RequestError, match=r"replication 4 returned 2: it is a table"):
        run(KPI_FRAME, precision="wait=50%", maximum=60, params={"odd": 4})


def test_the_one_file_that_a_command_leaves_is_judged_in_the_same_way(tmp_path: Path) -> None:
    script = tmp_path / "kpi.py"
    script.write_text(KPI_FILE)
    command = [sys.executable, str(script), "{seed}", "{out}"]
    made = replicast.run(command=command, n=3, seed=1, store=str(tmp_path / "runs"))
    assert [(row.metric, row.n) for row in made.summary().rows] == [("wait", 3)]
    script.write_text(KPI_FILE + 'open(out + "/metrics.json", "w").write(\'{"x": 1}\')')
    beside = replicast.run(command=command, n=3, seed=1, store=str(tmp_path / "runs"))
    assert [row.metric for row in beside.summary().rows] == ["x"]


def test_a_table_by_name_is_no_row_of_metrics(run: Any) -> None:
    made = run('def simulate(rng):\n    return {"patients": [{"wait": rng.random()}]}\n')
    assert made.summary().rows == []
    assert len(made.table("patients")) == 6


def test_labels_of_a_filtered_frame_are_a_column_in_every_replication(run: Any) -> None:
    made = run(
        "import pandas as pd\n"
        "def simulate(replication):\n"
        "    frame = pd.DataFrame({'wait': [1.0, 2.0, 3.0]})\n"
        "    return {'n': 1.0, 'late': frame[frame.wait > 1] if replication == 2 else frame}\n",
        n=3,
    )
    late = made.table("late").pl()
    assert late["index"].to_list() == [0, 1, 2, 1, 2, 0, 1, 2]
    assert late["wait"].to_list() == [1.0, 2.0, 3.0, 2.0, 3.0, 1.0, 2.0, 3.0]


def test_what_was_noted_is_said_once_in_the_summary(run: Any) -> None:
    made = run("def simulate():\n    return {'n': 1.0, 't': [{'replication': 1}, {'replication': 2}]}\n", n=4)
    said = "the model's own column 'replication' of table 't' is kept as 'replication_1'"
    assert made.summary().notes.count(said) == 1
    assert made.table("t").pl()["replication_1"].to_list() == [1, 2] * 4


VECTORS_IN_R = """
simulate <- function(replication) {
  n <- c(1L, 3L, 0L, 2L, 1L, 4L)[[replication]]
  list(number = n, waits = replication + seq_len(n) / 10)
}
"""


@pytest.mark.r
def test_a_vector_is_a_table_in_the_replications_too_where_it_has_one_value(run: Any, tmp_path: Path) -> None:
    made = run(VECTORS_IN_R, "model.R", store=f"sqlite:///{tmp_path}/runs.db")
    assert [(row.metric, row.n) for row in made.summary().rows] == [("number", 6)]
    assert made.metrics().pl().columns == ["scenario", "replication", "number"]
    waits = made.table("waits").pl()
    assert waits["replication"].to_list() == [1, 2, 2, 2, 4, 4, 5, 6, 6, 6, 6]
    assert waits["value"].to_list() == pytest.approx([1.1, 2.1, 2.2, 2.3, 4.1, 4.2, 5.1, 6.1, 6.2, 6.3, 6.4])
    assert any("'waits' is a vector, of one value in 2 of 6 replications" in note for note in made.summary().notes)
    assert made.collate(tmp_path / "out").rows["waits"] == 11
    assert [one.found for one in made.verify(6)] == [[]] * 6
    assert made.values().metrics() == ["number"]
    with pytest.raises(RequestError, match="'waits' is a vector"):
        run(VECTORS_IN_R, "model.R", precision="waits=5%", maximum=6, n=6)


@pytest.mark.r
def test_a_vector_that_has_one_value_in_every_replication_is_a_metric(run: Any) -> None:
    made = run("simulate <- function() list(wait = rexp(1), x = 1:2)", "model.R")
    assert [row.metric for row in made.summary().rows] == ["wait"]


@pytest.mark.parametrize(
    "waits", ["list(w)", "tuple(w.tolist())", "w", "pd.Series(w)", "pl.Series(w)", "{'wait': list(w)}", "{'wait': w}"]
)
def test_whatever_is_many_values_is_a_table_where_it_has_one(run: Any, waits: str) -> None:
    made = run(
        "import pandas as pd, polars as pl\n"
        "def simulate(rng, replication):\n"
        "    w = rng.random([1, 3, 2][replication % 3])\n"
        f"    return {{'number': len(w), 'waits': {waits}}}\n"
    )
    assert [row.metric for row in made.summary().rows] == ["number"]
    assert len(made.table("waits")) == 12


INNER_NAMES = """
def simulate(replication):
    wards = [["icu"], ["er"], ["icu", "er"]][replication % 3]
    return {"beds": 3, **{ward: {"wait": {"icu": 1.0, "er": 100.0}[ward]} for ward in wards}}
"""


def test_an_inner_name_that_is_alone_in_some_replications_only_is_no_metric(run: Any) -> None:
    made = run(INNER_NAMES)
    rows = {row.metric: row for row in made.summary().rows}
    assert [*rows] == ["beds", "icu.wait", "er.wait"]
    assert (rows["icu.wait"].n, rows["icu.wait"].mean) == (2, 1.0)
    assert any("'wait' is called icu.wait, er.wait" in note for note in made.summary().notes)
    beside = run(INNER_NAMES.replace('"beds": 3', '"wait": 3'))
    assert {row.metric: row.n for row in beside.summary().rows} == {"wait": 6, "icu.wait": 4, "er.wait": 4}


@pytest.mark.r
def test_what_r_names_by_groups_is_called_by_its_groups_where_there_is_one(run: Any) -> None:
    groups = "wards <- list('icu', c('icu', 'er'), 'er')[[1 + replication %% 3]]\n"
    made = run(
        "simulate <- function(replication) {\n" + groups + "list(by = tapply(nchar(wards), wards, mean), x = 1)\n}",
        "model.R",
    )
    found = {(row.metric, row.n, row.mean) for row in made.summary().rows}
    assert found == {("er", 4, 2.0), ("x", 6, 1.0), ("icu", 4, 3.0)}
    loose = run(
        "simulate <- function(replication) {\n"
        + groups
        + "list(by = sapply(split(nchar(wards), wards), sum), x = 1)\n}",
        "model.R",
    )
    assert any("'by' is one named number in some replications" in note for note in loose.summary().notes)
