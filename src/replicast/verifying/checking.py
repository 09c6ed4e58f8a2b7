"""Simulating replications again, and comparing: replay, verify, and the check of a model before its first run."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import polars as pl

from replicast.core.errors import RequestError
from replicast.core.planning import Range
from replicast.core.ports import JobState, Store, Work
from replicast.core.record import RunRecord
from replicast.core.replication import Batch
from replicast.executors.pool import Pool
from replicast.reporting.unify import plain
from replicast.stores.objects import ObjectStore

LEDGER_COLUMNS = (
    "state",
    "fingerprint",
    "error_kind",
    "error_type",
    "error",
    "traceback",
    "log",
    "seconds",
    "warnings",
    "warning_count",
)


@dataclass(slots=True)
class Stored:
    """One replication as a store holds it."""

    scenario: str
    replication: int
    ledger: dict[str, Any]
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return bool(self.ledger["state"] == "failed")

    def metrics(self) -> dict[str, Any]:
        """Metrics that it returned; empty for a failure."""
        rows = self.tables.get("metrics", pl.DataFrame()).to_dicts()
        return {k: v for k, v in rows[0].items() if k not in ("scenario", "replication")} if rows else {}


def read_replications(store: Store, run: str, scenario: str, numbers: Sequence[int]) -> dict[int, Stored]:
    """What is stored of some replications of a scenario; absent ones are left out."""
    wanted = pl.Series(sorted(numbers), dtype=pl.Int64).implode()
    found: dict[int, Stored] = {}
    for chunk in store.ledger(run, scenario):
        for row in plain(pl.DataFrame(chunk)).filter(pl.col("replication").is_in(wanted)).to_dicts():
            own = {name: row[name] for name in LEDGER_COLUMNS}
            found[row["replication"]] = Stored(scenario, row["replication"], own)
    for table in store.tables(run):
        for chunk in store.rows(run, table, scenario):
            rows = plain(pl.DataFrame(chunk)).filter(pl.col("replication").is_in(wanted))
            for (number,), part in rows.partition_by("replication", as_dict=True, maintain_order=True).items():
                own = found[int(number)].tables
                own[table] = pl.concat([own[table], part], how="diagonal_relaxed") if table in own else part
    return found


def differences(one: Stored, other: Stored) -> list[str]:
    """Where two results of the same replication differ; empty where they do not. Tables are compared bit for bit."""
    if one.failed or other.failed:
        return _failure_differences(one, other)
    found = []
    for name in dict.fromkeys([*one.tables, *other.tables]):
        mine, theirs = one.tables.get(name), other.tables.get(name)
        if mine is None or theirs is None:
            found.append(f"table '{name}' is in one result only")
        elif name == "metrics":
            found += _metric_differences(one.metrics(), other.metrics())
        else:
            found += _table_differences(name, mine, theirs)
    return found


def differences_by_fingerprint(one: Stored, other: Stored) -> list[str]:
    """As `differences`, where `one` is from a store that does not show a model's tables: their fingerprint speaks."""
    shown = {name: rows for name, rows in other.tables.items() if name in one.tables}
    found = differences(one, replace(other, tables=shown))
    if found or one.failed or one.ledger["fingerprint"] == other.ledger["fingerprint"]:
        return found
    return ["its tables differ, by their fingerprint: the stored ones cannot be seen from here"]


def _failure_differences(one: Stored, other: Stored) -> list[str]:
    texts = [
        f"failed with {s.ledger['error_type']}: {s.ledger['error']}" if s.failed else "succeeded" for s in (one, other)
    ]
    return [] if texts[0] == texts[1] else [f"{texts[0]}; {texts[1]}"]


def _metric_differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    names = dict.fromkeys([*one, *other])
    return [
        f"{name}: {one.get(name)!r}; {other.get(name)!r}"
        for name in names
        if not _same_metric(one.get(name), other.get(name))
    ]


def _same_metric(one: Any, other: Any) -> bool:
    """Bit for bit; by value where they are of two types, as one of both may have been stored in a column of doubles."""
    if type(one) is type(other) or one is None or other is None:
        return repr(one) == repr(other)
    if float in (type(one), type(other)):
        return float(one) == float(other)
    return bool(one == other)


def _table_differences(name: str, one: pl.DataFrame, other: pl.DataFrame) -> list[str]:
    if one.schema != other.schema:
        return [f"table '{name}': columns {dict(one.schema)}; {dict(other.schema)}"]
    if len(one) != len(other):
        return [f"table '{name}': {len(one)} rows; {len(other)} rows"]
    if repr(one.rows()) == repr(other.rows()):
        return []
    for i, (mine, theirs) in enumerate(zip(one.iter_rows(named=True), other.iter_rows(named=True), strict=True), 1):
        for column in mine:
            if repr(mine[column]) != repr(theirs[column]):
                return [f"table '{name}', row {i}, {column}: {mine[column]!r}; {theirs[column]!r}"]
    return []


@contextmanager
def scratch_store() -> Iterator[ObjectStore]:
    with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
        yield ObjectStore(folder)


Tick = Callable[[], None]
"""Called ten times a second or so, while something takes its time."""


