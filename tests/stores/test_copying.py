"""Runs that move between stores, and SQL over a run in any of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from arro3.core import Array, DataType, Table
from test_sql import MODEL

import replicast
from replicast.core.errors import RequestError, RunChanged, RunNotFound, StoreError
from replicast.core.ports import Store
from replicast.core.replication import Outcome
from replicast.reporting.query import query
from replicast.stores import open_store
from replicast.stores.copying import copy_run
from replicast.stores.rows_hash import hash_rows
from replicast.testing.stored import numbers

KINDS = ("folder", "sqlite", "postgresql", "mysql")


def run_in(url: str, folder: Path, *, seed: int = 7) -> replicast.Run:
    path = folder / "project" / "model.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(MODEL)
    scenarios = {"base": {}, "more_beds": {"beds": 6}}
    return replicast.run(str(path), n=30, seed=seed, scenarios=scenarios, tolerate="50%", store=url, name="ward")


def collated(store: Store, folder: Path) -> dict[str, bytes]:
    replicast.Run(store, "ward").collate(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "other"), [*zip(KINDS, [*KINDS[1:], KINDS[0]], strict=True), ("folder", "postgresql")]
)
def test_a_copy_collates_to_the_same_bytes(
    kind: str, other: str, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    source, target = open_store(new_url(kind)), open_store(new_url(other))
    run = run_in(source.url, tmp_path)
    source.write("ward", "kept/result.rds", b"\0rds")
    report = copy_run(source, target, "ward")
    status = run.status()
    assert (report.replications + report.failed, report.failed) == (status.done, status.failed)
    assert report.rows["metrics"] == report.replications
    assert target.read("ward", "kept/result.rds") == b"\0rds"
    assert collated(target, tmp_path / "theirs") == collated(source, tmp_path / "ours")
    assert copy_run(source, target, "ward") == report
    assert target.runs() == ["ward"]


class FailingStore:
    """A store that fails at the third save."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._left = 2

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def save(self, run: str, outcomes: list[Outcome]) -> None:
        if self._left == 0:
            raise StoreError("the network is away")
        self._left -= 1
        self._store.save(run, outcomes)


def test_a_copy_that_was_interrupted_is_finished_by_copying_again(
    new_url: Callable[[str], str], tmp_path: Path
) -> None:
    source, target = open_store(new_url("folder")), open_store(new_url("sqlite"))
    run_in(source.url, tmp_path)
    copied = source.coverage("ward")
    assert copied.failed("base")
    source.save("ward", [Outcome("base", 500, 0.1, {"mean": 1.0}), Outcome("base", 501, 0.1, {"mean": 1.0})])
    source.save("ward", [Outcome("base", 900, 0.1, {"mean": 1.0})])
    with pytest.raises(StoreError, match="the network is away"):
        copy_run(source, FailingStore(target), "ward")  # type: ignore[arg-type]
    assert target.runs() == []
    copy_run(source, target, "ward")
    assert numbers(target, "ward") == numbers(source, "ward")


def test_a_copy_never_mixes_two_experiments(new_url: Callable[[str], str], tmp_path: Path) -> None:
    source, target = open_store(new_url("folder")), open_store(new_url("sqlite"))
    run_in(source.url, tmp_path)
    run_in(target.url, tmp_path, seed=8)
    with pytest.raises(RunChanged, match="has a run 'ward' of another experiment; nothing was copied"):
        copy_run(source, target, "ward")
    with pytest.raises(RunNotFound, match="there is no run 'other'"):
        copy_run(source, target, "other")


def test_a_copy_that_differs_is_found_out(new_url: Callable[[str], str], tmp_path: Path) -> None:
    source, target = open_store(new_url("folder")), open_store(new_url("sqlite"))
    run_in(source.url, tmp_path)
    ok, _ = numbers(source, "ward")
    target.save("ward", [Outcome("base", ok[0], 0.1, {"mean": 123.0})])
    with pytest.raises(StoreError, match="differs from its source in the ledger of scenario 'base'"):
        copy_run(source, target, "ward")


def test_a_hash_of_rows_depends_on_the_rows_alone() -> None:
    def chunks(*cuts: int) -> Iterator[Table]:
        for start, end in itertools.pairwise((0, *cuts, 6)):
            numbers = Array([1, 1, 2, 2, 3, 3][start:end], DataType.int64())
            x = Array([0.5, None, float("nan"), 1.0, -0.0, None][start:end], DataType.float64())
            yield Table.from_pydict({"replication": numbers, "x": x})

    assert len({hash_rows(chunks(*cuts)).digest() for cuts in ((), (1,), (2, 3), (1, 2, 3, 4, 5))}) == 1
    other = Table.from_pydict(
        {
            "replication": Array([1] * 6, DataType.int64()),
            "x": Array([0.5, None, 1.0, 1.0, 0.0, None], DataType.float64()),
        }
    )
    assert hash_rows(iter([other])).digest() != hash_rows(chunks()).digest()


