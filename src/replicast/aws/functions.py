"""The three functions of a stack, behind its state machine: plan, simulate, collate.

Each is a thin door into what also runs at home. They take and return small JSON and leave everything else in the store.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from replicast.conducting.systems import note_system
from replicast.core.errors import ModelError, ReplicastError, RequestError, StoreError
from replicast.core.ports import Store
from replicast.core.record import NAME, RunRecord
from replicast.core.replication import Batch
from replicast.stores import open_store
from replicast.stores.objects import ObjectStore
from replicast.stores.records import read_record

from .arrays import Queues
from .by_hand import order_of, record_by_hand, signature_from_dict
from .cloud import JOB, Answer, Cloud, Order, begun_folder
from .database_runs import COLLATED, DatabaseRuns
from .limits import Capacity
from .performing import Performer, processors
from .stack import stack_url

RUNS, DEPLOYED, SIGNATURE = "runs", "deployed", "signature.json"
QUEUES = ("REPLICAST_QUEUE", "REPLICAST_SPOT_QUEUE", "REPLICAST_JOB")
SHOWN_ROWS = 20


class Context(Protocol):
    """What Lambda says of an invocation."""

    memory_limit_in_mb: int | str
    log_stream_name: str

    def get_remaining_time_in_millis(self) -> int: ...


def bucket_url() -> str:
    """`s3://bucket`, as the stack's template gives it to its functions."""
    return "s3://" + os.environ["REPLICAST_BUCKET"]


def runs() -> ObjectStore | DatabaseRuns:
    """Where runs live: in the bucket, or in the stack's database, whose password is read from its secret."""
    bucket, database = ObjectStore(f"{bucket_url()}/{RUNS}"), os.environ.get("REPLICAST_DATABASE")
    if not database:
        return bucket
    from replicast.stores.sql import SqlStore

    opened = open_store(database)
    assert isinstance(opened, SqlStore)
    return DatabaseRuns(bucket, opened, stack_url(os.environ["REPLICAST_STACK"]))


def plan(event: Mapping[str, Any], _context: Context) -> dict[str, Any]:
    """What to do next for a run: simulate what is missing, collate, or stop. `event` has `order` and `execution`.

    The order is what the execution was started with, or the answer to the round before; `quota` is what Lambda says of
    the account at this moment, or why it does not.
    """
    execution, typed = event["execution"], order_of(event["order"])
    if "run" not in typed:
        typed = {"run": begin_by_hand(typed, execution)}
    store = runs()
    if isinstance(store, DatabaseRuns) and not typed.get("round"):
        store.take_in(typed["run"])
    record = read_record(store, typed["run"])
    numbers = (int(os.environ[f"REPLICAST_{name}"]) for name in ("SECONDS", "MEMORY", "CONCURRENCY"))
    capacity = Capacity(*numbers).within(event.get("quota", {}).get("unreserved"))
    order = Order(
        typed["run"], execution["id"].rpartition(":")[2], typed.get("round", 0), why_ended(typed.get("ended", {}))
    )
    if not order.round:
        store.write(typed["run"], JOB, json.dumps({"execution": execution["id"]}).encode())
        note_system(store, record)
    queues = Queues.from_names(os.environ, *QUEUES)
    answer: Answer = Cloud(store, record, capacity, queues).answer(order)
    if isinstance(store, DatabaseRuns) and answer.next != "simulate":
        store.show(record)
    return answer.to_json(bucket=os.environ["REPLICAST_BUCKET"], prefix=RUNS)


def why_ended(ended: Mapping[str, str]) -> str:
    """Of what Step Functions says of a failed array job, which is all of its description, the reason."""
    try:
        found = json.loads(ended.get("Cause", ""))
    except ValueError:
        return ended.get("Cause", "")
    return str(found.get("StatusReason", "")) if isinstance(found, Mapping) else ""


def begin_by_hand(typed: Mapping[str, Any], execution: Mapping[str, str]) -> str:
    """Creates the run that was asked for by hand, unless an earlier attempt of this execution has; returns its ID."""
    root = ObjectStore(bucket_url())
    content, described = root.read(DEPLOYED, NAME), root.read(DEPLOYED, SIGNATURE)
    if content is None or described is None:
        raise RequestError(
            "this stack was deployed without a model, so a run has to be started with `replicast run MODEL --on aws`; "
            "or give it a model: replicast aws update MODEL"
        )
    deployed = RunRecord.from_json(content, f"{DEPLOYED}/{NAME}")
    signature = signature_from_dict(json.loads(described))
    record = record_by_hand(typed, deployed, signature, execution=execution["id"], started=execution["started"])
    record = replace(record, place=stack_url(os.environ["REPLICAST_STACK"]))
    store = runs()
    for name in deployed.files:
        source = root.read(DEPLOYED, f"model/{name}")
        if source is None or hashlib.sha256(source).hexdigest() != deployed.files[name]:
            raise StoreError(
                f"'{name}' of the deployed model is being replaced, or is gone: replicast aws update MODEL"
            )
        store.write(record.id, f"model/{name}", source)
    if not store.write(record.id, NAME, record.to_json(), new=True):
        top_up(store, record, keeps_seed="seed" not in typed)
    return record.id


