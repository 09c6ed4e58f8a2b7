"""What an R model says of itself, and why one cannot be loaded."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from r_bench import Bench, columns, perform

from replicast.core.errors import ModelError, ParameterError
from replicast.core.parameters import Parameter, Text, fit_parameters
from replicast.machine.processes import THIS_SYSTEM, descendants

pytestmark = pytest.mark.r


def refused(bench: Bench, source: str, **options: str) -> ModelError:
    with pytest.raises(ModelError) as caught:
        bench.model(source, **options).describe()  # type: ignore[arg-type]
    assert list(bench.scratch.iterdir()) == []
    return caught.value


def test_a_model_describes_its_parameters_by_their_defaults(bench: Bench) -> None:
    signature = bench.model("""
        warm_up <- 28
        simulate <- function(replication, beds = 12L, rate = 2.5, name = "x", open = TRUE, none = NULL, needed,
                             negative = -3L, computed = 7 * 24, vector = c(1, 2), range = 1:3, setting = warm_up,
                             derived = beds * 2, missing = NA, missing_number = NA_real_, big = 1e400,
                             call = Sys.time(), nested = list(a = 1)) 1""").describe()
    assert signature.parameters == (
        Parameter("beds", False, "integer", 12),
        Parameter("rate", False, "double", 2.5),
        Parameter("name", False, "string", "x"),
        Parameter("open", False, "boolean", True),
        Parameter("none", False, "null"),
        Parameter("needed", True, "other"),
        Parameter("negative", False, "integer", -3),
        Parameter("computed", False, "double", 168.0),
        Parameter("vector", False, "list"),
        Parameter("range", False, "list"),
        Parameter("setting", False, "double", 28.0),
        Parameter("derived", False, "other"),
        Parameter("missing", False, "other"),
        Parameter("missing_number", False, "double"),
        Parameter("big", False, "double", float("inf")),
        Parameter("call", False, "other"),
        Parameter("nested", False, "list"),
    )
    assert signature.uses == ("replication",)
    assert (signature.takes_any, signature.has_collate, signature.collate_argument) == (False, False, "")
    assert signature.versions["R"].count(".") == 2


@pytest.mark.parametrize(
    ("arguments", "takes_any", "uses"),
    [
        ("", False, ()),
        ("params", True, ("params",)),
        ("...", True, ()),
        ("seed, replication, x = 1, ...", True, ("replication", "seed")),
    ],
)
def test_a_model_says_what_else_it_takes(bench: Bench, arguments: str, takes_any: bool, uses: tuple[str, ...]) -> None:
    signature = bench.model(f"simulate <- function({arguments}) 1").describe()
    assert (signature.takes_any, signature.uses) == (takes_any, uses)


@pytest.mark.parametrize("argument", ["tables", "objects"])
def test_a_collate_beside_the_model_is_found(bench: Bench, argument: str) -> None:
    signature = bench.model(f"simulate <- function() 1\ncollate <- function({argument}) NULL").describe()
    assert (signature.has_collate, signature.collate_argument) == (True, argument)


def test_loaded_packages_are_told_with_their_versions(bench: Bench) -> None:
    versions = bench.model("library(data.table)\nsimulate <- function() 1").describe().versions
    assert set(versions) == {"R", "data.table"} and versions["data.table"].startswith("1.")


def test_another_function_may_be_named(bench: Bench) -> None:
    with bench.started("helper <- 1\nrun.once <- function(x = 2) x", function="run.once") as simulate:
        assert perform(simulate, 1, 1)[0].metrics == {"value": 2.0}


@pytest.mark.parametrize(
    ("source", "arguments", "expected"),
    [
        ("function(beds = 1L, rate) beds * rate", {"beds": 3, "rate": 2.5}, {"value": 7.5}),
        ("function(params) length(params)", {"a": 1, "b": [1, 2]}, {"value": 2}),
        ("function(params, a = 5) params$a + a", {"a": 1}, {"value": 2}),
        ("function(params, a = 5) a + length(params)", {}, {"value": 5.0}),
        ("function(...) ..1 + list(...)$b", {"a": 1.0, "b": 2}, {"value": 3.0}),
        ("function(x = 1, ...) x + sum(...)", {"x": 1.0, "y": 2, "z": 3}, {"value": 6.0}),
        ("function(x = 1) is.null(x)", {"x": None}, {"value": 1}),
        ("function(`a b` = 1) `a b`", {"a b": 4}, {"value": 4}),
        ("function(x, y = x + 1) y", {"x": 4.0}, {"value": 5.0}),
        ("function(x = 1) c(given = nargs(), missing = missing(x))", {}, {"given": 0, "missing": 1}),
    ],
)
def test_arguments_go_by_name(bench: Bench, source: str, arguments: dict[str, object], expected: object) -> None:
    outcome = bench.one(f"simulate <- {source}", arguments)
    assert outcome.failure is None, outcome.failure
    assert outcome.metrics == expected


def test_a_call_looks_as_a_user_would_type_it(bench: Bench) -> None:
    outcome = bench.one(
        """
        simulate <- function(replication, beds = 12L, name = "x") {
          list(t = data.frame(call = deparse(match.call()), parent = environmentName(parent.frame())))
        }""",
        {"beds": 3, "name": "é"},
    )
    (call,) = columns(outcome.tables["t"])["call"]
    assert call == 'simulate(replication = 1L, beds = 3L, name = "é")'
    assert columns(outcome.tables["t"])["parent"] == ["R_GlobalEnv"]


def test_a_text_typed_for_a_parameter_takes_the_type_of_its_default(bench: Bench) -> None:
    model = bench.model(
        "simulate <- function(beds = 12L, rate = 1) list(t = data.frame(k = c(typeof(beds), typeof(rate))))"
    )
    fitted = fit_parameters({"beds": Text("3"), "rate": Text("4")}, model.describe(), model.label)
    with model.start() as simulate:
        assert columns(perform(simulate, 1, 1, fitted)[0].tables["t"]) == {"k": ["integer", "double"]}
    with pytest.raises(ParameterError, match="did you mean 'beds'"):
        fit_parameters({"bed": Text("3")}, model.describe(), model.label)


def test_a_syntax_error_is_shown_where_it_is(bench: Bench) -> None:
    error = refused(bench, "simulate <- function() {\n  x <- (1 + \n}\n")
    assert "model.R cannot be loaded: model.R:3:1: unexpected '}'" in str(error)
    assert "parse(" not in error.detail  # no call of ours


def test_an_error_while_loading_comes_with_the_models_calls_and_log(bench: Bench) -> None:
    error = refused(
        bench, "cat('reading data\\n')\nread <- function(f) stop('no ', f)\nread('beds.csv')\nsimulate <- 1"
    )
    assert str(error) == "model.R cannot be loaded: no beds.csv"
    assert error.detail == 'reading data\nno beds.csv\n2: stop("no ", f) at model.R#2\n1: read("beds.csv")'


def test_a_missing_package_is_named_with_how_to_get_it(bench: Bench) -> None:
    for line in (
        "library(noSuchPackage)",
        "noSuchPackage::f()",
        "suppressMessages(requireNamespace('x')); library('noSuchPackage')",
    ):
        error = refused(bench, f"{line}\nsimulate <- function() 1")
        assert "model.R needs the R package 'noSuchPackage', which is not installed" in str(error)
        assert "Rscript -e 'install.packages(\"noSuchPackage\")'" in str(error)


def test_a_missing_function_is_refused_with_the_nearest_one(bench: Bench) -> None:
    assert "has no function 'simulate' (did you mean 'simulated'?)" in str(refused(bench, "simulated <- function() 1"))
    assert "has no function 'simulate' (it defines no function)" in str(refused(bench, "simulate <- 5"))
    assert "has no function 'go'" in str(refused(bench, "simulate <- function() 1", function="go"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("quit(status = 4)", "the model called quit(), status 4"),
        (".Internal(quit('no', 4, FALSE))", "R ended with exit status 4"),
        ("tools::pskill(Sys.getpid(), 9); Sys.sleep(60)", "R was ended by SIGKILL"),
        ("invokeRestart('abort')", "R gave up"),
        ("f <- function() f()\nf()", "infinite recursion"),
        ("f <- function(n) if (n > 500) stop('deep') else f(n + 1)\nf(1)", "deep"),
    ],
)
def test_whatever_ends_r_while_it_loads_is_told(bench: Bench, source: str, said: str) -> None:
    assert said in str(refused(bench, source))


def test_a_file_in_another_encoding_is_refused_where_that_matters(bench: Bench) -> None:
    (bench.folder / "model.R").write_bytes("# für\nsimulate <- function() 1".encode("latin-1"))
    with bench.model().start() as simulate:
        assert perform(simulate, 1, 1)[0].metrics == {"value": 1.0}
    (bench.folder / "model.R").write_bytes("x <- 1\nsimulate <- function() nchar('für')".encode("latin-1"))
    with pytest.raises(ModelError, match="line 2 is not UTF-8"):
        bench.model().describe()


def test_there_may_be_no_such_file(bench: Bench) -> None:
    with pytest.raises(ModelError, match=r"there is no file 'model\.R'"):
        bench.model().describe()


def test_without_r_it_is_said_how_to_get_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert "R was not found: install it" in str(refused(bench, "simulate <- function() 1"))


def test_a_model_may_call_itself_what_it_likes(bench: Bench) -> None:
    bench.write("rate <- 3\n", "code/helpers.R")
    bench.write("\ufeffsource('code/helpers.R')\nsimulate <- function() rate\r\n")
    assert bench.one((bench.folder / "model.R").read_text("utf-8")).metrics == {"value": 3.0}


def test_a_script_that_runs_itself_as_a_program_does_not_run_here(bench: Bench) -> None:
    outcome = bench.one("simulate <- function() 1\nif (sys.nframe() == 0L || interactive()) quit(status = 9)")
    assert outcome.metrics == {"value": 1.0}


def test_resident_memory_is_known_here() -> None:
    assert THIS_SYSTEM.resident_bytes(os.getpid()) > 1 << 20


def test_r_is_started_once_for_each_worker(tmp_path: Path) -> None:
    """The one that says what the model takes is the first that simulates."""
    (tmp_path / "model.R").write_text("simulate <- function(rate = 1) rexp(1, rate)")
    (tmp_path / "bin").mkdir()
    counting = tmp_path / "bin" / "R"
    counting.write_text(f'#!/bin/sh\necho started >> "{tmp_path}/starts"\nexec "{shutil.which("R")}" "$@"\n')
    counting.chmod(0o755)
    command = [sys.executable, "-m", "replicast", "run", "model.R", "-n", "10", "--workers", "2", "--seed", "1"]
    environment = os.environ | {"PATH": f"{counting.parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert (tmp_path / "starts").read_text().split() == ["started"] * 2


def test_the_r_that_described_a_model_goes_on_where_the_same_would_be_loaded(bench: Bench) -> None:
    described = bench.model("simulate <- function() rnorm(1)")
    with bench.model().start() as simulate:
        expected = [one.metrics for one in perform(simulate, 1, 3)]
    assert described.describe_and_keep().parameters == ()
    (kept,) = bench.scratch.iterdir()
    same = bench.model()
    described.hand_over(same)
    with same.start() as simulate:
        assert list(bench.scratch.iterdir()) == [kept]
        assert [one.metrics for one in perform(simulate, 1, 3)] == expected
    assert list(bench.scratch.iterdir()) == []


def test_the_r_that_described_a_model_ends_where_something_else_is_asked_for(bench: Bench) -> None:
    described = bench.model("simulate <- function() 1")
    described.describe_and_keep()
    described.hand_over(bench.model(kind="own"))
    assert list(bench.scratch.iterdir()) == []


def test_an_r_that_died_since_it_described_the_model_is_replaced(bench: Bench) -> None:
    model = bench.model("simulate <- function() 1")
    model.describe_and_keep()
    (child,) = (pid for pid in descendants([os.getpid()]) if "REPLICAST_R" in THIS_SYSTEM.environment(pid))
    THIS_SYSTEM.kill(child)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    with model.start() as simulate:
        (outcome,) = perform(simulate, 1, 1)
        assert outcome.failure is None