def no_tick() -> None:
    """For those who do not mind how long it takes."""


def simulate_again(pool: Pool, record: RunRecord, batches: Sequence[Batch], store: Store, tick: Tick = no_tick) -> None:
    """Has batches performed into a store of their own. Raises KeyboardInterrupt when interrupted."""
    job = pool.start(Work.of(record, store), batches)
    try:
        while job.poll(0.1) is JobState.RUNNING:
            tick()
    except KeyboardInterrupt:
        job.cancel()
        raise


@dataclass(slots=True)
class Comparison:
    """A replication simulated again: `found` lists the differences to what is stored (None: it was not stored)."""

    scenario: str
    replication: int
    again: Stored
    found: list[str] | None


def compare_again(
    pool: Pool, record: RunRecord, store: Store, numbers: Mapping[str, Sequence[int]]
) -> Iterator[Comparison]:
    """Simulates replications again and compares each with its stored result."""
    batches = [Batch(scenario, number, number) for scenario, own in numbers.items() for number in own]
    compare = differences_by_fingerprint if store.reach() else differences
    with scratch_store() as again:
        simulate_again(pool, record, batches, again)
        for scenario, own in numbers.items():
            before = read_replications(store, record.id, scenario, own)
            after = read_replications(again, record.id, scenario, own)
            for number in own:
                found = compare(before[number], after[number]) if number in before else None
                yield Comparison(scenario, number, after[number], found)


def sample(record: RunRecord, done: Mapping[str, Sequence[Range]], size: int) -> dict[str, list[int]]:
    """At most `size` stored replications of each scenario, drawn at random."""
    if size < 1:
        raise RequestError(f"--sample takes 1 or more, and {size} is not")
    chosen = {}
    for scenario in record.experiment.scenarios:
        ranges = done.get(scenario.name, ())
        total = sum(last - first + 1 for first, last in ranges)
        places = sorted(random.sample(range(total), min(size, total)))
        chosen[scenario.name] = [_at(ranges, place) for place in places]
    return {name: own for name, own in chosen.items() if own}


def _at(ranges: Sequence[Range], place: int) -> int:
    for first, last in ranges:
        if place <= last - first:
            return first + place
        place -= last - first + 1
    raise IndexError(place)


@dataclass(slots=True)
class CheckReport:
    """What a model returned for replications 1 and 2, and what is wrong with it."""

    first: Stored
    second: Stored
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_model(preparation: Any, tick: Tick = no_tick) -> CheckReport:
    """Simulates two replications twice: in other processes, another folder, another time zone, the other order.

    The first is simulated with another seed, too, of which nothing is stored.

    `preparation` is a prepared request. Raises ModelError where the model does not load.
    """
    experiment = replace(preparation.experiment, scenarios=preparation.experiment.scenarios[:1])
    record = RunRecord("check", experiment, 2, "", options=preparation.options)
    name = experiment.scenarios[0].name
    reseeded = replace(record, experiment=replace(experiment, seed=experiment.seed + 1))
    with scratch_store() as one, scratch_store() as two, scratch_store() as three:
        preparation.pool.workers = 1
        simulate_again(preparation.pool, record, [Batch(name, 1, 2)], one, tick)
        with Pool(None, experiment, workers=1, environment={"TZ": "Pacific/Apia"}) as elsewhere:
            elsewhere.folder = elsewhere.scratch / "another folder"
            preparation.stage(elsewhere.folder)
            simulate_again(elsewhere, record, [Batch(name, 2, 2), Batch(name, 1, 1)], two, tick)
            simulate_again(elsewhere, reseeded, [Batch(name, 1, 1)], three, tick)
        before = read_replications(one, "check", name, [1, 2])
        after = read_replications(two, "check", name, [1, 2])
        other_seed = read_replications(three, "check", name, [1])[1]
    report = CheckReport(before[1], before[2], notes=list(preparation.signature.warnings))
    for number in (1, 2):
        for difference in differences(before[number], after[number]):
            report.problems.append(f"replication {number} is not the same again: {difference}")
    _judge_variation(report, experiment.streams.kind, other_seed)
    return report


def _judge_variation(report: CheckReport, streams: str, other_seed: Stored) -> None:
    one, two = report.first, report.second
    for stored in (one, two):
        if stored.failed:
            problem = (
                f"replication {stored.replication} failed: {stored.ledger['error_type']}: {stored.ledger['error']}"
            )
            report.problems.append(problem)
    if one.failed or two.failed:
        return
    if one.ledger["fingerprint"] == two.ledger["fingerprint"]:
        report.problems.append(
            "replications 1 and 2 are equal: the model seeds itself with a constant, or draws nothing at random"
        )
    elif not differences(one, other_seed):
        report.notes.append(
            "another seed gives the same result: the model draws from neither rng nor seed, so that runs with other "
            "seeds are no further evidence"
        )
    if list(one.tables) != list(two.tables) or list(one.metrics()) != list(two.metrics()):
        report.notes.append(
            "replications 1 and 2 returned different metrics or tables; what is absent counts as missing"
        )
    if streams == "own":
        report.notes.append(
            "the model seeds itself (streams own): that its replications are independent is its own affair"
        )
