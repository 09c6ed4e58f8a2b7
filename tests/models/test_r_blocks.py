"""Quick R models, whose outcomes come as columns: each is what it would be alone, whatever its neighbours do."""

import math

import msgspec
import pytest
from r_bench import Bench, perform

from replicast.core.replication import Outcome

RETURNED = {
    "number": "runif(1)",
    "numbers": "c(a = runif(1), b = 2)",
    "list": "list(a = runif(1), n = 3L, ok = TRUE)",
    "integers": "c(n = sample.int(9L, 1), m = NA)",
    "missing": "list(a = if (runif(1) < .3) NA_real_ else NaN, n = if (runif(1) < .3) NA_integer_ else 2L)",
    "nothing drawn": "c(a = 1, b = 2)",
}


def told(outcomes: list[Outcome]) -> list[str]:
    """All that an outcome says, but for its time."""
    return [repr(msgspec.structs.replace(outcome, seconds=0.0)) for outcome in outcomes]


@pytest.mark.parametrize("returned", RETURNED.values(), ids=RETURNED)
def test_an_outcome_is_the_same_in_a_block_and_alone(bench: Bench, returned: str) -> None:
    with bench.started(f"simulate <- function() {returned}") as simulate:
        together = perform(simulate, 1, 60)
        alone = [outcome for i in range(1, 61) for outcome in perform(simulate, i, i)]
    assert told(together) == told(alone)
    assert not any(outcome.failure for outcome in together)


EVENTS = {
    "failing": "stop('no')",
    "warning": "warning('careful')",
    "printing": "cat('hello\\n')",
    "printing by a child": "system('echo hello')",
    "changing an option": "options(digits = 3)",
    "leaving the folder": "setwd(tempdir())",
    "another generator": "RNGkind('Mersenne-Twister')",
    "a seed": "set.seed(1)",
    "a sink": "sink(tempfile())",
    "a device": "pdf(NULL)",
    "a variable": "Sys.setenv(HELD = 'yes')",
    "a global": "held <<- 2",
    "no generator": "rm('.Random.seed', envir = globalenv()); return(c(a = 1, b = 2))",
    "another shape": "return(c(b = 1, a = 2, z = 3))",
    "another kind": "return(c(a = 1L, b = 2L))",
    "a class": "return(structure(c(a = 1, b = 2), class = 'difftime', units = 'mins'))",
    "a matrix": "return(matrix(1:4, 2))",
    "a table": "return(data.frame(a = 1:3))",
    "a list": "return(list(a = 1, b = 2))",
    "a date in a list": "return(list(a = Sys.Date(), b = 2))",
    "nothing": "return(NULL)",
    "an attribute": "return(structure(c(a = 1, b = 2), note = 'odd'))",
}
STATE = """
held <- 1
seen <- function() {
  nchar(paste(format(pi), basename(getwd()), RNGkind()[1], sink.number(), dev.cur(), held, Sys.getenv("HELD")))
}
"""


@pytest.mark.long
@pytest.mark.parametrize("body", EVENTS.values(), ids=EVENTS)
def test_what_one_of_a_block_does_is_its_own(bench: Bench, body: str) -> None:
    usual = "c(a = runif(1), b = seen() + rnorm(1))"
    guilty = f"{STATE} simulate <- function(replication) {{ if (replication %in% c(7, 9, 100)) {{ {body} }}; {usual} }}"
    innocent = f"{STATE} simulate <- function(replication) {usual}"
    found = bench.run(guilty, 120)
    plain = bench.run(innocent, 120)
    assert [outcome.replication for outcome in found] == list(range(1, 121))
    spared = [place for place in range(120) if place + 1 not in (7, 9, 100)]
    assert told([found[i] for i in spared]) == told([plain[i] for i in spared])
    with bench.started(guilty) as simulate:
        alone = [perform(simulate, i, i)[0] for i in (7, 9, 100)]
    assert told([found[i - 1] for i in (7, 9, 100)]) == told(alone)


def test_of_a_block_the_one_that_quits_or_dies_is_lost_alone(bench: Bench) -> None:
    body = "if (replication == 40) quit(status = 3); if (replication == 77) tools::pskill(Sys.getpid(), 9); runif(1)"
    found = bench.run(f"simulate <- function(replication) {{ {body} }}", 120)
    plain = bench.run("simulate <- function(replication) runif(1)", 120)
    assert [outcome.replication for outcome in found if outcome.failure] == [40, 77]
    assert [o.metrics for o in found if not o.failure] == [o.metrics for o in plain if o.replication not in (40, 77)]


def test_a_result_that_is_changed_in_place_later_stays_what_it_was(bench: Bench) -> None:
    source = """
    library(data.table)
    attach(list2env(list(held = data.table(x = 0))), name = "tools:held")
    simulate <- function() { set(held, 1L, "x", runif(1)); held$x }
    """
    changed = bench.run(source, 100)
    plain = bench.run("simulate <- function() runif(1)", 100)
    assert [outcome.metrics for outcome in changed] == [outcome.metrics for outcome in plain]


def test_a_slow_one_of_a_block_has_its_own_seconds(bench: Bench) -> None:
    outcomes = bench.run("simulate <- function(replication) { if (replication == 50) Sys.sleep(0.2); 1 }", 100)
    assert outcomes[49].seconds >= 0.2
    assert all(outcome.seconds >= 0 for outcome in outcomes)
    assert math.fsum(outcome.seconds for outcome in outcomes) - outcomes[49].seconds < outcomes[49].seconds


def test_a_model_that_seeds_itself_tells_each_replications_draws(bench: Bench) -> None:
    body = "if (replication > 30) set.seed(replication); if (replication > 40) runif(1) else 1"
    outcomes = bench.run(f"simulate <- function(replication) {{ {body} }}", 60, kind="own")
    assert {outcome.draws for outcome in outcomes[:30]} == {0}
    assert len({outcome.draws for outcome in outcomes[30:]}) == 30
