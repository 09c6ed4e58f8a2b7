"""What is asked of a run between its rounds, at home and in the cloud alike: how does it stand, and is it hopeless?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from replicast.core.planning import Range, merge, missing, without
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.replication import Batch

HOPELESS_AFTER = 10


class Rule(Protocol):
    """How many replications each scenario should have, judged by what is stored."""

    def wanted(self, store: Store, done: Mapping[str, list[Range]]) -> dict[str, int]: ...


@dataclass(frozen=True, slots=True)
class FixedRule:
    """Every scenario should have the same number of replications."""

    scenarios: tuple[str, ...]
    replications: int

    def wanted(self, _store: Store, _done: Mapping[str, list[Range]]) -> dict[str, int]:
        return dict.fromkeys(self.scenarios, self.replications)


def rule_of(record: RunRecord) -> Rule:
    """The rule that a run was started with."""
    if record.options.select:
        from .rules import select_rule

        return select_rule(record)
    if not record.options.precision:
        return FixedRule(tuple(s.name for s in record.experiment.scenarios), record.replications)
    from .rules import precise_rule  # imports numpy, which the first result does not wait for

    return precise_rule(record)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a run stands: `planned` by scenario, what is `missing` of it, and how many of those stored failed."""

    planned: Mapping[str, int]
    missing: tuple[Batch, ...]
    failed: int

    @property
    def left(self) -> int:
        return sum(map(len, self.missing))

    @property
    def done(self) -> int:
        return sum(self.planned.values()) - self.left


def ask(record: RunRecord, store: Store, rule: Rule, redo: Mapping[str, Iterable[int]] | None = None) -> Standing:
    """What is missing: planned keys minus stored keys. What is to be simulated once more (`redo`) counts as missing."""
    coverage = store.coverage(record.id)
    names = [scenario.name for scenario in record.experiment.scenarios]
    again = {name: frozenset((redo or {}).get(name, ())) for name in names}
    done = {name: merge(coverage.done(name)) for name in names}
    planned = rule.wanted(store, done)
    batches = missing(planned, {name: without(done[name], again[name]) for name in names})
    failed = sum(len(set(coverage.failed(name)) - again[name]) for name in names)
    return Standing(planned, tuple(batches), failed)


def hopeless(failed: int, done: int) -> bool:
    """All that was tried failed, and more than a few were: the rest would fail too."""
    return failed == done >= HOPELESS_AFTER