def top_up(store: Store, record: RunRecord, *, keeps_seed: bool) -> None:
    """Raises what is planned of a run that is there under this name; RequestError if it is another, or has more.

    Without a seed of its own a start goes on with the run's.
    """
    known = read_record(store, record.id)
    experiment = replace(record.experiment, seed=known.experiment.seed) if keeps_seed else record.experiment
    if (known.experiment, known.code_hash, known.options) != (experiment, record.code_hash, record.options):
        raise RequestError(
            f"there is a run '{record.id}' already, of another experiment or with other options; give another 'name'"
        )
    if record.replications < known.replications:
        raise RequestError(
            f"run '{record.id}' has {known.replications} repetitions planned already, and {record.replications} are "
            "fewer; ask for as many or more, or give another 'name'"
        )
    if record.replications > known.replications:
        store.write(record.id, NAME, replace(known, replications=record.replications, planned={}).to_json())


_performer: Performer | None = None


def simulate(event: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Performs a batch; returns how many of its replications were stored and how many are left."""
    batch = Batch(**event["batch"])
    if "item" in event:
        mark_begun(event["run"], **event["item"])
    try:
        performer = performer_of(event["run"], context)
        done = performer.perform(batch, lambda: context.get_remaining_time_in_millis() / 1000)
    except ReplicastError as error:
        forget_performer()
        raise named(error) from None
    return {"stored": done.stored, "left": done.left}


def mark_begun(run: str, execution: str, round: int, index: int) -> None:
    """Leaves word that the function came to its batch, so that its absence later on is a try and no throttling."""
    ObjectStore(f"{bucket_url()}/{RUNS}").write(run, f"{begun_folder(execution, round)}/{index}", b"")


def named(error: ReplicastError) -> ReplicastError:
    """The error with its class in its message, for whoever has the message alone; a model's own words are kept."""
    detail = f"\n{error.detail}" if isinstance(error, ModelError) and error.detail else ""
    return type(error)(f"{type(error).__name__}: {error}{detail}")


def performer_of(run: str, context: Context) -> Performer:
    """The performer of the invocation before, if it was of the same run; else a new one."""
    global _performer
    if _performer is None or _performer.record.id != run:
        forget_performer()
        store = runs()
        cores = processors(int(context.memory_limit_in_mb))
        worker = f"aws/{context.log_stream_name}/"
        _performer = Performer(store, read_record(store, run), processors=cores, worker=worker)
    return _performer


def forget_performer() -> None:
    global _performer
    if _performer is not None:
        _performer.close()
        _performer = None


OpenRun = Callable[[Store, str], Any]


def collate(open_run: OpenRun, event: Mapping[str, Any], _context: Context) -> dict[str, Any]:
    """Writes every table of a run to its `collated/`; returns where, the first metric's mean, and if too much failed.

    `open_run` makes the public handle, which a model's own `collate(run)` is given.
    """
    fetch_reporting()
    from replicast.reporting.collating import collate_run

    store, name = runs(), str(event["run"])
    record = read_record(store, name)
    with tempfile.TemporaryDirectory(prefix="replicast-") as folder:
        places: dict[str, str] = {}

        def keep(path: Path) -> None:
            """In the store and no longer here: /tmp holds one table of ours at a time."""
            target = f"{COLLATED}/{path.relative_to(folder).as_posix()}"
            store.write_file(name, target, path)
            path.unlink()
            places[path.name] = f"{bucket_url()}/{RUNS}/{name}/{target}"

        collated = collate_run(store, record, Path(folder), run=open_run(store, name), hand_on=keep)
        for path in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
            keep(path)
    if isinstance(store, DatabaseRuns) and collated.summary:
        store.keep_summary(name, collated.summary.to_dicts)
    coverage = store.coverage(name)
    failed = sum(len(coverage.failed(s.name)) for s in record.experiment.scenarios)
    done = sum(last - first + 1 for s in record.experiment.scenarios for first, last in coverage.done(s.name))
    rows = collated.summary.to_dicts() if collated.summary else []
    shown = [{k: row[k] for k in ("scenario", "metric", "n", "mean", "half_width")} for row in rows[:SHOWN_ROWS]]
    first = shown[0] if shown else {"metric": None, "mean": None, "n": 0, "half_width": None}
    answer = {
        "run": name, "store": store.label, "summary": places.get("summary.csv"),
        "folder": f"{bucket_url()}/{RUNS}/{name}/{COLLATED}",
        "metric": first["metric"], "mean": finite(first["mean"]), "half_width": finite(first["half_width"]),
        "n": first["n"], "done": done, "failed": failed, "means": [finite_row(row) for row in shown],
        "notes": collated.notes[:10], "ending": "succeeded",
    }  # fmt: skip
    if record.options.tolerance.allows(failed, done):
        return answer
    why = f"{failed} of {done} replications failed, more than is tolerated"
    cause = f"{why}; the rest is collated; see: replicast failures {name} --store {store.label}"
    return answer | {"ending": "failed", "error": "TooManyReplicationsFailed", "cause": cause}


def finite(value: float | None) -> float | None:
    """JSON has no NaN and no infinity."""
    return value if value is not None and abs(value) < float("inf") else None


def finite_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: finite(value) if isinstance(value, float) else value for key, value in row.items()}


def fetch_reporting() -> None:
    """Makes polars importable: it does not fit into a zip package beside numpy, so it lies in the bucket."""
    key = os.environ.get("REPLICAST_REPORTING", "")
    if not key:
        return
    import io
    import zipfile

    folder, name = Path(tempfile.gettempdir()) / f"replicast-{Path(key).stem}", key.rpartition("/")
    if str(folder) in sys.path:
        return
    content = ObjectStore(bucket_url()).read(name[0], name[2])
    if content is None:
        raise StoreError(f"'{key}' is gone from the stack's bucket; deploy it again: replicast aws update")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    sys.path.append(str(folder))
