"""Every example, run from the command line in a copy of its folder, against its folder `expected/`."""

from __future__ import annotations

import csv
import json
import math
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
Row = dict[str, Any]


class Example:
    """A copy of one example's folder, in which `replicast` is called as its README says."""

    def __init__(self, name: str, folder: Path, call: Callable[..., Any]) -> None:
        self.original, self.folder, self._call = EXAMPLES / name, folder, call

    def run(self, *arguments: object, inside: str = ".", out: str = "results") -> Path:
        """Returns the folder of collated tables."""
        target = self.folder / out
        done = self._call("run", *arguments, "-o", target, "--quiet", cwd=self.folder / inside)
        assert done.returncode == 0, done.stderr
        return target

    def json(self, *arguments: object) -> Any:
        done = self._call(*arguments, "--json", cwd=self.folder)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def expected(self, name: str) -> bytes:
        return (self.original / "expected" / name).read_bytes()


@pytest.fixture
def example(tmp_path: Path, replicast: Callable[..., Any]) -> Callable[[str], Example]:
    def copy(name: str) -> Example:
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder, ignore=shutil.ignore_patterns("runs", "results", "outputs"))
        return Example(name, folder, replicast)

    return copy


OpenExample = Callable[[str], Example]


def test_a_random_number_in_python(example: OpenExample) -> None:
    random_number = example("random_number")
    results = random_number.run("model.py", "-n", 10, "--seed", 42)
    for name in ("summary.csv", "metrics.csv"):
        assert (results / name).read_bytes() == random_number.expected(f"python/{name}")


@pytest.mark.r
def test_a_random_number_in_r(example: OpenExample) -> None:
    random_number = example("random_number")
    results = random_number.run("model.R", "-n", 10, "--seed", 42)
    for name in ("summary.csv", "metrics.csv"):
        assert (results / name).read_bytes() == random_number.expected(f"r/{name}")


@pytest.mark.r
def test_the_random_numbers_of_r_are_those_of_nextrngstream(example: OpenExample) -> None:
    code = """
        RNGkind("L'Ecuyer-CMRG"); set.seed(42); stream <- .Random.seed
        for (i in 1:10) {
          stream <- parallel::nextRNGStream(stream)
          .Random.seed <- stream
          cat(sample(0:1000, 1), "")
        }
    """
    drawn = subprocess.run(["Rscript", "--vanilla", "-e", code], capture_output=True, text=True, check=True).stdout
    rows = read_csv(example("random_number").original / "expected" / "r" / "metrics.csv")
    assert [row["number"] for row in rows] == drawn.split()


def test_the_proof_of_concepts_stand_in_without_its_sleep(example: OpenExample) -> None:
    stand_in = example("lambda_step_compute")
    results = stand_in.run("model.py", "-n", 10, "--seed", 42, "--param", "pause_seconds=0")
    assert (results / "metrics.csv").read_bytes() == stand_in.expected("metrics.csv")


@pytest.mark.r
def test_the_proof_of_concepts_stand_in_in_r(example: OpenExample) -> None:
    stand_in = example("lambda_step_compute")
    results = stand_in.run("model.R", "-n", 10, "--seed", 42, "--param", "pause_seconds=0")
    assert (results / "metrics.csv").read_bytes() == stand_in.expected("r/metrics.csv")


def test_the_emergency_department(example: OpenExample) -> None:
    department = example("emergency_department")
    results = department.run("--experiment", "experiment.toml")
    assert (results / "summary.csv").read_bytes() == department.expected("summary.csv")
    assert (results / "metrics.csv").read_bytes() == department.expected("metrics.csv")
    check_patients_against_metrics(pl.read_csv(results / "patients.csv"), pl.read_csv(results / "metrics.csv"))


