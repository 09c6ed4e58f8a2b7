"""Rules of runs until precise and of those that select: how many replications each scenario should have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from arro3.core import DataType
from numpy.typing import NDArray

from replicast.core.arrow import fields_of
from replicast.core.choosing import FIRST, Goal, Selection, choose, parse_goal
from replicast.core.choosing import USUAL_MAXIMUM as SELECTION_MAXIMUM
from replicast.core.pairs import pair_means
from replicast.core.planning import Range, merge
from replicast.core.ports import Store
from replicast.core.precision import parse_precision
from replicast.core.record import RunRecord
from replicast.core.stopping import LEAST, USUAL_LOOK_AHEAD, Done, Judgement, UntilPrecise
from replicast.stores.metric_rows import MetricSource, metric_source
from replicast.stores.reading import doubles

USUAL_MAXIMUM = 1000


@dataclass(slots=True)
class PreciseRule:
    """Each scenario should have as many as its targets take; `judgements` are those of the last time it was asked."""

    record: RunRecord
    scenarios: tuple[str, ...]
    rule: UntilPrecise
    judgements: dict[str, Judgement] = field(default_factory=dict)

    def wanted(self, store: Store, done: Mapping[str, list[Range]]) -> dict[str, int]:
        source = metric_source(store, self.record)
        source.require(target.metric for target in self.rule.targets)
        for scenario in self.scenarios:
            prefix = done[scenario][0][1] if done[scenario] and done[scenario][0][0] == 1 else 0
            no_values = MetricValues({})
            found = metric_values(store, self.record.id, scenario, prefix, source) if prefix else no_values
            paired = self.record.experiment.streams.antithetic
            done_here = _in_pairs(prefix, found) if paired else Done(prefix, found.values, found.booleans)
            judgement = self.rule.judge(scenario, done_here)
            self.judgements[scenario] = _of_halves(judgement) if paired else judgement
        return {scenario: judgement.wanted for scenario, judgement in self.judgements.items()}


@dataclass(slots=True)
class SelectRule:
    """Scenarios that may be the best should have more; `selection` is that of the last time it was asked."""

    record: RunRecord
    goal: Goal
    first: int
    maximum: int
    selection: Selection | None = None

    def wanted(self, store: Store, done: Mapping[str, list[Range]]) -> dict[str, int]:
        source, so_far = metric_source(store, self.record), dict[str, Done]()
        source.require([self.goal.metric])
        for scenario in (s.name for s in self.record.experiment.scenarios):
            prefix = done[scenario][0][1] if done[scenario] and done[scenario][0][0] == 1 else 0
            found = metric_values(store, self.record.id, scenario, prefix, source) if prefix else MetricValues({})
            paired = self.record.experiment.streams.antithetic
            so_far[scenario] = _in_pairs(prefix, found) if paired else Done(prefix, found.values)
        self.selection = self._chosen(so_far)
        return dict(self.selection.wanted)

    def _chosen(self, so_far: Mapping[str, Done]) -> Selection:
        """Of antithetic pairs, the search counts pairs, and what it says counts replications."""
        if not self.record.experiment.streams.antithetic:
            return choose(so_far, self.goal, first=self.first, maximum=self.maximum)
        goal = self.goal if self.goal.budget is None else replace(self.goal, budget=self.goal.budget // 2)
        found = choose(so_far, goal, first=max(self.first // 2, FIRST), maximum=max(self.maximum // 2, FIRST))
        wanted, dropped = ({name: 2 * own for name, own in part.items()} for part in (found.wanted, found.dropped))
        return replace(found, wanted=wanted, dropped=dropped)


def _in_pairs(count: int, found: MetricValues) -> Done:
    """Whole pairs alone, each by its mean; the mean of two booleans is none."""
    return Done(count // 2, pair_means({name: own[: count // 2 * 2] for name, own in found.values.items()}))


def _of_halves(judgement: Judgement) -> Judgement:
    """A judgement of pairs in replications."""
    needed = None if judgement.needed is None else 2 * judgement.needed
    return Judgement(judgement.state, 2 * judgement.wanted, needed)


def select_rule(record: RunRecord) -> SelectRule:
    """The rule of a run that selects. Raises RequestError for a goal that cannot be asked for."""
    options = record.options
    goal = parse_goal(options.select or "", options.indifference, options.budget)
    first = max(record.replications, FIRST)
    return SelectRule(record, goal, first, max(options.maximum or SELECTION_MAXIMUM, first))


def select_run(store: Store, record: RunRecord) -> Selection:
    """How the search stands, by what is stored now."""
    rule, coverage = select_rule(record), store.coverage(record.id)
    rule.wanted(store, {s.name: merge(coverage.done(s.name)) for s in record.experiment.scenarios})
    assert rule.selection is not None  # it was asked just now
    return rule.selection


@dataclass(frozen=True, slots=True)
class MetricValues:
    """Each metric's values: an array of doubles, NaN where there is none. `booleans` are those of nothing else."""

    values: dict[str, NDArray[np.float64]]
    booleans: frozenset[str] = frozenset()


def metric_values(store: Store, run: str, scenario: str, count: int, source: MetricSource) -> MetricValues:
    """Each metric of replications 1..count: an array of `count` doubles."""
    values: dict[str, NDArray[np.float64]] = {}
    numeric: set[str] = set()
    for chunk in source.rows(store, run, scenario):
        numbers = doubles(chunk, "replication").astype(np.int64)
        inside = numbers <= count
        kinds = {field.name: field.type for field in fields_of(chunk.schema)}
        for name in chunk.column_names:
            if name not in ("scenario", "replication"):
                own = values.setdefault(name, np.full(count, np.nan))
                own[numbers[inside] - 1] = doubles(chunk, name)[inside]
                if inside.any() and not DataType.is_boolean(kinds[name]):
                    numeric.add(name)
    return MetricValues(values, frozenset(values.keys() - numeric))


def judge_run(store: Store, record: RunRecord) -> dict[str, Judgement]:
    """How each scenario stands to the precision that the run was asked for, by what is stored now."""
    rule, coverage = precise_rule(record), store.coverage(record.id)
    rule.wanted(store, {scenario: merge(coverage.done(scenario)) for scenario in rule.scenarios})
    return rule.judgements


def precise_rule(record: RunRecord) -> PreciseRule:
    """The rule of a run until precise. Raises RequestError for a precision that cannot be asked for."""
    maximum = max(record.options.maximum or USUAL_MAXIMUM, record.replications)
    targets = parse_precision(record.options.precision or "")
    look_ahead = USUAL_LOOK_AHEAD if record.options.look_ahead is None else record.options.look_ahead
    unit = 2 if record.experiment.streams.antithetic else 1
    minimum = max(record.replications // unit, LEAST)
    rule = UntilPrecise(targets, minimum=minimum, look_ahead=look_ahead, maximum=max(maximum // unit, LEAST))
    return PreciseRule(record, tuple(s.name for s in record.experiment.scenarios), rule)
