"""Which part answers for which replication, against a model that looks at every replication by itself."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from replicast.stores.coverage import Part, RunCoverage, ScenarioCoverage, Segment, cover

Saved = tuple[int, int, frozenset[int]]
"""First, last, and the failed ones, in order of commit."""


@st.composite
def saves(draw: st.DrawFn) -> list[Saved]:
    made = []
    for _ in range(draw(st.integers(0, 8))):
        first = draw(st.integers(1, 20))
        last = first + draw(st.integers(0, 9))
        made.append((first, last, draw(st.frozensets(st.integers(first, last)))))
    return made


def parts_of(saved: Sequence[Saved]) -> tuple[list[Part], dict[Part, list[int]]]:
    parts = [Part(first, last, f"{time:04d}", len(lost)) for time, (first, last, lost) in enumerate(saved)]
    return parts, {part: sorted(lost) for part, (_, _, lost) in zip(parts, saved, strict=True) if lost}


def answers(saved: Sequence[Saved]) -> dict[int, tuple[str, bool]]:
    """For each replication, by brute force: the token of the part that answers, and whether it failed."""
    found: dict[int, tuple[str, bool]] = {}
    for time, (first, last, lost) in enumerate(saved):
        for replication in range(first, last + 1):
            before, failed = found.get(replication), replication in lost
            if before is None or before[1]:
                found[replication] = (f"{time:04d}", failed)
    return found


def told(covered: ScenarioCoverage) -> dict[int, tuple[str, bool]]:
    failed = set(covered.failed)
    return {
        i: (segment.part.token, i in failed)
        for segment in covered.segments
        for i in range(segment.first, segment.last + 1)
    }


@settings(max_examples=400)
@given(saves(), st.randoms(use_true_random=False))
def test_of_overlapping_parts_each_replication_has_the_right_answer(saved: list[Saved], chance) -> None:  # type: ignore[no-untyped-def]
    parts, failures = parts_of(saved)
    chance.shuffle(parts)
    covered = cover(parts, failures)
    assert told(covered) == answers(saved)
    assert covered.failed == sorted(i for i, (_, failed) in answers(saved).items() if failed)


@settings(max_examples=200)
@given(saves())
def test_segments_stand_in_order_and_name_each_replication_once(saved: list[Saved]) -> None:
    parts, failures = parts_of(saved)
    segments = cover(parts, failures).segments
    numbers = [i for segment in segments for i in range(segment.first, segment.last + 1)]
    assert numbers == sorted(set(numbers))
    for segment in segments:
        assert segment.part.first <= segment.first <= segment.last <= segment.part.last


@settings(max_examples=200)
@given(saves())
def test_done_is_ok_and_failed_together(saved: list[Saved]) -> None:
    parts, failures = parts_of(saved)
    coverage = RunCoverage({"base": cover(parts, failures)})
    ok = {i for first, last in coverage.ok("base") for i in range(first, last + 1)}
    done = {i for first, last in coverage.done("base") for i in range(first, last + 1)}
    assert ok == {i for i, (_, failed) in answers(saved).items() if not failed}
    assert done == ok | set(coverage.failed("base"))
    assert not ok & set(coverage.failed("base"))
    assert coverage.count("base") == len(done)


def one(*saved: Saved) -> tuple[list[tuple[int, int, str]], list[int]]:
    covered = cover(*parts_of(saved))
    return [(s.first, s.last, s.part.token) for s in covered.segments], covered.failed


NONE: frozenset[int] = frozenset()


def test_of_several_successes_the_first_committed_counts() -> None:
    assert one((1, 5, NONE), (3, 8, NONE)) == ([(1, 5, "0000"), (6, 8, "0001")], [])
    assert one((3, 8, NONE), (1, 5, NONE)) == ([(1, 2, "0001"), (3, 8, "0000")], [])


def test_a_success_counts_before_a_failure_whichever_came_first() -> None:
    assert one((1, 3, frozenset({2})), (2, 2, NONE)) == ([(1, 1, "0000"), (2, 2, "0001"), (3, 3, "0000")], [])
    assert one((2, 2, NONE), (1, 3, frozenset({2}))) == ([(1, 1, "0001"), (2, 2, "0000"), (3, 3, "0001")], [])


def test_of_failures_the_last_counts() -> None:
    assert one((1, 1, frozenset({1})), (1, 1, frozenset({1}))) == ([(1, 1, "0001")], [1])


def test_parts_that_do_not_overlap_stand_as_they_are() -> None:
    parts, failures = parts_of([(6, 9, frozenset({7})), (1, 5, NONE)])
    covered = cover(parts, failures)
    assert covered.segments == [Segment(1, 5, parts[1]), Segment(6, 9, parts[0])]
    assert covered.failed == [7]


def test_a_scenario_of_which_nothing_is_stored_is_empty() -> None:
    coverage = RunCoverage()
    assert (coverage.done("x"), coverage.ok("x"), list(coverage.failed("x")), coverage.count("x")) == ([], [], [], 0)


def test_a_million_replications_in_large_parts_are_no_list() -> None:
    parts = [Part(1 + i * 10_000, (i + 1) * 10_000, f"{i:04d}", 0) for i in range(100)]
    assert RunCoverage({"base": cover(parts, {})}).done("base") == [(1, 1_000_000)]


def test_what_overlaps_costs_by_the_part_and_not_by_the_replication() -> None:
    """Three million replications, each stored several times; one of them failed everywhere, and one only at first."""
    parts = [Part(1 + i * 1000, i * 1000 + 3000, f"{i:011d}", 0) for i in range(1000)]
    again = Part(1, 3_000_000, "z", 2)
    first = Part(1, 10, "0", 2)
    covered = cover([*parts[1:], again, first], {again: [5, 2_999_999], first: [5, 6]})
    assert covered.done() == [(1, 3_000_000)]
    assert covered.failed == [5, 2_999_999]
    assert len(covered.segments) < 2100
