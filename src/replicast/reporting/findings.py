"""All that a report is made of, read from the store once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from replicast.conducting.rules import judge_run, select_run
from replicast.conducting.stretches import Stretch, stretches_of
from replicast.core.choosing import Selection
from replicast.core.comparison import Family
from replicast.core.planning import count
from replicast.core.ports import Store
from replicast.core.record import RunRecord
from replicast.core.stopping import Judgement
from replicast.performing.second_look import SecondLook, second_looks

from .comparing import Comparison, RunValues, compare_run, values_of_run
from .rows import failures_frame
from .summary import Summary, summarise_run
from .tables import RunTables
from .unify import plain

MOST_WARNINGS = 20


@dataclass(slots=True)
class Work:
    """What the replications took: `seconds` inside the model, and by how many workers of which machines."""

    replications: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    workers: int = 0
    machines: tuple[str, ...] = ()
    warned: int = 0
    warnings: dict[str, tuple[int, str, int]] = field(default_factory=dict)
    """First line of a warning → how many replications kept it, and the first of them: its scenario and number."""


@dataclass(slots=True)
class Findings:
    record: RunRecord
    tables: RunTables
    summary: Summary
    values: RunValues
    comparison: Comparison | None
    judgements: Mapping[str, Judgement]
    failures: Sequence[Mapping[str, str]]
    done: int
    planned: int
    failed: int
    confidence: float
    work: Work
    stretches: Sequence[Stretch]
    looks: Sequence[SecondLook]
    selection: Selection | None = None

    @property
    def level(self) -> str:
        return f"{100 * self.confidence:.6g} %"

    @property
    def scenarios(self) -> list[str]:
        return [scenario.name for scenario in self.record.experiment.scenarios]


def find(
    store: Store, record: RunRecord, *, baseline: str | None = None, confidence: float = 0.95, family: Family = "all"
) -> Findings:
    """Raises RequestError for a baseline or a confidence that is none."""
    coverage, values = store.coverage(record.id), values_of_run(store, record)
    names = [scenario.name for scenario in record.experiment.scenarios]
    comparison = None
    if len(names) > 1 or baseline is not None:
        comparison = compare_run(store, record, baseline=baseline, confidence=confidence, values=values, family=family)
    return Findings(
        record=record,
        tables=RunTables(store, record),
        summary=summarise_run(store, record, confidence=confidence),
        values=values,
        comparison=comparison,
        judgements=judge_run(store, record) if record.options.precision else {},
        failures=failures_frame(store, record).to_dicts(),
        done=sum(count(coverage.done(name)) for name in names),
        planned=sum(record.planned_for(name) for name in names),
        failed=sum(len(coverage.failed(name)) for name in names),
        confidence=confidence,
        work=work_of(store, record),
        stretches=stretches_of(store, record.id),
        looks=second_looks(store, record.id),
        selection=select_run(store, record) if record.options.select else None,
    )


def work_of(store: Store, record: RunRecord) -> Work:
    work, workers = Work(), set[str]()
    for scenario in (s.name for s in record.experiment.scenarios):
        for chunk in store.ledger(record.id, scenario):
            frame = plain(pl.DataFrame(chunk))
            work.replications += len(frame)
            work.seconds += float(frame["seconds"].sum())
            work.longest = max(work.longest, float(frame["seconds"].max() or 0.0))  # type: ignore[arg-type]
            workers.update(frame["worker"].unique().drop_nulls())
            _take_warnings(work, frame.filter(pl.col("warning_count") > 0))
    workers.discard("")
    work.workers = len(workers)
    work.machines = tuple(sorted({worker.rpartition("/")[0] or worker for worker in workers}))
    return work


def _take_warnings(work: Work, warned: pl.DataFrame) -> None:
    work.warned += len(warned)
    for scenario, replication, texts in warned.select("scenario", "replication", "warnings").iter_rows():
        for first in dict.fromkeys(text for text in str(texts).split("\n") if text.strip()):
            times, where, number = work.warnings.get(first, (0, scenario, replication))
            if times or len(work.warnings) < MOST_WARNINGS * 10:
                work.warnings[first] = times + 1, where, number
