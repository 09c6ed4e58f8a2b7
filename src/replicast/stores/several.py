"""Requests to a bucket, several at a time: each waits for the network most of its while."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")
R = TypeVar("R")


MOST_BYTES = 128 << 20
"""Of results that wait to be taken: a part may be a gigabyte, and whoever reads have two."""


def readers_of(count: int) -> ThreadPoolExecutor:
    """So many threads that wait for a bucket; a folder's readers do not wait for the import, which brings `logging`."""
    from concurrent.futures import ThreadPoolExecutor

    return ThreadPoolExecutor(count)


def in_order(
    read: Callable[[T], R], wanted: Iterable[T], at_once: int, size: Callable[[R], int] = lambda _result: 1
) -> Iterator[R]:
    """As `map`, with calls ahead of whoever takes the results: none for the first, then twice as many each time, up to
    `at_once`. Whoever takes only the first few has asked for few, and no more than `at_once` results are held, nor more
    than are MOST_BYTES if they are as large as the largest so far by its `size`."""
    if at_once < 2:
        yield from map(read, wanted)
        return
    ahead: deque[Future[R]] = deque()
    left, width, largest = iter(wanted), 1, 1
    with readers_of(at_once) as readers:
        try:
            while True:
                ahead.extend(readers.submit(read, one) for one in islice(left, max(0, width - len(ahead))))
                if not ahead:
                    return
                result = ahead.popleft().result()
                largest = max(largest, size(result))
                yield result
                width = max(1, min(2 * width, at_once, MOST_BYTES // largest))
        finally:
            for future in ahead:
                future.cancel()
