import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicast.core.lecuyer import (
    nth_stream,
    nth_substream,
    random_seed,
    random_seed_block,
    random_seeds,
    seed_state,
)

REFERENCE = json.loads((Path(__file__).parents[1] / "data" / "rng_reference.json").read_text())
SEEDS = {
    "seed_42": 42, "seed_1": 1, "seed_123456": 123456, "seed_neg1": -1, "seed_0": 0,
    "seed_2147483647": 2147483647, "seed_m2147483647": -2147483647,
}  # fmt: skip

states = st.integers(-(2**31), 2**31).map(seed_state)
jumps = st.integers(0, 2**62)

needs_r = pytest.mark.r


def skip_without(package: str) -> None:
    asked = f'quit(status = !requireNamespace("{package}", quietly = TRUE))'
    if subprocess.run(["Rscript", "-e", asked], check=False).returncode:
        pytest.skip(f"R's package {package} is not installed")


def integers_of_r(script: str) -> list[list[int]]:
    done = subprocess.run(["Rscript", "--vanilla", "-e", script], check=True, capture_output=True, text=True)
    return [[int(word) for word in line.split()] for line in done.stdout.splitlines()]


def vectors() -> list[tuple[int, int, int, list[int]]]:
    return [
        (seed, stream["k"], stream.get("sub", 0), stream["seed"])
        for name, seed in SEEDS.items()
        for stream in REFERENCE[name].values()
    ]


def test_every_reference_vector_is_met() -> None:
    assert len(vectors()) > 50
    for seed, stream, substream, expected in vectors():
        start = nth_substream(nth_stream(seed_state(seed), stream), substream)
        assert [value % 2**32 for value in expected[1:]] == list(start), (seed, stream, substream)


def test_the_kinds_are_what_the_old_code_drew_on() -> None:
    kinds = {
        "future": ["future_apply_TRUE_after_LEcuyer_set.seed_42", "furrr_seed_42"],
        "doRNG": ["doRNG_set.seed_42", "doRNG_options_42", "mirai_daemons_seed_42"],
    }
    for kind, names in kinds.items():
        for name in [*names, *(["future_apply_seed_42"] if kind == "future" else [])]:
            recorded = REFERENCE[name]["seeds"] if isinstance(REFERENCE[name], dict) else REFERENCE[name]
            ours = [list(seed or ()) for seed in random_seeds(42, kind, 1, len(recorded), 0, True)]  # type: ignore[arg-type]
            assert ours == recorded, name


def test_a_model_that_seeds_itself_is_given_no_stream() -> None:
    assert random_seed(42, "own", 3, 0, True) is None
    assert list(random_seeds(42, "own", 3, 4, 0, True)) == [None, None]


@given(states, jumps, jumps)
def test_two_jumps_are_one_long_jump(state: tuple[int, ...], a: int, b: int) -> None:
    assert nth_stream(nth_stream(state, a), b) == nth_stream(state, a + b)  # type: ignore[arg-type]
    assert nth_substream(nth_substream(state, a), b) == nth_substream(state, a + b)  # type: ignore[arg-type]


@given(states)
def test_a_stream_is_two_to_the_51_substreams(state: tuple[int, ...]) -> None:
    assert nth_stream(state, 1) == nth_substream(state, 2**51)  # type: ignore[arg-type]


@given(st.integers(), st.integers())
def test_a_seed_counts_by_its_lowest_32_bits(seed: int, wraps: int) -> None:
    assert seed_state(seed) == seed_state(seed + wraps * 2**32)


@given(
    st.integers(-(2**31), 2**31), st.sampled_from(["parallel", "future", "doRNG"]), st.integers(1, 10**7), st.booleans()
)
def test_walking_and_jumping_meet(seed: int, kind: str, first: int, common: bool) -> None:
    walked = list(random_seeds(seed, kind, first, first + 2, 3, common))  # type: ignore[arg-type]
    assert walked == [random_seed(seed, kind, first + i, 3, common) for i in range(3)]  # type: ignore[arg-type]


@given(st.integers(-(2**31), 2**31), st.integers(1, 10**6), st.integers(1, 300), st.integers(0, 3), st.booleans())
def test_a_block_of_seeds_is_the_seeds_one_by_one(seed: int, first: int, count: int, index: int, common: bool) -> None:
    last = first + count - 1
    for kind in ("parallel", "future", "doRNG"):
        block = random_seed_block(seed, kind, first, last, index, common)  # type: ignore[arg-type]
        one_by_one = list(random_seeds(seed, kind, first, last, index, common))  # type: ignore[arg-type]
        assert [tuple(row) for row in block.tolist()] == one_by_one


