"""Replication i of an R model draws what the same model draws by hand on the same stream."""

import hashlib
import json
from pathlib import Path

import pytest
from r_bench import Bench, columns, perform

from replicast.core.lecuyer import nth_stream, nth_substream, random_seed, seed_state
from replicast.core.replication import Outcome
from replicast.core.streams import model_seed

pytestmark = pytest.mark.r

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "rng_reference.json").read_text())
DRAW = """
    simulate <- function() list(t = data.frame(
      uniform = runif(3), normal = rnorm(3), exponential = rexp(3), whole = sample(1000L, 3)))
    RNGkind("Knuth-TAOCP"); set.seed(5)
"""
STATE = "simulate <- function() list(t = data.frame(state = .Random.seed))"


def states(outcomes: list[Outcome]) -> list[tuple[int, ...]]:
    return [tuple(columns(o.tables["t"])["state"]) for o in outcomes]


def test_the_first_draws_are_those_of_the_reference(bench: Bench) -> None:
    """The vectors were drawn one kind after the other, each from the beginning of its stream."""
    source = """
        simulate <- function(what) switch(what,
          uniform = c(a = runif(1), b = runif(1), c = runif(1)), normal = setNames(rnorm(3), c("a", "b", "c")),
          whole = setNames(sample(1000L, 3), c("a", "b", "c")))"""
    with bench.started(source) as simulate:
        for number in (1, 2, 3):
            expected = REFERENCE["seed_42"][f"stream_{number}"]
            for what, key in (("uniform", "runif"), ("normal", "rnorm"), ("whole", "sample1000")):
                (outcome,) = perform(simulate, number, number, {"what": what})
                assert list(outcome.metrics.values()) == [float(v) for v in expected[key]], (number, what)


@pytest.mark.parametrize("kind", ["parallel", "future", "doRNG"])
@pytest.mark.parametrize("seed", [42, 0, -1, 2147483647, -2147483647])
def test_each_kind_begins_where_its_table_says(bench: Bench, kind: str, seed: int) -> None:
    outcomes = bench.run(STATE, 3, kind=kind, seed=seed)
    assert states(outcomes) == [random_seed(seed, kind, i, 0, True) for i in (1, 2, 3)]  # type: ignore[arg-type]


def test_a_replication_draws_the_same_whatever_came_before_it(bench: Bench) -> None:
    with bench.started(DRAW) as simulate:
        whole = perform(simulate, 1, 200)
        assert [columns(o.tables["t"]) for o in perform(simulate, 150, 151)] == [
            columns(o.tables["t"]) for o in whole[149:151]
        ]
    assert len({o.draws for o in whole}) == 200


def test_scenarios_share_numbers_or_are_parted(bench: Bench) -> None:
    with bench.started(STATE) as simulate:
        assert states(perform(simulate, 2, 3, index=0)) == states(perform(simulate, 2, 3, index=4))
    with bench.started(STATE, common=False) as simulate:
        assert states(perform(simulate, 2, 3, index=0)) == [random_seed(42, "parallel", i, 0, True) for i in (2, 3)]
        parted = states(perform(simulate, 2, 3, index=4))
        assert parted == [random_seed(42, "parallel", i, 4, False) for i in (2, 3)]


def test_a_model_that_seeds_itself_has_the_usual_generator(bench: Bench) -> None:
    source = """
        simulate <- function(replication) {
          set.seed(replication)
          c(kind = RNGkind()[1] == "Mersenne-Twister", x = runif(1))
        }"""
    outcomes = bench.run(source, 3, kind="own")
    assert [o.metrics["kind"] for o in outcomes] == [1.0, 1.0, 1.0]
    assert outcomes[0].metrics["x"] == pytest.approx(0.2655086631421, abs=1e-12)
    assert len({o.draws for o in outcomes}) == 3


def test_with_its_own_streams_a_model_finds_the_generator_as_its_file_left_it(bench: Bench) -> None:
    source = (
        "RNGkind('Marsaglia'); set.seed(9)\nsimulate <- function() { x <- runif(1); RNGkind('Wich'); set.seed(1); x }"
    )
    outcomes = bench.run(source, 4, kind="own")
    assert len({o.metrics["value"] for o in outcomes}) == 1
    unseeded = bench.run("simulate <- function() exists('.Random.seed') + 0 * runif(1)", 3, kind="own")
    assert [o.metrics["value"] for o in unseeded] == [0, 0, 0]


