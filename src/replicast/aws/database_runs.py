"""Runs whose results lie in a database, while what the cloud conducts them with lies in the stack's bucket.

database        record, model, replications, metrics, tables, artefacts, summary
<run>/cloud/…       the conductor's notes, as cloud.py describes them
<run>/cloud/prepared/…   record and model, for whoever sees the bucket and not the database
<run>/cloud/seen/…       ledger and metrics at the end of the last execution, for the same
<run>/collated/…    the collated tables
<run>/systems/…     on what it was performed
<run>/cancel        the mark that functions look for while they compute, without a connection
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from replicast.conducting.cancelling import CANCEL
from replicast.conducting.systems import FOLDER as SYSTEMS
from replicast.core.errors import RequestError, StoreError
from replicast.core.planning import merge
from replicast.core.record import NAME, RunRecord
from replicast.machine.inside import inside
from replicast.performing.worker import consecutive
from replicast.stores.copying import outcomes_of, refuse_another
from replicast.stores.metric_rows import metric_source
from replicast.stores.mixed_names import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from arro3.core import Schema, Table

    from replicast.core.ports import Damage
    from replicast.core.replication import Outcome
    from replicast.stores.coverage import RunCoverage
    from replicast.stores.objects import ObjectStore
    from replicast.stores.sql import SqlStore

PREPARED, SEEN, COLLATED = "cloud/prepared", "cloud/seen", "collated"
IN_BUCKET = ("cloud/", f"{COLLATED}/", f"{SYSTEMS}/")


def in_bucket(name: str) -> bool:
    return name == CANCEL or f"{name}/".startswith(IN_BUCKET)


def is_prepared(name: str) -> bool:
    """Whether this document travels through the bucket to a database that its writer may not see."""
    return name in (NAME, "model") or name.startswith("model/")


class DatabaseRuns:
    """Fulfils `core.ports.Store` where the database can be reached: in the functions, and beside them."""

    def __init__(self, bucket: ObjectStore, database: SqlStore, label: str) -> None:
        self.bucket, self.database, self.label = bucket, database, label
        self.url = database.url
        """Workers save results alone, and those go to the database."""

    def runs(self) -> list[str]:
        return self.database.runs()

    def write_file(self, run: str, name: str, file: Path) -> None:
        """A collated table, which lies in the bucket."""
        assert in_bucket(name)
        self.bucket.write_file(run, name, file)

    def write(self, run: str, name: str, content: bytes, *, new: bool = False) -> bool:
        if in_bucket(name):
            return self.bucket.write(run, name, content, new=new)
        if not self.database.write(run, name, content, new=new):
            return False
        if is_prepared(name):
            self.bucket.write(run, f"{PREPARED}/{name}", content)
        return True

    def read(self, run: str, name: str) -> bytes | None:
        return self.bucket.read(run, name) if in_bucket(name) else self.database.read(run, name)

    def documents(self, run: str, prefix: str) -> list[str]:
        if prefix:
            return (self.bucket if in_bucket(prefix) else self.database).documents(run, prefix)
        return sorted(self.database.documents(run, "") + self.bucket.documents(run, COLLATED))

    def delete(self, run: str, name: str) -> None:
        if in_bucket(name):
            self.bucket.delete(run, name)
        else:
            self.database.delete(run, name)

    def remove(self, run: str) -> None:
        """The database last: while its record is there, the run can be removed again."""
        self.bucket.remove(run)
        self.database.remove(run)

    def save(self, run: str, outcomes: Sequence[Outcome]) -> None:
        self.database.save(run, outcomes)

    def reach(self) -> str:
        return self.database.reach()

    def keep_summary(self, run: str, make: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        self.database.keep_summary(run, make)

    def collated(self, run: str, folder: Path) -> None:
        return self.database.collated(run, folder)

    def coverage(self, run: str) -> RunCoverage:
        return self.database.coverage(run)

    def ledger(self, run: str, scenario: str) -> Iterator[Table]:
        return self.database.ledger(run, scenario)

    def tables(self, run: str) -> dict[str, list[Schema]]:
        return self.database.tables(run)

    def rows(self, run: str, table: str, scenario: str) -> Iterator[Table]:
        return self.database.rows(run, table, scenario)

    def damage(self, run: str) -> Iterator[Damage]:
        return self.database.damage(run)

    def set_aside(self, run: str, damage: Sequence[Damage]) -> None:
        self.database.set_aside(run, damage)

    def artefacts(self, run: str, scenario: str | None = None, replication: int | None = None) -> list[str]:
        return self.database.artefacts(run, scenario, replication)

    def take_in(self, run: str) -> None:
        """Puts into the database what was prepared in the bucket by someone who does not see the database.

        Raises RunChanged where the database has another experiment of that name.
        """
        record = self.bucket.read(run, f"{PREPARED}/{NAME}")
        if record is None:
            return
        refuse_another(self.database, run, record)
        for name in self.bucket.documents(run, PREPARED):
            own, content = name.removeprefix(f"{PREPARED}/"), self.bucket.read(run, name)
            if content is not None and content != self.database.read(run, own):
                self.database.write(run, own, content)

    def publish(self, run: str) -> None:
        """Puts record and model where `take_in` and those outside find them."""
        for name in (NAME, *self.database.documents(run, "model")):
            content = self.database.read(run, name)
            if content is not None:
                self.bucket.write(run, f"{PREPARED}/{name}", content)

    def show(self, record: RunRecord) -> None:
        """Puts ledger and metrics, as far as they are not there yet, where those outside see them.

        Where a table of one row is the metrics, that table.
        """
        lone = metric_source(self.database, record).table != METRICS
        seen, ours = f"{record.id}/{SEEN}", self.coverage(record.id)
        shown = self.bucket.coverage(seen)
        for scenario in (s.name for s in record.experiment.scenarios):
            there = _numbers(shown.ok(scenario)) | (set(shown.failed(scenario)) & set(ours.failed(scenario)))
            if there >= _numbers(ours.done(scenario)):
                continue
            for batch in outcomes_of(self.database, record.id, scenario, tables_too=lone):
                for group in consecutive([o for o in batch if o.replication not in there]):
                    self.bucket.save(seen, group)


def _numbers(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {number for first, last in merge(ranges) for number in range(first, last + 1)}


class OutsideRuns:
    """Fulfils `core.ports.Store` where the bucket can be reached and the database cannot.

    Runs are prepared in the bucket, and Plan takes them into the database. What is seen of results is the ledger, the
    metrics and the collated tables, as they were when the last execution ended.
    """

    def __init__(self, bucket: ObjectStore, label: str, why: str) -> None:
        self.bucket, self.label, self.why = bucket, label, why
        self.url = label

    def runs(self) -> list[str]:
        return self.bucket.runs_with(f"{PREPARED}/{NAME}")

    def write(self, run: str, name: str, content: bytes, *, new: bool = False) -> bool:
        return self.bucket.write(run, self._place(name), content, new=new)

    def read(self, run: str, name: str) -> bytes | None:
        return self.bucket.read(run, self._place(name))

    def documents(self, run: str, prefix: str) -> list[str]:
        return [name.removeprefix(f"{PREPARED}/") for name in self.bucket.documents(run, self._place(prefix))]

    def delete(self, run: str, name: str) -> None:
        self.bucket.delete(run, self._place(name))

    @staticmethod
    def _place(name: str) -> str:
        return f"{PREPARED}/{name}" if is_prepared(name) else name

    def remove(self, run: str) -> None:
        raise StoreError(f"run {run} is in the database, which cannot be reached from here: {self.why}")

    def save(self, run: str, _outcomes: Sequence[Outcome]) -> None:
        raise StoreError(f"results of run {run} go to the database, which cannot be reached from here: {self.why}")

    def coverage(self, run: str) -> RunCoverage:
        return self.bucket.coverage(f"{run}/{SEEN}")

    def ledger(self, run: str, scenario: str) -> Iterator[Table]:
        return self.bucket.ledger(f"{run}/{SEEN}", scenario)

    def tables(self, run: str) -> dict[str, list[Schema]]:
        return self.bucket.tables(f"{run}/{SEEN}")

    def rows(self, run: str, table: str, scenario: str) -> Iterator[Table]:
        return self.bucket.rows(f"{run}/{SEEN}", table, scenario)

    def reach(self) -> str:
        return f"its database cannot be reached ({self.why})"

    def keep_summary(self, _run: str, _make: Callable[[], Iterable[Mapping[str, Any]]]) -> None:
        """Collate, in the cloud, has put it into the database."""

    def damage(self, run: str) -> Iterator[Damage]:
        """Of what is seen from here."""
        return self.bucket.damage(f"{run}/{SEEN}")

    def set_aside(self, run: str, damage: Sequence[Damage]) -> None:
        self.bucket.set_aside(f"{run}/{SEEN}", damage)

    def artefacts(self, run: str, _scenario: str | None = None, _replication: int | None = None) -> list[str]:
        raise RequestError(f"artefacts of run {run} are in the database, which cannot be reached from here: {self.why}")

    def collated(self, run: str, folder: Path) -> dict[str, Path]:
        """Copies the tables that the cloud collated to `folder`; returns where each is."""
        names, found = self.bucket.documents(run, COLLATED), {}
        if not names:
            raise RequestError(f"run {run} is not collated yet, and its database cannot be reached: {self.why}")
        for name in names:
            target = inside(folder, name.removeprefix(f"{COLLATED}/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.bucket.read(run, name) or b"")
            found[target.stem] = target
        return found