def test_scenarios_share_numbers_unless_they_are_parted() -> None:
    shared = random_seed(42, "parallel", 7, 0, True)
    assert random_seed(42, "parallel", 7, 2, True) == shared
    assert random_seed(42, "parallel", 7, 0, False) == shared
    assert random_seed(42, "parallel", 7, 2, False) not in (shared, random_seed(42, "parallel", 7, 1, False))


def test_a_negative_jump_is_refused() -> None:
    with pytest.raises(ValueError, match="-1 times"):
        nth_stream(seed_state(1), -1)


def signed(state: tuple[int, ...]) -> list[int]:
    """A state as R shows it in `.Random.seed`."""
    return [10407, *((value + 2**31) % 2**32 - 2**31 for value in state)]


@needs_r
def test_r_itself_agrees_for_many_seeds() -> None:
    seeds = [0, 1, -1, 42, 2147483647, -2147483647, *(7919 * i * (-1) ** i for i in range(60))]
    script = f"""
        RNGkind("L'Ecuyer-CMRG")
        for (seed in c({", ".join(map(str, seeds))})) {{
          set.seed(seed)
          state <- .Random.seed
          cat(state, "\\n")
          for (i in 1:3) {{
            state <- parallel::nextRNGStream(state)
            cat(state, "\\n")
          }}
          cat(parallel::nextRNGSubStream(parallel::nextRNGSubStream(state)), "\\n")
        }}"""
    ours = []
    for seed in seeds:
        ours += [list(random_seed(seed, "doRNG", i, 0, True) or ()) for i in (1, 2, 3, 4)]
        ours.append(signed(nth_substream(nth_stream(seed_state(seed), 3), 2)))
    assert integers_of_r(script) == ours


@needs_r
def test_r_itself_agrees_on_the_millionth_stream() -> None:
    script = """
        RNGkind("L'Ecuyer-CMRG"); set.seed(-2147483647)
        state <- .Random.seed
        for (i in seq_len(1e6)) state <- parallel::nextRNGStream(state)
        cat(state, "\\n")"""
    assert integers_of_r(script) == [list(random_seed(-2147483647, "parallel", 10**6, 0, True) or ())]


@needs_r
@pytest.mark.parametrize("seed", [42, 0, -1, -2147483647])
def test_future_apply_draws_on_the_same_streams(seed: int) -> None:
    skip_without("future.apply")
    script = f"""
        future::plan(future::sequential)
        state_of <- function(i) get(".Random.seed", globalenv())
        for (state in future.apply::future_lapply(1:5, state_of, future.seed = {seed}L)) cat(state, "\\n")"""
    assert integers_of_r(script) == [list(s or ()) for s in random_seeds(seed, "future", 1, 5, 0, True)]


@needs_r
@pytest.mark.parametrize("seed", [42, 0, -1, 2147483647])
def test_dorng_draws_on_the_same_streams(seed: int) -> None:
    skip_without("doRNG")
    script = f"""
        suppressPackageStartupMessages(library(doRNG))
        registerDoSEQ()
        RNGkind("L'Ecuyer-CMRG"); set.seed({seed}L)
        for (state in foreach(i = 1:5) %dorng% .Random.seed) cat(state, "\\n")"""
    assert integers_of_r(script) == [list(s or ()) for s in random_seeds(seed, "doRNG", 1, 5, 0, True)]


@pytest.mark.parametrize(("kind", "before", "sub"), [("parallel", 0, 0), ("future", 1, 1), ("doRNG", 1, 0)])
def test_separate_scenarios_are_two_to_the_40_streams_apart_and_never_on_sub_streams(
    kind: str, before: int, sub: int
) -> None:
    start = nth_substream(nth_stream(seed_state(42), 5 - before + 3 * 2**40), sub)
    found = random_seed(42, kind, 5, 3, common=False)  # type: ignore[arg-type]
    assert found is not None
    assert [value % 2**32 for value in found[1:]] == list(start)
    assert random_seed(42, kind, 5, 0, common=False) == random_seed(42, kind, 5, 0, common=True)  # type: ignore[arg-type]
