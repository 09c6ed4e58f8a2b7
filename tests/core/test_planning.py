"""What is missing, and how it is cut: every replication is asked for exactly once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from replicast.core.planning import BatchQueue, Range, count, cut, gaps, merge, missing, without
from replicast.core.replication import Batch

WANTED = 60
spans = st.tuples(st.integers(1, 80), st.integers(0, 25)).map(lambda pair: (pair[0], pair[0] + pair[1]))
span_lists = st.lists(spans, max_size=12)
scenario_names = st.sampled_from(["base", "more beds", "a=b", "ü"])
batches = st.builds(lambda name, span: Batch(name, *span), scenario_names, spans)


def numbers(ranges: Iterable[Range]) -> set[int]:
    return {i for first, last in ranges for i in range(first, last + 1)}


def keys(pieces: Iterable[Batch]) -> Counter[tuple[str, int]]:
    return Counter((piece.scenario, i) for piece in pieces for i in range(piece.first, piece.last + 1))


def is_tidy(ranges: list[Range]) -> bool:
    """Ordered, none empty, none touching the next."""
    apart = all(last + 1 < following for (_, last), (following, _) in pairwise(ranges))
    return apart and all(first <= last for first, last in ranges)


@given(span_lists)
def test_merged_ranges_hold_the_same_replications(ranges: list[Range]) -> None:
    merged = merge(ranges)
    assert numbers(merged) == numbers(ranges)
    assert is_tidy(merged)
    assert count(merged) == len(numbers(ranges))


@given(st.integers(0, 100), span_lists)
def test_gaps_are_what_is_wanted_less_what_is_done(wanted: int, done: list[Range]) -> None:
    found = gaps(wanted, done)
    assert numbers(found) == set(range(1, wanted + 1)) - numbers(done)
    assert is_tidy(found)


def test_gaps_of_nothing_done_is_everything_and_of_everything_done_nothing() -> None:
    assert gaps(10, []) == [(1, 10)]
    assert gaps(10, [(1, 4), (5, 12)]) == []
    assert gaps(0, []) == []


def test_what_lies_beyond_the_wanted_number_is_no_gap() -> None:
    assert gaps(5, [(7, 9)]) == [(1, 5)]
    assert gaps(5, [(2, 3), (100, 2_000_000_000)]) == [(1, 1), (4, 5)]


@given(span_lists, st.sets(st.integers(-3, 120), max_size=30))
def test_ranges_without_some_replications_hold_all_the_others(ranges: list[Range], gone: set[int]) -> None:
    ordered = merge(ranges)
    left = without(ordered, gone)
    assert numbers(left) == numbers(ranges) - gone
    assert count(left) == len(numbers(left))
    assert left == sorted(left)


def test_ranges_that_touch_stay_apart_without_what_is_between_them() -> None:
    assert without([(1, 3), (4, 6)], [4]) == [(1, 3), (5, 6)]
    assert without([(1, 3)], [1, 2, 3]) == []


@given(st.dictionaries(scenario_names, st.integers(0, 70), max_size=4), st.dictionaries(scenario_names, span_lists))
def test_missing_names_each_absent_replication_once(wanted: Mapping[str, int], done: Mapping[str, list[Range]]) -> None:
    absent = {(name, i) for name, n in wanted.items() for i in range(1, n + 1) if i not in numbers(done.get(name, ()))}
    assert keys(missing(wanted, done)) == Counter(absent)


@given(st.lists(batches, max_size=10), st.integers(-1, 40))
def test_cutting_conserves_every_replication(whole: list[Batch], size: int) -> None:
    pieces = cut(whole, size)
    assert keys(pieces) == keys(whole)
    assert all(1 <= len(piece) <= max(size, 1) for piece in pieces)


@settings(max_examples=100)
@given(st.lists(batches, max_size=8), st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=60))
def test_a_queue_gives_out_each_replication_once_also_when_some_come_back(
    whole: list[Batch], moves: list[tuple[int, bool]]
) -> None:
    queue, kept = BatchQueue(whole), []
    for size, comes_back in moves:
        piece = queue.take(size)
        if piece is None:
            break
        if comes_back and len(piece) > 1:
            kept.append(Batch(piece.scenario, piece.first, piece.first))
            queue.put_back(Batch(piece.scenario, piece.first + 1, piece.last))
        else:
            kept.append(piece)
        assert queue.left == sum(keys(whole).values()) - sum(map(len, kept))
    while (piece := queue.take(7)) is not None:
        kept.append(piece)
    assert keys(kept) == keys(whole)
    assert queue.left == 0
    assert queue.take(1) is None


def test_what_comes_back_is_given_out_before_the_rest_of_its_scenario() -> None:
    queue = BatchQueue([Batch("a", 1, 10), Batch("b", 1, 10)])
    assert queue.take(4) == Batch("a", 1, 4)
    queue.put_back(Batch("a", 3, 4))
    taken = [queue.take(10) for _ in range(3)]
    assert [piece for piece in taken if piece and piece.scenario == "a"] == [Batch("a", 3, 4), Batch("a", 5, 10)]


def test_what_comes_back_to_an_empty_queue_is_given_out() -> None:
    queue = BatchQueue([Batch("a", 1, 2)])
    assert queue.take(2) == Batch("a", 1, 2)
    assert queue.take(2) is None
    queue.put_back(Batch("a", 2, 2))
    assert (queue.take(2), queue.take(2)) == (Batch("a", 2, 2), None)


@settings(max_examples=50)
@given(st.integers(1, 6), st.integers(1, 40), st.integers(1, 10))
def test_all_scenarios_progress_together(scenarios: int, replications: int, size: int) -> None:
    """At no time is one scenario more than a piece ahead of another that has as much to do."""
    queue = BatchQueue([Batch(str(i), 1, replications) for i in range(scenarios)])
    given_out = dict.fromkeys(map(str, range(scenarios)), 0)
    while (piece := queue.take(size)) is not None:
        given_out[piece.scenario] += len(piece)
        assert max(given_out.values()) - min(given_out.values()) <= size
    assert set(given_out.values()) == {replications}


def test_a_short_scenario_does_not_wait_for_a_long_one() -> None:
    pieces = cut([Batch("long", 1, 1000), Batch("short", 1, 20)], 10)
    assert [piece.scenario for piece in pieces[:4]] == ["long", "short", "long", "short"]


def test_within_a_scenario_replications_come_in_order() -> None:
    pieces = cut([Batch("a", 1, 30), Batch("b", 1, 30)], 7)
    for name in "ab":
        firsts = [piece.first for piece in pieces if piece.scenario == name]
        assert firsts == sorted(firsts)


def test_a_queue_of_a_hundred_million_replications_holds_no_list_of_them() -> None:
    queue = BatchQueue([Batch("base", 1, 100_000_000)])
    assert queue.take(5) == Batch("base", 1, 5)
    assert queue.left == 99_999_995
