"""Enumerates faults of a store over every request of a short run, and prints what became of each run.

    python tools/torture.py [--kills 1000] [--kills-elsewhere 200] [--pool-kills 60] [--changes 1000] [--errors 200]
                            [--stores folder,sqlite,postgresql,mysql,s3]

For each store, a run is ended by SIGKILL before and after its request k; of a run in a pool the process that conducts
it, a worker or both are, before and after that one's request k; the object of request k is dropped, cut,
flipped or swapped; request k fails with each error that a store can give. Replications are pure, so that the oracle is
free: after `resume` every collated byte is that of the undisturbed run, or a message names what is wrong; whatever else
happens is `silent`. Exit status 1 where anything was.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import pkgutil
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

import torture_pool

from replicast.asking.continuing import ready_elsewhere
from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.cli import main
from replicast.conducting.mending import set_aside_damage
from replicast.conducting.presence import refuse_company
from replicast.core.errors import ReplicastError
from replicast.core.progress import ignore_progress
from replicast.core.record import NAME, RunRecord
from replicast.places import open_place
from replicast.stores import open_store
from replicast.stores.records import read_record
from replicast.testing.faults import CHANGES, ERRORS, KILLS, Faults, struck

MODEL = """
def simulate(replication, rng, shift=0.0):
    if replication == 5:
        raise ValueError("five")
    x = shift + float(rng.random())
    patients = [{"los": x / (k + 1), "ward": "ab"[k % 2]} for k in range(replication % 3)]
    return {"x": x, "n": replication, "patients": patients}
