"""What `bench.py` measures: each row is one piece of work, done by replicast first and then by its peers."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORKLOADS, PEERS = HERE / "workloads", HERE / "peers"
PYTHON = sys.executable
REPLICAST = [PYTHON, "-m", "replicast"]


@dataclass(frozen=True, slots=True)
class Contest:
    """One way to do a row's work. `goal` bounds our figure's ratio to this one's; ours itself has none.

    `first` says whether the wall time counts up to the first result; `command` is given a fresh folder.
    """

    name: str
    command: Callable[[Path], Sequence[str]]
    goal: float | None = None
    first: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    contests: Sequence[Contest]
    prepare: Callable[[Path], None] | None = None
    slow: bool = False


def run_of(model: str, n: int, *more: str) -> Contest:
    path = WORKLOADS / model
    return Contest("replicast run", lambda folder: [*REPLICAST, "run", str(path), "-n", str(n), "--seed", "42",
                                                    "--store", str(folder / "runs"), *more])  # fmt: skip


def pool(way: str, workload: str, n: int, goal: float | None, chunk: int = 1) -> Contest:
    names = {"pool": "multiprocessing.Pool", "futures": "ProcessPoolExecutor", "joblib": "joblib"}
    label = names[way] + (f", chunks of {chunk}" if chunk > 1 else "")
    return Contest(label, lambda _: [PYTHON, str(PEERS / "pools.py"), way, workload, str(n), str(chunk)], goal)


def r_pool(way: str, workload: str, n: int, goal: float | None) -> Contest:
    names = {"loop": "a plain R loop", "multisession": "future multisession"}
    model = str(WORKLOADS / f"{workload}.R")
    return Contest(names.get(way, way), lambda _: ["Rscript", str(PEERS / "pools.R"), way, model, str(n)], goal)


def first_results() -> Row:
    ours = run_of("mm1.py", 500, "--quiet")
    ours = Contest(ours.name, ours.command, first="runs/*/parts/metrics/*/*.parquet")
    theirs = pool("pool", "mm1", 500, 1.3)
    return Row("first result, `mm1`", [ours, Contest(theirs.name, theirs.command, 1.3, first="printed")])


def python_rows() -> Iterator[Row]:
    yield Row("`mm1` N = 10", [run_of("mm1.py", 10), pool("pool", "mm1", 10, 1.2), pool("joblib", "mm1", 10, 0.6)])
    yield first_results()
    yield Row("`mm1` N = 300", [run_of("mm1.py", 300), pool("pool", "mm1", 300, 1.02)])
    n = 100_000
    yield Row("`tiny` N = 100,000", [run_of("tiny.py", n), pool("futures", "tiny", n, 0.8, 100),
                                     pool("pool", "tiny", n, 0.8, 100)])  # fmt: skip
    n = 1_000_000
    yield Row("`tiny` N = 10⁶", [run_of("tiny.py", n), pool("pool", "tiny", n, 1.0, 100)], slow=True)
    yield Row("`ed` N = 20, tables stored", [run_of("ed.py", 20), pool("pool", "ed", 20, 1.0),
                                             pool("joblib", "ed", 20, 0.95)])  # fmt: skip
    yield Row("durability, `ed` N = 6, one process", [one_worker("stored"), one_worker("discarded", 1.01)])


def one_worker(way: str, goal: float | None = None) -> Contest:
    command = [PYTHON, str(PEERS / "one_worker.py"), way, str(WORKLOADS / "ed.py"), "6"]
    return Contest(way, lambda folder: [*command, str(folder)], goal)


def r_rows() -> Iterator[Row]:
    if shutil.which("Rscript") is None:
        return
    future = [r_pool("multisession", "mm1", 10, 0.5)] if has_r("future.apply") else []
    yield Row("R `mm1` N = 10", [run_of("mm1.R", 10), r_pool("parLapply", "mm1", 10, 0.9), *future])
    yield Row("R `ed` N = 20, tables stored", [run_of("ed.R", 20), r_pool("parLapply", "ed", 20, 1.0),
                                               r_pool("mclapply", "ed", 20, 1.0)])  # fmt: skip
    yield Row("R `tiny` N = 100,000", [run_of("tiny.R", 100_000), r_pool("loop", "tiny", 100_000, None)])


def start_rows() -> Iterator[Row]:
    nothing = Contest("python -c pass", lambda _: [PYTHON, "-c", "pass"])
    yield Row("`replicast --help`", [Contest("replicast --help", lambda _: [*REPLICAST, "--help"]), nothing])
    cold = Contest("fresh interpreter, one replication", lambda folder: [
        PYTHON, str(PEERS / "one_worker.py"), "stored", str(WORKLOADS / "tiny.py"), "1", str(folder)])  # fmt: skip
    numpy = Contest("python -c 'import numpy'", lambda _: [PYTHON, "-c", "import numpy"])
    yield Row("cold start of the worker", [cold, numpy])


def collation_rows() -> Iterator[Row]:
    for kind in ("csv", "parquet"):
        ours = Contest("replicast collate", lambda folder, kind=kind: [
            *REPLICAST, "collate", "x", "--store", str(folder.parent / "runs"), "-o", str(folder / "out"),
            "--format", kind, "--table", "rows"])  # fmt: skip
        peers = [
            Contest(f"polars streaming, {label}", lambda folder, kind=kind, place=place: [
                PYTHON, str(PEERS / "polars_collation.py"), str(folder.parent / place), kind, str(folder)], goal)
            for label, place, goal in (("a file a replication", "one_each", 0.25), ("100 files", "hundred", None))
        ]  # fmt: skip
        yield Row(f"collate 10,000 × 200 rows to {kind}", [ours, *peers], prepare_collation, slow=True)


def prepare_collation(folder: Path) -> None:
    if not (folder / "runs").exists():
        kept(folder / "runs", "rows.py", 10_000)
        subprocess.run([PYTHON, str(PEERS / "polars_collation.py"), str(folder), "prepare"], check=True)


def million_rows() -> Iterator[Row]:
    for name, arguments in {
        "list": ["list"], "resume-plan": ["resume", "x", "--quiet"], "summary": ["summary", "x"],
        "collate": ["collate", "x", "-o", "{}"], "report": ["report", "x", "-o", "{}.html"],
    }.items():  # fmt: skip
        ours = Contest(f"replicast {name}", lambda folder, arguments=arguments: [
            *REPLICAST, *(word.format(folder / "out") for word in arguments), "--store", str(folder.parent / "million")
        ])  # fmt: skip
        yield Row(f"10⁶ replications: {name}", [ours], prepare_million, slow=True)


def prepare_million(folder: Path) -> None:
    kept(folder / "million", "tiny.py", 1_000_000)


def scenario_rows() -> Iterator[Row]:
    grid = ["--grid", "mean=" + ",".join(map(str, range(1000)))]
    yield Row("1,000 scenarios × 2", [run_of("shifted.py", 2, *grid, "--quiet")], slow=True)
    report = Contest("replicast report", lambda folder: [
        *REPLICAST, "report", "x", "--store", str(folder.parent / "report"), "-o", str(folder / "f.html")])  # fmt: skip
    yield Row("report of 72 scenarios × 8 metrics", [report], prepare_report, slow=True)


def prepare_report(folder: Path) -> None:
    kept(folder / "report", "eight.py", 50, "--grid", "mean=" + ",".join(map(str, range(72))))


def kept(store: Path, model: str, n: int, *more: str) -> None:
    """Has a store with one run, `x`."""
    command = [*REPLICAST, "run", str(WORKLOADS / model), "-n", str(n), "--seed", "42", "--name", "x", "--quiet"]
    if not store.exists():
        subprocess.run([*command, *more, "--store", str(store)], check=True, stdout=subprocess.DEVNULL)


def has_r(package: str) -> bool:
    asked = f"quit(status = !requireNamespace('{package}', quietly = TRUE))"
    return subprocess.run(["Rscript", "-e", asked], capture_output=True, check=False).returncode == 0


def installed(contest: Contest) -> bool:
    return contest.name != "joblib" or importlib.util.find_spec("joblib") is not None


def all_rows() -> list[Row]:
    rows = [*start_rows(), *python_rows(), *r_rows(), *collation_rows(), *million_rows(), *scenario_rows()]
    return [Row(row.name, [c for c in row.contests if installed(c)], row.prepare, row.slow) for row in rows]
