"""Streams are numpy's own, whatever the seed and the range, and a fingerprint says whether they were drawn from."""

from __future__ import annotations

import copy
import hashlib
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import PCG64, SeedSequence
from numpy.random.bit_generator import ISpawnableSeedSequence

from replicast.core.streams import (
    MASK_63,
    drawn,
    first_outputs,
    generators,
    model_seed,
    seed_sequence,
    spawn_key,
    stream_seeds,
    stream_states,
)

SEEDS = st.one_of(
    st.integers(0, 2**200),
    st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**64 - 1, 2**64, 2**96, 2**127, 2**128 - 1, 2**128, 2**160 + 1]),
)
FIRSTS = st.one_of(st.integers(1, 10**6), st.sampled_from([1, 2**31 - 1, 2**31, 2**32 - 6]))
ranges = st.tuples(FIRSTS, st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))
scenario_indices = st.one_of(st.integers(0, 500), st.sampled_from([2**32 - 1, 2**32, 2**70]))


def numpys(seed: int, replication: int, scenario: int = 0, common: bool = True) -> SeedSequence:
    """The sequence as DESIGN 7 writes it."""
    return SeedSequence(seed, spawn_key=(replication - 1,) if common else (scenario, replication - 1))


def rngs(seed: int, first: int, last: int, scenario: int = 0, common: bool = True) -> list[np.random.Generator]:
    return list(generators(seed, first, last, scenario, common)[0])


@settings(max_examples=80)
@given(SEEDS, ranges, scenario_indices, st.booleans())
def test_the_words_of_many_streams_at_once_are_those_of_each_seed_sequence(
    seed: int, span: tuple[int, int], scenario: int, common: bool
) -> None:
    first, last = span
    states = stream_states(seed, first, last, scenario, common)
    assert states.shape == (last - first + 1, 4)
    for row, replication in zip(states, range(first, last + 1), strict=True):
        expected = numpys(seed, replication, scenario, common).generate_state(4, np.uint64)
        assert row.tolist() == expected.tolist()


WORDS = st.one_of(st.integers(0, 2**64 - 1), st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**63, 2**64 - 1]))


class GivenWords(ISpawnableSeedSequence):
    def __init__(self, words: list[int]) -> None:
        self.words = words

    def generate_state(self, n_words, dtype=np.uint32):  # type: ignore[no-untyped-def]
        assert n_words == len(self.words)
        return np.array(self.words, dtype=dtype)

    def spawn(self, n_children):  # type: ignore[no-untyped-def]
        return [self] * n_children


@settings(max_examples=200)
@given(st.lists(st.lists(WORDS, min_size=4, max_size=4), min_size=1, max_size=5))
def test_the_first_outputs_of_many_generators_at_once_are_those_of_each(rows: list[list[int]]) -> None:
    expected = [PCG64(GivenWords(row)).random_raw() for row in rows]  # type: ignore[arg-type]
    assert first_outputs(np.array(rows, dtype=np.uint64)).tolist() == expected


@settings(max_examples=40)
@given(SEEDS, ranges, scenario_indices, st.booleans())
def test_generators_draw_what_default_rng_draws(seed: int, span: tuple[int, int], scenario: int, common: bool) -> None:
    made, seeds = generators(seed, *span, scenario, common)
    for rng, own_seed, replication in zip(made, seeds, range(span[0], span[1] + 1), strict=True):
        expected = np.random.default_rng(numpys(seed, replication, scenario, common))
        assert rng.random(5).tolist() == expected.random(5).tolist()
        assert rng.integers(0, 10, 3, dtype=np.uint32).tolist() == expected.integers(0, 10, 3, dtype=np.uint32).tolist()
        assert own_seed == int(numpys(seed, replication, scenario, common).generate_state(1, np.uint64)[0]) & MASK_63


@settings(max_examples=40)
@given(SEEDS, st.integers(1, 50))
def test_replication_i_is_the_ith_child_of_the_seed(seed: int, replications: int) -> None:
    children = SeedSequence(seed).spawn(replications)
    made = rngs(seed, 1, replications)
    assert [rng.random() for rng in made] == [np.random.default_rng(child).random() for child in children]