@pytest.mark.parametrize("kind", KINDS)
def test_a_query_reads_a_run_in_any_store(kind: str, new_url: Callable[[str], str], tmp_path: Path) -> None:
    store = open_store(new_url(kind))
    run = run_in(store.url, tmp_path)
    states = dict(query(store, "ward", "SELECT state, count(*) AS n FROM replications GROUP BY state;").rows())
    assert states == {"ok": run.status().done - run.status().failed, "failed": run.status().failed}
    joined = "WITH w AS (SELECT scenario, count(wait) AS n FROM patients GROUP BY scenario) SELECT * FROM w ORDER BY 1"
    patients = run.table("patients").pl()
    wanted = [(name, len(patients.filter(scenario=name))) for name in ("base", "more_beds")]
    assert query(store, "ward", joined).rows() == wanted
    named = query(
        store, "ward", "SELECT s.scenario, c.beds, s.n FROM summary s JOIN scenarios c USING (scenario) LIMIT 1"
    )
    assert named.columns == ["scenario", "beds", "n"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DROP TABLE metrics", "begins with SELECT or WITH, not with 'DROP'"),
        ("-- all\ndelete from metrics", "not with 'delete'"),
        ("", "not with nothing"),
        ("SELECT * FROM patiens", "no table 'patiens' .did you mean 'patients'"),
        ("SELECT nope FROM metrics", 'unable to find column "nope"'),
        ("SELECT 1 +", "cannot be answered"),
        ("SELECT 1; SELECT 2", "one SELECT"),
        ("SELECT * INTO x FROM metrics", "changes nothing"),
        ("WITH x AS (DELETE FROM metrics) SELECT 1", "changes nothing"),
        ("SHOW CREATE TABLE metrics", "SHOW TABLES"),
        ("SELECT * FROM 'patients.csv'", "no table 'patients.csv'"),
        ("SELECT * FROM other.metrics", "and no files"),
        ("SELECT * FROM read_csv('/etc/passwd')", "and no files"),
        ("SELECT '/*' AS a, * FROM read_csv('/etc/passwd', has_header => false) WHERE '*/' = '*/'", "and no files"),
        ("SELECT $$/*$$, * FROM read_csv /* x */ ('/etc/passwd') WHERE '*/' = ''", "cannot"),
        ("EXPLAIN SELECT * FROM read_csv('/etc/passwd')", "and no files"),
        ("WITH metrics AS (SELECT * FROM read_csv('/etc/passwd')) SELECT * FROM metrics", "and no files"),
        ("SELECT * FROM metrics WHERE 1 IN (SELECT 1 FROM `read_csv`('/etc/passwd'))", "and no files"),
        ("SELECT * FROM metrics JOIN LATERAL read_csv('/etc/passwd') ON TRUE", "and no files"),
        ("SELECT * FROM slurp('/etc/passwd')", "and no files"),
        ("SELECT * FROM \"read_csv\"('/etc/passwd')", "and no files"),
        ("SELECT * FROM scan_parquet -- x\n ('/etc/passwd')", "and no files"),
    ],
)
def test_a_query_that_cannot_be_is_refused(
    text: str, message: str, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    store = open_store(new_url("folder"))
    run_in(store.url, tmp_path)
    with pytest.raises(RequestError, match=message):
        query(store, "ward", text)


@pytest.mark.parametrize("target_url", ["copied", "sqlite:///copied.db"])
def test_what_replications_left_is_copied_with_them(
    target_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the place where it lies, be it that of its name or beside it, and under the target's own digests."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text("def simulate(rng):\n    return rng.random()\n")
    made = replicast.run("model.py", 1, seed=1, store=tmp_path / "runs", name="left", on="serial")
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "result.rds").write_bytes(b"right")
    source, name = made.store, "artefacts/scenario=base/replication=000002/result.rds"
    source.write("left", name, b"of an attempt that died")
    source.save("left", [Outcome("base", 2, 0.1, {"value": 0.5}, folder=str(tmp_path / "kept"))])
    target = open_store(target_url)
    copy_run(source, target, "left")
    assert list(target.artefacts("left")) == [name]
    assert target.read("left", name) == b"right"
    assert list(target.damage("left")) == []
