"""`compare`, `warmup`, `report`, the further tables of `summary`, designs, and the end of a run until precise."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]
MODEL = """
def simulate(rng, level=10.0, beds=1, size=100):
    noise = rng.normal(0, 1)
    v = [min(t / 20, 1) * level + float(x) for t, x in enumerate(rng.normal(0, 0.3, size))]
    return {"wait": level + noise, "late": noise > 0, "series": {"t": list(range(size)), "v": v}}
"""


@pytest.fixture
def model(write_model: Write) -> Path:
    return write_model(MODEL)


@pytest.fixture
def three(replicast: Call, model: Path) -> str:
    done = replicast("run", model, "-n", 20, "--seed", 1, "--name", "three", "--quiet",
                     "--scenario", "base:", "--scenario", "same:beds=2", "--scenario", "less:level=9.5")  # fmt: skip
    assert done.returncode == 0, done.stderr
    return "three"


def test_compare_says_which_differ_by_how_much_and_how_that_was_found(replicast: Call, three: str) -> None:
    done = replicast("compare", three, "--metric", "wait")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].split()[:6] == ["metric", "scenario", "n", "mean", "baseline", "difference"]
    assert "no difference can be shown             equal in all 20 pairs" in lines[1]
    assert "lower, by exactly 0.5 in all 20 pairs" in lines[2]
    assert "paired by replication" in done.stderr


def test_compare_as_csv_and_as_json_has_every_digit(replicast: Call, three: str) -> None:
    rows = list(csv.DictReader(replicast("compare", three, "--csv").stdout.splitlines()))
    said = json.loads(replicast("compare", three, "--json", "--baseline", "less", "--adjust", "holm").stdout)
    assert [(row["metric"], row["scenario"]) for row in rows[:2]] == [("wait", "same"), ("wait", "less")]
    assert (said["baseline"], said["adjustment"], said["paired"]) == ("less", "holm", True)
    assert [row["scenario"] for row in said["comparison"] if row["metric"] == "wait"] == ["base", "same"]
    assert float(rows[1]["difference"]) == pytest.approx(-0.5, abs=1e-12)


def test_compare_ranks_scenarios_where_asked_which_way_is_better(replicast: Call, write_model: Write) -> None:
    noisy = write_model(
        "def simulate(rng, level=10.0):\n    return level + rng.normal(0, 1) * level / 10\n", "noisy.py"
    )
    assert replicast("run", noisy, "-n", 30, "--seed", 1, "--name", "r", "--grid", "level=10,11,20").returncode == 0
    done = replicast("compare", "r", "--better", "value=lower")
    assert "'level=10' is the best" in done.stdout
    assert "worse than level=10" in done.stdout
    ranked = json.loads(replicast("compare", "r", "--better", "value=higher", "--json").stdout)["rankings"][0]
    assert [row["scenario"] for row in ranked["scenarios"]] == ["level=20", "level=11", "level=10"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "three", "--baseline", "bas"], "did you mean 'base'"),
        (["compare", "three", "--metric", "wai"], "did you mean 'wait'"),
        (["compare", "three", "--adjust", "holms"], "did you mean 'holm'"),
        (["compare", "three", "--better", "wait=best"], "METRIC=lower"),
        (["compare", "three", "--confidence", "95"], "between 0 and 1"),
        (["summary", "three", "--needed", "five"], "neither"),
        (["summary", "three", "--quantiles", "2"], "between 0 and 1"),
        (["warmup", "three", "--table", "serie", "--value", "v"], "did you mean 'series'"),
        (["warmup", "three", "--table", "series", "--value", "v", "-o", "w.png"], ".html or .svg"),
        (["warmup", "three", "--table", "series", "--value", "v", "--where", "t"], "COLUMN=VALUE"),
        (["report", "three", "--baseline", "bas"], "did you mean 'base'"),
        (["report", "three", "-o", "."], "-o takes a file, and '.' is a folder"),
    ],
)
@pytest.mark.usefixtures("three")
def test_what_does_not_exist_is_refused_with_status_2(replicast: Call, arguments: list[str], said: str) -> None:
    done = replicast(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_compare_refuses_a_run_of_one_scenario(replicast: Call, model: Path) -> None:
    replicast("run", model, "-n", 3, "--name", "one")
    done = replicast("compare", "one")
    assert done.returncode == 2
    assert "nothing to compare it with" in done.stderr


def test_summary_says_how_many_replications_are_needed_and_how_to_have_them(replicast: Call, three: str) -> None:
    done = replicast("summary", three, "--needed", "wait=1%")
    assert " more" in done.stdout
    asked = done.stderr.split(" -n ")[1].split()[0]
    said = json.loads(replicast("summary", three, "--needed", "wait=1%", "--json").stdout)
    assert max(row["needed"] for row in said["needed"]) == int(asked)
    assert said["scenarios"] == {"base": {}, "same": {"beds": 2}, "less": {"level": 9.5}}


def test_summary_gives_quantiles_and_proportions_with_their_intervals(replicast: Call, three: str) -> None:
    done = replicast("summary", three, "--quantiles", "0.5,0.99")
    assert "95.86 %, values 6 and 15 in order" in done.stdout
    assert "none exists at 95 % for 20 values" in done.stdout
    shares = list(csv.DictReader(replicast("summary", three, "--proportions", "--csv").stdout.splitlines()))
    assert {row["metric"] for row in shares} == {"late"}
    assert int(shares[0]["ones"]) / 20 == float(shares[0]["share"])


def test_warmup_recommends_shows_and_draws(replicast: Call, three: str, tmp_path: Path) -> None:
    done = replicast("warmup", three, "--table", "series", "--value", "v", "--scenario", "base", "-o", "w.svg")
    assert done.returncode == 0
    assert "base: MSER-5 leaves out the first" in done.stdout
    assert "▁" in done.stdout
    assert (tmp_path / "w.svg").read_text().startswith("<svg")
    said = json.loads(replicast("warmup", three, "--table", "series", "--value", "v", "--time", "t", "--steps", "90",
                                "--json").stdout)  # fmt: skip
    assert [one["scenario"] for one in said["warm_up"]] == ["base", "same", "less"]
    assert 10 <= said["warm_up"][0]["leave_out"] <= 25


def test_report_writes_one_page(replicast: Call, three: str, tmp_path: Path) -> None:
    done = replicast("report", three)
    assert done.stdout.strip() == "three.html"
    assert (tmp_path / "three.html").read_text().startswith("<!doctype html>")
    said = json.loads(replicast("report", three, "-o", "deep/r.html", "--json").stdout)
    assert said == {"run": "three", "report": "deep/r.html"}
    assert (tmp_path / "deep" / "r.html").is_file()


def test_a_run_until_precise_ends_by_saying_where_it_was(replicast: Call, model: Path) -> None:
    done = replicast("run", model, "--seed", 1, "--precision", "wait=5%", "--max", 60)
    assert "10 replications or more, until wait=5%" in done.stderr
    assert "wait=5%: base: met at " in done.stderr
    unmet = replicast("run", model, "--seed", 1, "--precision", "wait=0.01%", "--max", 12, "--scenario", "a:",
                      "--scenario", "b:level=1000000")  # fmt: skip
    assert "wait=0.01%: a: NOT met within --max 12" in unmet.stderr
    assert "wait=0.01%: b: met at 10 of 12" in unmet.stderr
    assert (done.returncode, unmet.returncode) == (0, 4)


def test_the_end_of_a_run_until_precise_is_in_its_json(replicast: Call, model: Path) -> None:
    said = json.loads(replicast("run", model, "--seed", 1, "--precision", "wait=90%", "--max", 6, "--json").stdout)
    assert said["precision"]["met"] is True
    assert said["precision"]["scenarios"] == {"base": {"state": "met", "wanted": 6, "needed": 6}}
    assert (said["planned"], said["done"]) == (6, 6)
    without = json.loads(replicast("run", model, "-n", 3, "--json").stdout)
    assert without["precision"] is None


def test_a_run_until_precise_looks_as_far_ahead_as_it_is_told(replicast: Call, model: Path) -> None:
    asked = ("run", model, "--seed", 1, "--precision", "wait=90%", "--max", 50, "--json")
    ends = [json.loads(replicast(*asked, *more).stdout)["precision"]["scenarios"]["base"] for more in
            ([], ["--look-ahead", 0], ["--look-ahead", 20])]  # fmt: skip
    assert [end["wanted"] for end in ends] == [15, 10, 30]
    assert "--look-ahead takes 0 or more" in replicast(*asked, "--look-ahead", -1).stderr
    assert replicast("run", model, "--look-ahead", 3).returncode == 2


def test_a_run_until_precise_does_not_begin_with_more_than_its_maximum(replicast: Call, model: Path) -> None:
    done = replicast("run", model, "-n", 20, "--precision", "wait=5%", "--max", 10)
    assert done.returncode == 2
    assert "begins with -n 20 replications, more than --max 10" in done.stderr


def test_a_design_of_300_scenarios_is_one_run_with_a_table_of_them(
    replicast: Call, write_model: Write, tmp_path: Path
) -> None:
    model = write_model("def simulate(rng, beds=1, rate=1.0):\n    return beds + rate * rng.normal()\n")
    (model.parent / "experiment.toml").write_text(
        'model = "model.py"\nreplications = 3\nseed = 1\nname = "big"\n'
        "[design]\nlatin_hypercube = 300\n[design.ranges]\nbeds = [1, 300]\nrate = [0.5, 2.0]\n"
    )
    done = replicast("run", "--experiment", model.parent / "experiment.toml", "-o", "out", "--quiet")
    assert done.returncode == 0, done.stderr
    scenarios = list(csv.DictReader((tmp_path / "out" / "scenarios.csv").read_text().splitlines()))
    assert [row["scenario"] for row in scenarios] == [f"point-{i:04d}" for i in range(1, 301)]
    assert sorted(int(row["beds"]) for row in scenarios) == list(range(1, 301))
    metrics = list(csv.DictReader((tmp_path / "out" / "metrics.csv").read_text().splitlines()))
    assert len(metrics) == 900


def test_scenarios_added_to_a_finished_run_are_the_only_ones_computed(
    replicast: Call, model: Path, tmp_path: Path
) -> None:
    design, arguments = tmp_path / "design.csv", ("run", model, "--design", "design.csv", "-n", 4, "--seed", 1)
    design.write_text("scenario,level,beds\nlow,9.0,1\nhigh,11,\n")
    first = json.loads(replicast(*arguments, "--name", "grown", "--json").stdout)
    design.write_text("scenario,level,beds\nlow,9.0,1\nhigh,11,\ntop,12,3\n")
    second = json.loads(replicast(*arguments, "--name", "grown", "--json").stdout)
    assert (first["simulated"], second["simulated"], second["done"]) == (8, 4, 12)
    assert second["summary"][: len(first["summary"])] == first["summary"]
    design.write_text("scenario,level,beds\nlow,9.5,1\nhigh,11,\n")
    changed = replicast(*arguments, "--name", "grown")
    assert changed.returncode == 2
    assert "parameter 'level' was 9.0, is 9.5" in changed.stderr
    assert "scenario 'top': was there, is gone" in changed.stderr


def test_an_experiment_file_in_the_models_folder_may_gain_scenarios(replicast: Call, model: Path) -> None:
    file = model.parent / "experiment.toml"
    file.write_text('model = "model.py"\nreplications = 2\nseed = 1\nname = "g"\n[scenarios.a]\n')
    assert replicast("run", "--experiment", file).returncode == 0
    file.write_text(file.read_text() + "[scenarios.b]\nbeds = 3\n")
    done = replicast("run", "--experiment", file, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["simulated"] == 2
    model.write_text(MODEL.replace("0.3", "0.4"))
    assert "model.py: was changed" in replicast("run", "--experiment", file).stderr


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ("beds,bed\n1,2\n", "has no parameter 'bed'"),
        ("beds\n1.5\n", "takes an integer, and '1.5' is not"),
        ("scenario,beds\na/b,1\n", "cannot be called 'a/b'"),
        ("beds;level\n1;2\n", "semicolons"),
    ],
)
def test_a_design_is_held_to_the_models_signature(
    replicast: Call, model: Path, tmp_path: Path, design: str, said: str
) -> None:
    (tmp_path / "design.csv").write_text(design)
    done = replicast("run", model, "--design", "design.csv")
    assert done.returncode == 2
    assert said in done.stderr
    assert not list(tmp_path.glob("runs/*/run.json"))