def test_a_model_that_seeds_itself_with_a_constant_is_given_away_by_its_draws(bench: Bench) -> None:
    outcomes = bench.run("simulate <- function(replication) { set.seed(1); runif(1); replication }", 3)
    assert len({o.draws for o in outcomes}) == 1 and outcomes[0].draws > 0


def test_a_model_that_draws_nothing_says_so(bench: Bench) -> None:
    assert {o.draws for o in bench.run("simulate <- function() 1", 3)} == {0}
    assert all(0 < o.draws < 2**63 for o in bench.run("simulate <- function() { runif(1); 1 }", 3))


def test_a_failure_tells_its_draws_too(bench: Bench) -> None:
    outcome = bench.one("simulate <- function() { runif(1); stop('x') }")
    assert outcome.draws == bench.one("simulate <- function() runif(1)").draws


def test_a_seed_argument_is_the_replications_own(bench: Bench) -> None:
    outcomes = bench.run("simulate <- function(seed) seed", 300)
    assert [o.metrics["value"] for o in outcomes] == [model_seed(42, i) % 2**31 for i in range(1, 301)]
    assert type(outcomes[0].metrics["value"]) is int
    (negative,) = bench.run("simulate <- function(seed) seed", 1, seed=-7)
    assert negative.metrics["value"] == model_seed(-7, 1) % 2**31
    with bench.started("simulate <- function(seed) seed", common=False) as simulate:
        (parted,) = perform(simulate, 5, 5, index=2)
        assert parted.metrics["value"] == model_seed(42, 5, 2, False) % 2**31


def test_a_model_that_uses_its_seed_elsewhere_is_not_taken_for_a_copy(bench: Bench) -> None:
    assert len({o.draws for o in bench.run("simulate <- function(seed) 1", 5)}) == 5


def test_a_named_stream_is_a_sub_stream_numbered_by_its_name(bench: Bench) -> None:
    source = """
        simulate <- function() {
          service <- replicast_stream("service")
          list(s = data.frame(state = service(.Random.seed)), first = service(runif(1)), main = runif(1))
        }"""
    outcomes = bench.run(source, 2)
    number = 2**20 + (int.from_bytes(hashlib.sha256(b"service").digest()[:4]) >> 2)
    for i, outcome in enumerate(outcomes, 1):
        assert outcome.failure is None, outcome.failure
        start = nth_substream(nth_stream(seed_state(42), i), number)
        found = outcome.tables["s"].column("state").to_pylist()
        assert [value % 2**32 for value in found[1:]] == list(start)
    plain = bench.run("simulate <- function() runif(1)", 2)
    assert [o.metrics["main"] for o in outcomes] == [o.metrics["value"] for o in plain]


def test_two_names_of_one_stream_are_refused(bench: Bench) -> None:
    """s13456 and s28031 have the first 30 bits of their SHA-256 in common."""
    numbers = {int.from_bytes(hashlib.sha256(name).digest()[:4]) >> 2 for name in (b"s13456", b"s28031")}
    assert len(numbers) == 1
    drawn = 'replicast_stream("s13456")(runif(1)) + replicast_stream("s28031")(runif(1))'
    (outcome,) = bench.run(f"simulate <- function() {drawn}", 1)
    assert outcome.failure is not None
    assert "streams 's28031' and 's13456' would be the same: rename one" in outcome.failure.message


def test_a_source_that_is_added_changes_no_draw_of_the_others_in_r(bench: Bench) -> None:
    one = 'simulate <- function() { a <- replicast_stream("a"); c(x = a(rexp(1)), y = a(rexp(1))) }'
    two = """
        b <- replicast_stream("b")
        simulate <- function() {
          z <- b(rnorm(1))
          x <- replicast_stream("a")(rexp(1))
          runif(3)
          c(x = x, y = replicast_stream("a")(rexp(1)), z = z)
        }"""
    before, after = bench.run(one, 3), bench.run(two, 3)
    assert [[o.metrics[k] for k in "xy"] for o in before] == [[o.metrics[k] for k in "xy"] for o in after]
    assert len({o.metrics["z"] for o in after}) == 3
    assert len({o.draws for o in before} - {0}) == 3


def test_a_model_that_seeds_itself_has_no_named_streams(bench: Bench) -> None:
    (outcome,) = bench.run('simulate <- function() replicast_stream("a")(runif(1))', 1, kind="own")
    assert outcome.failure is not None
    assert "this one seeds itself" in outcome.failure.message