@settings(max_examples=40)
@given(SEEDS, ranges, scenario_indices, st.booleans())
def test_the_seed_of_a_replication_is_the_same_alone_and_among_others(
    seed: int, span: tuple[int, int], scenario: int, common: bool
) -> None:
    first, last = span
    alone = [model_seed(seed, replication, scenario, common) for replication in range(first, last + 1)]
    assert stream_seeds(seed, first, last, scenario, common) == alone
    assert generators(seed, first, last, scenario, common)[1] == alone
    assert all(0 <= own <= MASK_63 for own in alone)


@pytest.mark.parametrize("seed", [-1, -2147483647, -(2**40)])
def test_a_negative_seed_of_a_model_of_another_language_counts_modulo_two_to_the_32(seed: int) -> None:
    expected = SeedSequence(seed % 2**32, spawn_key=(6,)).generate_state(1, np.uint64)[0]
    assert model_seed(seed, 7) == int(expected) & MASK_63
    assert stream_seeds(seed, 7, 7) == [model_seed(seed, 7)]


def test_the_first_draws_of_seed_42_stay_what_they_are() -> None:
    """numpy: `default_rng(SeedSequence(42).spawn(3)[i]).random()`."""
    made, seeds = generators(42, 1, 3)
    assert [rng.random() for rng in made] == [0.9167441575549085, 0.4674907799518424, 0.07123920291270869]
    assert seeds == [6914975401685141156, 134183728835869882, 2378473973028931053]


def test_scenarios_share_their_streams_unless_they_are_parted() -> None:
    assert spawn_key(9, 4, common=True) == (8,)
    assert spawn_key(9, 4, common=False) == (4, 8)
    same = [rngs(5, 1, 3, scenario, common=True)[2].random() for scenario in (0, 1, 700)]
    parted = [rngs(5, 1, 3, scenario, common=False)[2].random() for scenario in (0, 1, 700)]
    assert len(set(same)) == 1
    assert len(set(parted)) == 3


def test_replications_beyond_what_32_bits_number_are_refused() -> None:
    assert stream_states(1, 2**32, 2**32).shape == (1, 4)
    with pytest.raises(ValueError, match=r"2\*\*32"):
        stream_states(1, 2**32, 2**32 + 1)


def test_how_a_batch_is_cut_changes_no_stream() -> None:
    whole = rngs(9, 1, 200)
    single = [rngs(9, i, i)[0] for i in range(1, 201)]
    assert [rng.random() for rng in whole] == [rng.random() for rng in single]


class TestChildren:
    """`rng.spawn` and its like, which go past the words that were computed beforehand."""

    @settings(max_examples=30)
    @given(SEEDS, ranges, st.integers(1, 4), st.booleans())
    def test_spawned_children_are_those_of_numpy(
        self, seed: int, span: tuple[int, int], count: int, common: bool
    ) -> None:
        for rng, replication in zip(rngs(seed, *span, 2, common), range(span[0], span[1] + 1), strict=True):
            expected = np.random.default_rng(numpys(seed, replication, 2, common))
            for _ in range(2):
                ours, theirs = rng.spawn(count), expected.spawn(count)
                assert [child.random() for child in ours] == [child.random() for child in theirs]
            assert rng.random() == expected.random()

    def test_the_seed_sequence_answers_whatever_is_asked_of_it(self) -> None:
        rng = rngs(3, 1, 8)[7]
        sequence, expected = rng.bit_generator.seed_seq, seed_sequence(3, 8)
        assert sequence.generate_state(9).tolist() == expected.generate_state(9).tolist()  # type: ignore[attr-defined]
        assert sequence.entropy == 3  # type: ignore[attr-defined]
        assert sequence.spawn_key == (7,)  # type: ignore[attr-defined]
        assert sequence.spawn(1)[0].spawn_key == (7, 0)  # type: ignore[attr-defined]

    @pytest.mark.parametrize("way", [copy.copy, copy.deepcopy, lambda rng: pickle.loads(pickle.dumps(rng))])
    def test_a_generator_can_be_copied_and_sent_to_another_process(self, way) -> None:  # type: ignore[no-untyped-def]
        rng, expected = rngs(11, 1, 4)[3], np.random.default_rng(seed_sequence(11, 4))
        rng.random()
        expected.random()
        assert way(rng).random() == expected.random()