def check_patients_against_metrics(patients: pl.DataFrame, metrics: pl.DataFrame) -> None:
    """The key figures are those of the patient table."""
    by_hand = patients.group_by("scenario", "replication", maintain_order=True).agg(
        wait_for_doctor=(pl.col("wait_cubicle") + pl.col("wait_doctor")).mean(),
        length_of_stay=pl.col("length_of_stay").mean(),
        within_four_hours=(pl.col("length_of_stay") <= 240).mean(),
        wait_for_bed=pl.col("wait_bed").filter(pl.col("admitted")).mean(),
    )
    assert by_hand.height == metrics.height == 200
    for name in by_hand.columns[2:]:
        pairs = zip(by_hand[name], metrics[name], strict=True)
        assert all(math.isclose(hand, model, rel_tol=1e-9, abs_tol=1e-9) for hand, model in pairs), name


def test_the_emergency_department_gives_both_scenarios_the_same_patients(example: OpenExample) -> None:
    department = example("emergency_department")
    results = department.run("--experiment", "experiment.toml", "-n", 3)
    drawn = ["replication", "arrival", "acuity", "admitted"]
    base, more = (part.select(drawn) for part in pl.read_csv(results / "patients.csv").partition_by("scenario"))
    assert base.equals(more)


M_M_1 = {"wait": 0.8 / (1.0 - 0.8), "share_waiting": 0.8}
"""Arrivals 0.8, service 1: the mean wait in the queue is rho / (mu - lambda), and a share rho of them waits."""


@pytest.mark.parametrize("file", ["model.py", pytest.param("model.R", marks=pytest.mark.r)])
def test_mm1_agrees_with_queueing_theory(example: OpenExample, file: str) -> None:
    mm1 = example("mm1")
    results = mm1.run(file, "-n", 50, "--seed", 42)
    assert (results / "summary.csv").read_bytes() == mm1.expected(f"{file.rpartition('.')[2].lower()}/summary.csv")
    check_theory(mm1.json("summary", "latest", "--confidence", "0.999"), {"base": M_M_1}, widest=0.05)


@pytest.mark.parametrize("file", ["model.py", pytest.param("model.R", marks=pytest.mark.r)])
def test_a_stream_for_each_source_makes_a_difference_vary_a_fifth_or_less(example: OpenExample, file: str) -> None:
    nurse, variances = example("named_streams"), []
    for named in ("true", "false"):
        asked = (file, "-n", 200, "--seed", 42, "--scenario", "usual:pace=1.0", "--scenario", "faster:pace=1.05")
        results = nurse.run(*asked, *(() if named == "true" else ("--param", "named=false")), out=named)
        (row,) = nurse.json("compare", "latest")["comparison"]
        variances.append(row["se"] ** 2)
        if named == "true":
            own = nurse.expected(f"{file.rpartition('.')[2].lower()}/summary.csv")
            assert (results / "summary.csv").read_bytes() == own
            assert row["correlation"] > 0.99
    assert variances[0] < 0.2 * variances[1]


def test_gamblers_ruin_agrees_with_theory(example: OpenExample) -> None:
    ruin = example("gamblers_ruin")
    results = ruin.run("--experiment", "experiment.toml")
    for name in ("summary.csv", "metrics.csv"):
        assert (results / name).read_bytes() == ruin.expected(name)
    theory = {"fair": ruin_in_theory(10, 20, 0.5), "roulette": ruin_in_theory(10, 20, 0.4865)}
    check_theory(ruin.json("summary", "latest", "--confidence", "0.999"), theory, widest=0.35)


def ruin_in_theory(stake: int, goal: int, p: float) -> dict[str, float]:
    """Probability of ruin and expected number of games (Feller 1968, XIV.2 and XIV.3)."""
    if p == 0.5:
        return {"ruined": 1 - stake / goal, "games": stake * (goal - stake)}
    ratio = (1 - p) / p
    reached = (1 - ratio**stake) / (1 - ratio**goal)
    return {"ruined": 1 - reached, "games": (stake - goal * reached) / (1 - 2 * p)}


def check_theory(summary: Any, theory: dict[str, dict[str, float]], widest: float) -> None:
    """Each interval holds its theoretical value, and is no wider than a share `widest` of the mean to either side."""
    found = {(row["scenario"], row["metric"]): row for row in summary_rows(summary)}
    for scenario, values in theory.items():
        for metric, value in values.items():
            row = found[scenario, metric]
            assert row["confidence"] == 0.999
            assert row["ci_lower"] <= value <= row["ci_upper"], (scenario, metric)
            assert row["relative_half_width"] < widest, (scenario, metric)


