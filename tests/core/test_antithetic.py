"""Antithetic pairs: which stream a replication runs on, and what a pair's mean is worth."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

from replicast.core.antithetic import check_pairs, mark, stream_of
from replicast.core.errors import RequestError
from replicast.core.lecuyer import random_seed, random_seed_block
from replicast.core.pairs import Pairs
from replicast.core.streams import StreamGenerator, generators, stream_seeds

PAIRS = 40_000


def generator(number: int) -> StreamGenerator:
    return next(generators(7, number, number, antithetic=True)[0])  # type: ignore[return-value]


def test_replications_2i_and_2i_less_1_share_a_stream_which_is_the_one_of_2i_less_1() -> None:
    assert [stream_of(i, True) for i in range(1, 7)] == [1, 1, 3, 3, 5, 5]
    plain = [rng.random(3).tolist() for rng in generators(7, 1, 6)[0]]
    paired = [rng.random(3).tolist() for rng in generators(7, 1, 6, antithetic=True)[0]]
    assert paired == [plain[i] for i in (0, 0, 2, 2, 4, 4)]
    assert stream_seeds(7, 2, 5, antithetic=True) == [stream_seeds(7, 1, 6)[i] for i in (0, 2, 2, 4)]


def test_a_part_of_the_replications_has_the_streams_that_it_has_in_the_whole() -> None:
    whole = [rng.uniforms(2).tolist() for rng in generators(7, 1, 9, antithetic=True)[0]]  # type: ignore[attr-defined]
    for first, last in ((2, 2), (2, 5), (3, 9), (4, 4)):
        part = [rng.uniforms(2).tolist() for rng in generators(7, first, last, antithetic=True)[0]]  # type: ignore[attr-defined]
        assert part == whole[first - 1 : last]


def test_rs_streams_are_paired_alike() -> None:
    block = random_seed_block(42, "future", 2, 7, 1, False, True)
    alone = [random_seed(42, "future", i, 1, False, True) for i in range(2, 8)]
    assert [tuple(row) for row in block.tolist()] == alone
    assert alone[0] == random_seed(42, "future", 1, 1, False)


def test_mirrored_uniforms_are_one_less_the_others_to_the_last_bit_and_never_0_or_1() -> None:
    first, second = generator(5).uniforms(100_000), generator(6).uniforms(100_000)
    assert (first + second == 1.0).all()
    assert min(first.min(), second.min()) > 0.0
    assert max(first.max(), second.max()) < 1.0


def test_a_uniform_of_zero_has_a_mirror_below_one() -> None:
    class Zero(StreamGenerator):
        def random(self, *_: object) -> np.ndarray:  # type: ignore[override,type-arg]
            return np.zeros(1)

    rng = Zero(np.random.PCG64(1))
    assert rng.uniforms(1)[0] == 2.0**-53
    rng.__dict__["_mirrored"] = True
    assert rng.uniforms(1)[0] == 1.0 - 2.0**-53 < 1.0


@pytest.mark.parametrize("part", ["stream", "spawn", "pickle"])
def test_what_is_derived_of_a_mirrored_generator_is_mirrored(part: str) -> None:
    def derived(number: int) -> StreamGenerator:
        rng = generator(number)
        made = {"stream": lambda: rng.stream("a"), "spawn": lambda: rng.spawn(1)[0],
                "pickle": lambda: pickle.loads(pickle.dumps(rng))}  # fmt: skip
        return made[part]()  # type: ignore[no-any-return]

    assert (derived(5).uniforms(9) + derived(6).uniforms(9) == 1.0).all()


def test_all_other_draws_are_those_of_the_stream() -> None:
    assert generator(6).normal() == generator(5).normal() == next(generators(7, 5, 5)[0]).normal()


def test_a_scalar_and_a_shape() -> None:
    assert isinstance(generator(5).uniforms(), float)
    assert generator(5).uniforms((2, 3)).shape == (2, 3)


def test_an_exponential_of_a_uniform_varies_as_theory_says_and_its_pairs_60_times_less() -> None:
    """var e^U = (e² - 1)/2 - (e - 1)² = .2420; of a pair's mean (var + cov)/2 = .00391 (Ross 2013, example 9d)."""
    values = np.array([math.exp(rng.uniforms()) for rng in generators(1, 1, 2 * PAIRS, antithetic=True)[0]])  # type: ignore[attr-defined]
    assert np.var(values, ddof=1) == pytest.approx(0.2420, rel=0.02)
    assert np.var(Pairs.of(values).means, ddof=1) == pytest.approx(0.00391, rel=0.02)
    assert Pairs.of(values).means.mean() == pytest.approx(math.e - 1.0, abs=4 * math.sqrt(0.00391 / PAIRS))


def test_a_pair_with_a_half_that_is_missing_has_no_mean() -> None:
    pairs = Pairs.of(np.array([1.0, 3.0, 2.0, np.nan, np.inf, 1.0, 5.0]))
    assert pairs.means[0] == 2.0
    assert np.isnan(pairs.means[1:]).all()
    assert len(pairs.means) == 4


def test_halves_that_are_always_equal_are_seen() -> None:
    assert Pairs.of(np.array([1.0, 1.0, 2.0, 2.0])).are_equal
    assert not Pairs.of(np.array([1.0, 1.0, 1.0, 1.0])).are_equal
    assert Pairs.of(np.array([1.0, 2.0, 2.0, 1.0, 4.0, -1.0])).correlation == pytest.approx(-1.0)


def test_an_odd_number_is_refused_by_name() -> None:
    assert check_pairs(11, False) == 11
    with pytest.raises(RequestError, match="-n 11 is odd: take 12"):
        check_pairs(11, True)


def test_equal_results_of_both_halves_are_no_copies_and_no_draws_stay_none() -> None:
    assert mark(5, 1, True) == 5 != mark(5, 2, True)
    assert mark(0, 2, True) == 0
    assert mark(5, 2, False) == 5