class TestFingerprints:
    def test_a_generator_that_nobody_touched_has_none(self) -> None:
        for common in (True, False):
            assert [drawn(rng) for rng in rngs(2**130, 1, 500, 3, common)] == [0] * 500

    @pytest.mark.parametrize(
        "use",
        [
            lambda rng: rng.random(),
            lambda rng: rng.integers(2, dtype=np.uint32),
            lambda rng: rng.shuffle([1, 2, 3]),
            lambda rng: rng.spawn(1)[0].random(),
            lambda rng: rng.bit_generator.spawn(2),
            lambda rng: rng.bit_generator.seed_seq.spawn(1),
            lambda rng: copy.deepcopy(rng).random(),
        ],
    )
    def test_one_that_was_drawn_from_has_one_of_its_own(self, use) -> None:  # type: ignore[no-untyped-def]
        made = rngs(7, 1, 50)
        for rng in made:
            use(rng)
        marks = [drawn(rng) for rng in made]
        assert 0 not in marks
        assert len(set(marks)) == 50
        assert all(0 < mark <= MASK_63 for mark in marks)

    def test_equal_streams_drawn_equally_have_the_same(self) -> None:
        first, again = rngs(7, 1, 5), rngs(7, 5, 5)
        first[4].random(3)
        again[0].random(3)
        assert drawn(first[4]) == drawn(again[0]) != 0
        again[0].random()
        assert drawn(first[4]) != drawn(again[0])


def rng_of(replication, common=True, scenario=0, seed=7):
    return next(generators(seed, replication, replication, scenario, common)[0])


def test_a_named_stream_is_the_seed_sequence_of_the_replication_and_the_words_of_the_name():
    words = [int(w) for w in np.frombuffer(hashlib.sha256(b"arrivals").digest(), dtype=">u4")]
    expected = np.random.default_rng(np.random.SeedSequence(7, spawn_key=(4, *words)))
    assert rng_of(5).stream("arrivals").random(5).tolist() == expected.random(5).tolist()


def test_a_source_that_is_added_changes_no_draw_of_the_others():
    two, three = rng_of(3), rng_of(3)
    first = [two.stream("arrivals").random(), two.stream("service").exponential(), two.random()]
    second = [three.stream("breaks").random(), three.random(), three.stream("service").exponential()]
    second.append(three.stream("arrivals").random())
    assert first == [second[3], second[2], second[1]]


def test_a_named_stream_goes_on_where_it_was_and_has_streams_itself():
    rng = rng_of(1)
    assert rng.stream("a") is rng.stream("a")
    assert rng.stream("a").random() != rng.stream("a").random()
    assert rng.stream("a").stream("b").random() != rng.stream("b").stream("a").random()


def test_a_generator_with_named_streams_draws_as_numpys_own():
    ours, theirs = rng_of(2), np.random.default_rng(np.random.SeedSequence(7, spawn_key=(1,)))
    assert ours.normal(size=4).tolist() == theirs.normal(size=4).tolist()
    assert [c.random() for c in ours.spawn(2)] == [c.random() for c in theirs.spawn(2)]
    assert isinstance(ours, np.random.Generator)
    copied = copy.deepcopy(ours)
    assert copied.stream("x").random() == ours.stream("x").random()


def test_drawing_from_named_streams_alone_tells_replications_apart():
    marks = []
    for replication in (1, 2):
        rng = rng_of(replication)
        rng.stream("a").random()
        marks.append(drawn(rng))
    assert 0 not in marks
    assert marks[0] != marks[1]
    assert drawn(rng_of(1)) == 0


@pytest.mark.parametrize("name", ["", 3, None])
def test_a_stream_has_a_name(name):
    with pytest.raises(TypeError, match="a stream has a name"):
        rng_of(1).stream(name)