def summary_rows(summary: Any) -> Sequence[Row]:
    rows: Sequence[Row] = summary["summary"] if isinstance(summary, dict) else summary
    return rows


def test_the_gamblers_awk_needs_no_particular_awk(example: OpenExample, tmp_path: Path) -> None:
    script = example("gamblers_ruin").folder / "ruin.awk"
    found = {}
    for awk in filter(None, map(shutil.which, ("awk", "gawk", "mawk", "original-awk"))):
        out = tmp_path / Path(awk).name
        out.mkdir()
        given = {"stake": 10, "goal": 20, "p": 0.5, "seed": 6123456789012345678, "out": out}
        options = [part for name, value in given.items() for part in ("-v", f"{name}={value}")]
        subprocess.run([awk, *options, "-f", script], check=True)
        found[awk] = [(out / name).read_bytes() for name in ("metrics.json", "fortune.csv")]
    assert found
    assert all(files == next(iter(found.values())) for files in found.values())


WSSR = [
    pytest.param("wssr_base", marks=pytest.mark.r),
    pytest.param("wssr", marks=pytest.mark.simmer),
]


@pytest.mark.long
@pytest.mark.parametrize("name", WSSR)
def test_the_three_forms_of_wssr_give_the_same_results(example: OpenExample, name: str) -> None:
    wssr = example(name)
    monolith = run_monolith(wssr.folder / "legacy")
    split = wssr.run("--experiment", "experiment.toml", inside="split", out="split_results")
    functions = wssr.run("--experiment", "experiment.toml", inside="functions", out="functions_results")
    assert monolith.read_bytes() == wssr.expected("wssr-results.csv")
    assert (split / "wssr-results.csv").read_bytes() == monolith.read_bytes()
    assert (functions / "wssr_results.csv").read_bytes() == wssr.expected("wssr_results.csv")
    assert list(without_scenario(functions / "wssr_results.csv")) == list(without_scenario(monolith))
    if name == "wssr_base":
        assert (functions / "summary.csv").read_bytes() == wssr.expected("summary.csv")
        check_summary_against_results(functions)


def check_summary_against_results(folder: Path) -> None:
    """Where the model returns its measures as metrics too, replicast's means are those of its own results table."""
    summary = {row["metric"]: float(row["mean"]) for row in read_csv(folder / "summary.csv")}
    table = {row["measure"]: float(row["mean"]) for row in read_csv(folder / "wssr_results.csv")}
    assert {name: round(mean, 4) for name, mean in summary.items()} == table


def run_monolith(folder: Path) -> Path:
    subprocess.run(["Rscript", "--vanilla", "run-wssr.R"], cwd=folder, check=True, capture_output=True)
    return folder / "outputs" / "wssr-results.csv"


def without_scenario(path: Path) -> Iterator[tuple[str, ...]]:
    """Each row with its numbers as numbers: R writes 0 and 6e-04 where polars writes 0.0 and 0.0006."""
    for row in read_csv(path):
        numbers = [float(row[key]).hex() for key in ("mean", "lower", "upper")]
        yield row["measure"], *numbers, row["iterations"]


@pytest.mark.parametrize("name", ["wssr", "wssr_base"])
def test_the_three_forms_of_wssr_share_their_helpers_and_parameters(name: str) -> None:
    legacy = EXAMPLES / name / "legacy"
    shared = [path.relative_to(legacy) for folder in ("R", "inputs") for path in sorted((legacy / folder).iterdir())]
    assert len(shared) == 3
    for form in ("split", "functions"):
        for path in shared:
            assert (EXAMPLES / name / form / path).read_bytes() == (legacy / path).read_bytes(), (form, path)


def test_every_example_has_a_readme_and_expected_output() -> None:
    for folder in sorted(path for path in EXAMPLES.iterdir() if path.is_dir()):
        assert (folder / "README.md").is_file(), folder
        assert list((folder / "expected").rglob("*.csv")), folder


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