"""
RUN, LONGEST_SECONDS = "tortured", 120
POOL_KILLS = "kills in a pool"
WAYS = {"kills": KILLS, POOL_KILLS: torture_pool.WAYS, "changes": CHANGES, "errors": ERRORS}
NewUrl = Callable[[], str]


@dataclass
class Ended:
    """What a process of a trial came to; `status` is None of one that was killed, and `said` what it printed."""

    status: int | None
    said: str = ""
    digest: str = ""
    asked: list[str] = field(default_factory=list)
    struck: bool = True


def draw_up(folder: Path) -> tuple[RunRecord, dict[str, bytes]]:
    """The record of a small run, and the files of its source."""
    (folder / "project").mkdir(parents=True)
    (folder / "project" / "model.py").write_text(MODEL, encoding="utf-8")
    request = Request(model=str(folder / "project" / "model.py"), replications=6, seed=1, name=RUN,
                      scenarios={"base": {}, "shifted": {"shift": 1.5}})  # fmt: skip
    with Preparation(request, on="serial", store_url=str(folder / "drawn")) as preparation:
        preparation.create()
        return preparation.record, {f"model/{n}": (preparation.source.folder / n).read_bytes()
                                    for n in preparation.source.files}  # fmt: skip


def in_child(deed: Callable[[], Ended], folder: Path) -> Ended:
    """Forked, so that a SIGKILL ends it alone and each has a store of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ended.json").unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _answer(deed, folder)
    signal.alarm(0)
    until = time.monotonic() + LONGEST_SECONDS
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return Ended(-1, f"went on for more than {LONGEST_SECONDS} seconds")
        time.sleep(0.002)
    try:
        return Ended(**json.loads((folder / "ended.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Ended(None)


def _answer(deed: Callable[[], Ended], folder: Path) -> None:
    """In the child: what the deed came to is written, and nothing of the parent is touched."""
    os.setsid()
    tempfile.tempdir = str(folder)
    with (
        (folder / "printed").open("w", encoding="utf-8") as printed,
        redirect_stdout(printed),
        redirect_stderr(printed),
    ):
        try:
            ended = deed()
        except ReplicastError as error:
            ended = Ended(error.exit_code, str(error))
        except BaseException as error:
            import traceback

            ended = Ended(-1, traceback.format_exc() or repr(error))
    (folder / "ended.new").write_text(json.dumps(vars(ended)), encoding="utf-8")
    (folder / "ended.new").rename(folder / "ended.json")
    os._exit(0)


class Trial:
    """A run in a store of its own, begun, disturbed, carried on and collated, by one process each."""

    def __init__(self, url: str, folder: Path, record: RunRecord, source: dict[str, bytes]) -> None:
        self.url, self.folder, self.record, self.source = url, folder, record, source

    def begin(self, faults: Faults | None = None) -> Ended:
        return in_child(lambda: self._begun(faults or Faults()), self.folder)

    def begin_in_pool(self, way: str, at: int) -> Ended:
        """`way` says who dies at its request `at`; of a worker's death the conductor knows nothing before."""
        faults = Faults(f"killed {way.rpartition(' ')[2]}", at) if way.startswith("conductor") else Faults()
        worker_at = 0 if way.startswith("conductor") else at
        with torture_pool.workers_struck(way, worker_at, self.folder):
            ended = in_child(lambda: self._begun(faults, "local"), self.folder)
        ended.struck = ended.struck or torture_pool.was_struck(self.folder)
        return ended

    def _begun(self, faults: Faults, place: str = "serial") -> Ended:
        """As `run` goes: the source, the record, the replications."""
        with struck(faults):
            try:
                self._carry_out(place)
            except ReplicastError as error:
                return Ended(error.exit_code, str(error), asked=faults.asked, struck=faults.struck)
        return Ended(0, asked=faults.asked, struck=faults.struck)

    def _carry_out(self, place: str) -> None:
        store = open_store(self.url)
        for name, content in self.source.items():
            store.write(RUN, name, content)
        store.write(RUN, NAME, self.record.to_json(), new=True)
        open_place(place).conduct(self.record, store, ignore_progress)

    def resume(self) -> Ended:
        return in_child(self._resumed, self.folder)

    def _resumed(self) -> Ended:
        """As `resume` goes: a run that is not there is begun anew."""
        store = open_store(self.url)
        if store.read(RUN, NAME) is None:
            return self._begun(Faults())
        record = read_record(store, RUN)
        refuse_company(store, RUN)
        record = ready_elsewhere(record, store, accept=False)
        found = set_aside_damage(store, RUN)
        open_place("serial").conduct(record, store, ignore_progress)
        return Ended(0, "\n".join(map(str, found)))

    def collate(self) -> Ended:
        return in_child(self._collated, self.folder)

    def _collated(self) -> Ended:
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        status = main(["collate", RUN, "-o", str(self.folder / "out"), "--store", self.url])
        sys.stderr.flush()
        said = (self.folder / "printed").read_text(encoding="utf-8")
        files = sorted((self.folder / "out").glob("*.csv")) if status == 0 else []
        text = "".join(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n" for file in files)
        return Ended(status, said, hashlib.sha256(text.encode()).hexdigest())


SAYS_SO = ("replications that were planned are not", "of 6", "resume", "missing", "damaged")


def judged(wanted: str, begun: Ended, seen: Ended | None, resumed: Ended, collated: Ended) -> tuple[str, str]:
    """`equal`, `named` or `silent`, and what there is to say."""
    for ended in (begun, seen, resumed, collated):
        if ended is not None and (ended.status == -1 or "Traceback" in ended.said):
            return "silent", ended.said
        if ended is not None and ended.status not in (None, 0) and len(ended.said) < 10:
            return "silent", f"status {ended.status} and no message"
    if seen is not None and seen.status == 0 and seen.digest != wanted and not any(w in seen.said for w in SAYS_SO):
        return "silent", f"collated otherwise without a word: {seen.said}"
    if resumed.status != 0:
        return "named", resumed.said
    if collated.status != 0:
        return "named", collated.said
    return ("equal", "") if collated.digest == wanted else ("silent", f"resumed and differs: {collated.said}")


def try_once(
    trial: Trial, wanted: str, way: str, at: int, disturb: Callable[[], None] | None = None
) -> tuple[str, str]:
    begun = trial.begin_in_pool(way, at) if way in torture_pool.WAYS else trial.begin(Faults(way, at))
    if begun.status is not None and not begun.struck and at:
        return "not reached", ""
    if disturb is not None:
        disturb()
    seen = trial.collate() if begun.status == 0 else None
    return judged(wanted, begun, seen, trial.resume(), trial.collate())


def points(requests: int, ways: tuple[str, ...], count: int) -> Iterator[tuple[str, int]]:
    """Every request in every way, spread evenly where there are more than `count`, and again where fewer."""
    everything = [(way, at) for at in range(1, requests + 1) for way in ways]
    for number in range(count):
        yield everything[number * len(everything) // count if len(everything) > count else number % len(everything)]


def import_everything() -> None:
    """Once, before forking; Polars starts its threads when it is first asked for something, and not before."""
    for package in ("cli", "reporting", "stores", "models", "places", "executors"):
        for found in pkgutil.iter_modules(importlib.import_module(f"replicast.{package}").__path__):
            if not found.name.startswith("aws"):
                importlib.import_module(f"replicast.{package}.{found.name}")
    for name in ("polars", "psutil", "sqlalchemy", "rich.table", "psycopg", "pymysql"):
        importlib.import_module(name)


class Torture:
    def __init__(self, folder: Path, name: str, new_url: NewUrl) -> None:
        self.folder, self.name, self.new_url, self.tried = folder, name, new_url, 0
        self.rows: list[tuple[str, str, Counter[str]]] = []
        self.told: list[str] = []
        shutil.rmtree(folder, ignore_errors=True)
        self.template = in_child_template(folder)
        undisturbed = self.trial()
        begun = undisturbed.begin()
        self.requests, self.wanted = len(begun.asked), undisturbed.collate().digest
        assert begun.status == 0, begun.said
        in_pool = self.trial()
        begun = in_pool.begin_in_pool("worker killed before", 0)
        assert begun.status == 0, begun.said
        self.pool_requests = min(len(begun.asked), torture_pool.most_requests(in_pool.folder))
        assert in_pool.collate().digest == self.wanted, begun.said

    def trial(self) -> Trial:
        self.tried += 1
        return Trial(self.new_url(), self.folder / f"trial-{self.tried}", *self.template)

    def enumerate(self, what: str, count: int) -> None:
        found = Counter[str]()
        requests = self.pool_requests if what == POOL_KILLS else self.requests
        for way, at in points(requests, WAYS[what], count):
            trial = self.trial()
            if what == "changes" and "://" in trial.url and not trial.url.startswith("s3"):
                from torture_rows import RowDamage

                verdict = try_once(trial, self.wanted, "", 0, RowDamage(trial.url, RUN, way, at))
            else:
                verdict = try_once(trial, self.wanted, way, at)
            self.note(found, f"{self.name} {way} at {at}", *verdict)
            shutil.rmtree(trial.folder, ignore_errors=True)
        self.rows.append((self.name, what, found))

    def note(self, found: Counter[str], where: str, verdict: str, why: str) -> None:
        found[verdict] += 1
        if verdict != "equal":
            self.told.append(f"{verdict}: {where}: {why.strip()}")
        if verdict == "silent":
            print(self.told[-1], file=sys.stderr, flush=True)


def in_child_template(folder: Path) -> tuple[RunRecord, dict[str, bytes]]:
    """Drawn up by a process of its own: this one must have used no store when it forks."""

    def drawn() -> Ended:
        record, source = draw_up(folder)
        return Ended(0, record.to_json().decode(), json.dumps({n: c.decode() for n, c in source.items()}))

    ended = in_child(drawn, folder)
    assert ended.status == 0, ended.said
    return RunRecord.from_json(ended.said.encode(), NAME), {n: t.encode() for n, t in json.loads(ended.digest).items()}


def table(rows: list[tuple[str, str, Counter[str]]]) -> str:
    lines = [
        "| store | what | tried | equal after `resume` | named and refused | silent |",
        "|---|---|---|---|---|---|",
    ]
    for name, what, found in rows:
        tried = sum(found.values()) - found["not reached"]
        lines.append(f"| {name} | {what} | {tried:,} | {found['equal']:,} | {found['named']:,} | {found['silent']:,} |")
    return "\n".join(lines)


@contextmanager
def stores(folder: Path, names: list[str]) -> Iterator[dict[str, NewUrl]]:
    from torture_stores import opened

    with opened(folder, names) as found:
        yield found


def torture(arguments: Any) -> int:
    import_everything()
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    rows, told = [], []
    try:
        with stores(folder, arguments.stores.split(",")) as found:
            for name, new_url in found.items():
                one = Torture(folder / name, name, new_url)
                one.enumerate("kills", arguments.kills if name == "folder" else arguments.kills_elsewhere)
                one.enumerate(POOL_KILLS, arguments.pool_kills)
                one.enumerate("changes", arguments.changes)
                one.enumerate("errors", arguments.errors)
                rows += one.rows
                told += one.told
                print(table(one.rows), file=sys.stderr, flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if arguments.told:
        Path(arguments.told).write_text("\n".join(told), encoding="utf-8")
    print(table(rows))
    return int(any(found["silent"] for _, _, found in rows))


def parsed() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, count in {
        "kills": 1000,
        "kills-elsewhere": 200,
        "pool-kills": 60,
        "changes": 1000,
        "errors": 200,
    }.items():
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--stores", default="folder,sqlite,postgresql,mysql,s3")
    parser.add_argument("--told", help="a file for what was said of each run that was refused or silent")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(torture(parsed()))
