"""Requests to a bucket, several at a time: each waits for the network most of its while."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(read: Callable[[T], R], wanted: Iterable[T], at_once: int) -> Iterator[R]:
    """As `map`, with calls ahead of whoever takes the results: none for the first, then twice as many each time, up to
    `at_once`. Whoever takes only the first few has asked for few, and no more than `at_once` results are held."""
    if at_once < 2:
        yield from map(read, wanted)
        return
    left, ahead, width = iter(wanted), deque[Future[R]](), 1
    with ThreadPoolExecutor(at_once) as readers:
        try:
            while True:
                ahead.extend(readers.submit(read, one) for one in islice(left, width - len(ahead)))
                if not ahead:
                    return
                yield ahead.popleft().result()
                width = min(2 * width, at_once)
        finally:
            for future in ahead:
                future.cancel()
