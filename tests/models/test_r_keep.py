"""keep = "rds": what a model returned is kept whole, the same bytes whoever computed it."""

import subprocess
from pathlib import Path

import pytest
from r_bench import Bench, columns, perform

pytestmark = pytest.mark.r


def kept(folder: str | None) -> bytes:
    assert folder is not None
    assert [path.name for path in Path(folder).iterdir()] == ["result.rds"]
    return (Path(folder) / "result.rds").read_bytes()


def read_by_r(folder: str | None, expression: str) -> str:
    code = f"x <- readRDS('{folder}/result.rds'); cat({expression})"
    return subprocess.run(["Rscript", "--vanilla", "-e", code], check=True, capture_output=True, text=True).stdout


RESULT = """
    simulate <- function(replication) list(
      x = runif(3), n = 1:5, f = factor("a"), inner = list(text = c("é", NA), date = as.Date("2024-01-01")),
      table = data.frame(r = replication, y = c(NA, NaN)))"""


def test_the_result_is_kept_beside_its_metrics_and_tables(bench: Bench) -> None:
    outcomes = bench.run("simulate <- function() list(x = 1.5, t = data.frame(a = 1:2))", 2, keep=True)
    assert [o.metrics for o in outcomes] == [{"x": 1.5}] * 2
    assert columns(outcomes[1].tables["t"]) == {"a": [1, 2]}
    assert read_by_r(outcomes[1].folder, "x$x, nrow(x$t), names(x)") == "1.5 2 x t"
    assert len({o.folder for o in outcomes}) == 2
    assert all(Path(str(o.folder)).is_relative_to(bench.scratch) for o in outcomes)


def test_anything_may_be_kept(bench: Bench) -> None:
    for returned, kind in [
        ("function(x) x + 1", "closure"),
        ("'text'", "character"),
        ("list(1, list(2))", "list"),
        ("NULL", "NULL"),
    ]:
        outcome = bench.one(f"simulate <- function() {returned}", keep=True)
        assert outcome.failure is None and not outcome.metrics
        assert read_by_r(outcome.folder, "typeof(x)") == kind


def test_the_bytes_are_the_same_in_any_process_and_order(bench: Bench) -> None:
    with bench.started(RESULT, keep=True) as simulate:
        whole = {o.replication: kept(o.folder) for o in perform(simulate, 1, 60)}
        assert kept(perform(simulate, 40, 40)[0].folder) == whole[40]
    with bench.started(RESULT, keep=True) as simulate:
        assert kept(perform(simulate, 40, 40)[0].folder) == whole[40]
    assert len(set(whole.values())) == 60


@pytest.mark.parametrize(
    ("returned", "where"),
    [
        ("list(a = 1, con = textConnection('x'))", "the result$con@conn_id"),
        (
            "{ e <- new.env(); e$inner <- list(1, externalptr()); list(x = 1, state = e) }",
            "the result$state$inner[[2]]",
        ),
        ("local({ p <- externalptr(); function() p })", "the environment of the result$p"),
        ("externalptr()", "the result"),
    ],
)
def test_a_pointer_that_would_not_survive_is_refused_with_its_place(bench: Bench, returned: str, where: str) -> None:
    source = f"""
        externalptr <- function() attr(textConnection("x"), "conn_id")
        simulate <- function() {returned}"""
    failure = bench.one(source, keep=True).failure
    assert failure is not None and failure.type == "UnusableResult"
    assert f"{where} is an external pointer" in failure.message
    assert not list(bench.scratch.rglob("result.rds"))


def test_a_data_table_is_no_pointer(bench: Bench) -> None:
    outcome = bench.one("simulate <- function() list(t = data.table::data.table(a = 1:2))", keep=True)
    assert outcome.failure is None
    assert read_by_r(outcome.folder, "class(x$t)[1], x$t$a") == "data.table 1 2"


SIMMER = """
    library(simmer)
    simulate <- function() {
      patient <- trajectory() |> seize("bed") |> timeout(function() rexp(1)) |> release("bed")
      env <- simmer() |> add_resource("bed", 1) |> add_generator("patient", patient, at(cumsum(rexp(5)))) |> run()
      RETURNED
    }
"""


@pytest.mark.simmer
@pytest.mark.parametrize("returned", ["env", "wrap(env)", "list(env = env, x = 1)", "list(env, env)"])
def test_simmer_environments_are_kept_wrapped(bench: Bench, returned: str) -> None:
    with bench.started(SIMMER.replace("RETURNED", returned), keep=True) as simulate:
        outcomes = perform(simulate, 1, 2)
        again = perform(simulate, 1, 2)
    assert [o.failure for o in outcomes] == [None, None]
    rows = outcomes[0].tables["arrivals"].num_rows
    envs = {"list(env = env, x = 1)": "list(x$env)", "list(env, env)": "x"}.get(returned, "list(x)")
    assert rows > 2
    assert (
        read_by_r(outcomes[0].folder, f"class({envs}[[1]]), nrow(simmer::get_mon_arrivals({envs}))") == f"wrap {rows}"
    )
    assert [kept(o.folder) for o in outcomes] == [kept(o.folder) for o in again]
    assert [columns(o.tables["arrivals"]) for o in outcomes] == [columns(o.tables["arrivals"]) for o in again]
