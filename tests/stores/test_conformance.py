"""Every store passes the public suite; the databases are real ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from replicast.core.ports import Store
from replicast.core.replication import Outcome
from replicast.stores import open_store
from replicast.testing import STORE_CHECKS, check_store
from replicast.testing.stored import new_run, outcome
from replicast.testing.stores import Check, saving_again_changes_nothing

KINDS = ("folder", "sqlite", "postgresql", "mysql")


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
def test_store_conforms(check: Check, kind: str, new_url: Callable[[str], str]) -> None:
    check_store(lambda: open_store(new_url(kind)), [check])


class ForgetfulStore:
    """A store that adds what it is given again, and loses what comes second."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._saved = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def save(self, run: str, outcomes: list[Outcome]) -> None:
        self._saved += 1
        again = [Outcome("base", 100 + self._saved, 0.1, {"value": 1.0})]
        self._store.save(run, outcomes if self._saved == 1 else again)


def test_a_store_that_counts_twice_is_found_out(new_url: Callable[[str], str]) -> None:
    broken = ForgetfulStore(open_store(new_url("folder")))
    with pytest.raises(AssertionError, match="a run after a batch was saved twice"):
        check_store(lambda: broken, [saving_again_changes_nothing])  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("kind", KINDS[1:])
def test_a_reader_never_sees_half_a_batch(kind: str, new_url: Callable[[str], str]) -> None:
    url, run = new_url(kind), new_run()
    store, reader = open_store(url), open_store(url)
    for first in range(1, 200, 10):
        store.save(run, [outcome(i) for i in range(first, first + 10)])
        done = [end for _, end in reader.coverage(run).ok("base")]
        assert done == [first + 9]
        assert sum(chunk.num_rows for chunk in reader.rows(run, "metrics", "base")) == first + 9
