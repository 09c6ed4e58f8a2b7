"""Requests to a bucket, several at a time, in their order."""

from __future__ import annotations

import threading
from itertools import islice

import pytest

from replicast.stores.several import in_order


class Reads:
    """Remembers what was asked for, and how many were under way or not yet taken at once."""

    def __init__(self) -> None:
        self.asked, self.taken, self.most, self._lock = list[int](), 0, 0, threading.Lock()

    def __call__(self, number: int) -> int:
        with self._lock:
            self.asked.append(number)
            self.most = max(self.most, len(self.asked) - self.taken)
        if number == 70:
            raise ValueError("70 is gone")
        return number * number


@pytest.mark.parametrize("at_once", [1, 2, 32])
def test_results_come_in_the_order_of_what_was_asked_and_no_more_than_so_many_wait(at_once: int) -> None:
    reads, found = Reads(), list[int]()
    for result in in_order(reads, range(60), at_once):
        found.append(result)
        reads.taken += 1
    assert found == [n * n for n in range(60)]
    assert sorted(reads.asked) == list(range(60))
    assert reads.most <= at_once + 1


def test_whoever_takes_the_first_has_asked_for_one_and_for_few_who_takes_a_few() -> None:
    reads = Reads()
    assert list(islice(in_order(reads, range(1000), 32), 1)) == [0]
    assert reads.asked == [0]
    assert list(islice(in_order(reads, range(1000), 32), 3)) == [0, 1, 4]
    assert len(reads.asked) <= 1 + 8


def test_of_large_results_only_so_many_wait_as_there_is_room_for() -> None:
    for megabytes, most in ((100, 1), (40, 3), (1, 32)):
        reads = Reads()
        for _ in in_order(reads, range(60), 32, lambda _result, size=megabytes << 20: size):  # type: ignore[misc]
            reads.taken += 1
        assert reads.most <= most + 1, megabytes
        assert sorted(reads.asked) == list(range(60))


def test_an_error_comes_at_its_turn_and_not_before() -> None:
    found = list[int]()
    with pytest.raises(ValueError, match="70 is gone"):
        for result in in_order(Reads(), range(60, 200), 32):
            found.append(result)
    assert found == [n * n for n in range(60, 70)]
