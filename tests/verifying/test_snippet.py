"""The lines that `replay --snippet` writes give in plain R what is stored."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]

MODEL = """
source("R/draw.R")
simulate <- function(rate = 1.5, label = "a", beds = 10L, sizes = c(1, 2), replication, seed) {
  list(y = draw(rate), beds = beds, double = is.double(rate), seed = seed, i = replication, total = sum(sizes),
       length = nchar(label))
}
"""


def write_project(folder: Path, model: str) -> None:
    (folder / "R").mkdir()
    (folder / "R" / "draw.R").write_text("draw <- function(rate) sum(rexp(3, rate), rnorm(2), sample(10, 1))\n")
    (folder / "model.R").write_text(model)


def metrics_in_plain_r(file: Path) -> dict[str, Any]:
    code = (
        f'sink(tempfile()); source("{file}"); sink();'
        'for (name in names(result)) cat(name, sprintf("%a", as.double(result[[name]])), "\\n")'
    )
    ended = subprocess.run(["Rscript", "--vanilla", "-e", code], capture_output=True, text=True, check=True)
    pairs = (line.split() for line in ended.stdout.splitlines())
    return {name: float.fromhex(value) for name, value in pairs}


def stored_metrics(replicast: Cli, run: str, replication: int, scenario: str) -> dict[str, Any]:
    answer = replicast("replay", run, replication, "--scenario", scenario, "--json")
    assert answer.returncode == 0, answer.stderr
    found = json.loads(answer.stdout)
    assert found["equal"]
    return {name: float(value) for name, value in found["metrics"].items()}


@pytest.mark.long
@pytest.mark.r
@pytest.mark.parametrize("streams", ["parallel", "future", "doRNG"])
def test_a_snippet_gives_in_plain_r_what_is_stored(replicast: Cli, tmp_path: Path, streams: str) -> None:
    write_project(tmp_path, MODEL)
    scenario = 'more:rate=2.0,label=x y"z,beds=12'
    done = replicast("run", "model.R", "-n", 4, "--seed", 7, "--name", "r", "--streams", streams, "--scenario", "base:",
                     "--scenario", scenario)  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in ("base", "more"):
        written = replicast("replay", "r", 3, "--scenario", name, "--snippet", f"{name}.R")
        assert written.returncode == 0, written.stderr
        assert metrics_in_plain_r(tmp_path / f"{name}.R") == stored_metrics(replicast, "r", 3, name)


@pytest.mark.long
@pytest.mark.r
def test_a_snippet_knows_streams_that_scenarios_do_not_share(replicast: Cli, tmp_path: Path) -> None:
    write_project(tmp_path, MODEL)
    (tmp_path / "e.toml").write_text(
        'model = "model.R"\nseed = 5\nreplications = 2\n[streams]\ncommon = false\n[scenarios.a]\n[scenarios.b]\n'
    )
    assert replicast("run", "--experiment", "e.toml", "--name", "r").returncode == 0
    found = []
    for name in ("a", "b"):
        assert replicast("replay", "r", 2, "--scenario", name, "--snippet", f"{name}.R").returncode == 0
        found.append(metrics_in_plain_r(tmp_path / f"{name}.R"))
        assert found[-1] == stored_metrics(replicast, "r", 2, name)
    assert found[0]["y"] != found[1]["y"]


@pytest.mark.long
@pytest.mark.r
def test_a_snippet_hands_over_params_as_the_worker_does(replicast: Cli, tmp_path: Path) -> None:
    write_project(
        tmp_path,
        'source("R/draw.R")\n'
        "simulate <- function(params, beds = 3L) list(y = draw(params$rate), n = params$beds + beds)\n",
    )
    assert replicast("run", "model.R", "-n", 2, "--seed", 1, "--name", "r", "--param", "rate=2.5", "--param",
                     "beds=4").returncode == 0  # fmt: skip
    assert replicast("replay", "r", 1, "--snippet", "one.R").returncode == 0
    assert metrics_in_plain_r(tmp_path / "one.R") == stored_metrics(replicast, "r", 1, "base")


@pytest.mark.long
@pytest.mark.r
def test_replaying_an_r_model_says_how_to_look_into_it(replicast: Cli, tmp_path: Path) -> None:
    write_project(tmp_path, MODEL)
    assert replicast("run", "model.R", "-n", 1, "--seed", 1, "--name", "r").returncode == 0
    said = replicast("replay", "r", 1).stderr
    assert "result <- simulate(replication = 1L, seed = " in said
    assert "--snippet" in said


def test_a_snippet_of_another_language_is_refused(replicast: Cli, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def simulate(rng):\n    return rng.random()\n")
    assert replicast("run", "model.py", "-n", 1, "--seed", 1, "--name", "p").returncode == 0
    refused = replicast("replay", "p", 1, "--snippet", "one.R")
    assert refused.returncode == 2
    assert "no R model" in refused.stderr
    assert not (tmp_path / "one.R").exists()


@pytest.mark.r
def test_a_snippet_overwrites_no_folder(replicast: Cli, tmp_path: Path) -> None:
    write_project(tmp_path, MODEL)
    assert replicast("run", "model.R", "-n", 1, "--seed", 1, "--name", "r").returncode == 0
    (tmp_path / "one-source").mkdir()
    refused = replicast("replay", "r", 1, "--snippet", "one.R")
    assert refused.returncode == 2
    assert "one-source' is there already" in refused.stderr


DRAWING_BY_NAME = """
service <- replicast_stream("service")
simulate <- function(antithetic = FALSE) {
  gaps <- replicast_stream('arrivals')
  list(y = sum(service(rexp(3))), x = gaps(runif(1)), again = service(rnorm(1)), own = runif(1),
       u = replicast_uniform(1))
}
"""


@pytest.mark.r
@pytest.mark.parametrize("pairs", [[], ["--antithetic"]], ids=["single", "antithetic"])
def test_a_snippet_has_what_the_model_draws_by_name(replicast: Cli, tmp_path: Path, pairs: list[str]) -> None:
    (tmp_path / "model.R").write_text(DRAWING_BY_NAME)
    assert replicast("run", "model.R", "-n", 4, "--seed", 7, "--name", "r", *pairs).returncode == 0
    assert replicast("replay", "r", 4, "--snippet", "one.R").returncode == 0
    assert metrics_in_plain_r(tmp_path / "one.R") == stored_metrics(replicast, "r", 4, "base")


SHAPED = """
simulate <- function(day = as.Date("2020-01-01"), at = as.POSIXct("2020-01-01", tz = "Europe/Berlin"),
                     rates = c(a = 1, b = 2), plan = list(beds = 1L, ward = "x"), staff = data.frame(n = 1:2), k = 1,
                     ...) {
  list(day = as.numeric(day), at = as.numeric(at), hour = as.POSIXlt(at)$hour, b = rates[["b"]], beds = plan$beds,
       rows = nrow(staff), kinds = inherits(day, "Date") + inherits(at, "POSIXct") + is.data.frame(staff), y = runif(k))
}
"""


@pytest.mark.r
def test_a_snippet_hands_over_dates_times_and_named_vectors_as_the_worker_does(replicast: Cli, tmp_path: Path) -> None:
    (tmp_path / "model.R").write_text(SHAPED)
    given = [
        "day=2024-02-29",
        "at=2024-06-01T12:00:00+00:00",
        "rates=[5, 6]",
        'plan={"beds": 4}',
        'staff={"n": [1, 2, 3]}',
    ]
    options = [word for text in given for word in ("--param", text)]
    assert replicast("run", "model.R", "-n", 2, "--seed", 1, "--name", "r", *options).returncode == 0
    assert replicast("replay", "r", 2, "--snippet", "one.R").returncode == 0
    found = metrics_in_plain_r(tmp_path / "one.R")
    assert found == stored_metrics(replicast, "r", 2, "base")
    assert {name: found[name] for name in found if name != "y"} == {
        "day": 19782, "at": 1717243200, "hour": 14, "b": 6, "beds": 4, "rows": 3, "kinds": 3,
    }  # fmt: skip


@pytest.mark.r
def test_a_snippet_leaves_a_model_its_own_seed(replicast: Cli, tmp_path: Path) -> None:
    (tmp_path / "model.R").write_text("simulate <- function(replication) { set.seed(replication); list(y = runif(1)) }")
    assert replicast("run", "model.R", "-n", 2, "--streams", "own", "--name", "r").returncode == 0
    assert replicast("replay", "r", 2, "--snippet", "one.R").returncode == 0
    assert metrics_in_plain_r(tmp_path / "one.R") == stored_metrics(replicast, "r", 2, "base")


@pytest.mark.r
def test_a_snippet_of_replication_0_is_refused(replicast: Cli, tmp_path: Path) -> None:
    write_project(tmp_path, MODEL)
    assert replicast("run", "model.R", "-n", 1, "--seed", 1, "--name", "r").returncode == 0
    refused = replicast("replay", "r", 0, "--snippet", "one.R")
    assert refused.returncode == 2
    assert "numbered from 1" in refused.stderr
