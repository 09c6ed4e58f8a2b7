"""The worker and the command line start fast because of what they do not import, in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "scipy", "pandas", "polars", "pyarrow", "boto3", "botocore", "rich", "plotly", "jinja2", "sqlalchemy",
    "cloudpickle", "matplotlib", "pytest", "hypothesis",
}  # fmt: skip

PERFORM = """
import json, sys
from pathlib import Path
import replicast.executors.pool_worker, replicast.executors.zygote
from replicast.core.experiment import Experiment, ModelReference
from replicast.core.scenarios import Scenario
from replicast.core.replication import Batch
from replicast.models import open_model
from replicast.models.capture import Log
from replicast.stores import open_store
from replicast.performing.worker import Assignment, started

folder = Path(sys.argv[1])
experiment = Experiment(ModelReference("python", "model.py"), (Scenario("base", {}),), 42)
store = open_store(str(folder / "runs"))
log = Log(folder / "log")
model = open_model(folder / "project", experiment, scratch=folder, log=log)
with started(Assignment("run", experiment), model, store) as worker:
    worker.perform(Batch("base", 1, 20))
assert list(store.coverage("run").ok("base")) == [(1, 20)], store.coverage("run")
print(json.dumps(sorted(sys.modules)))
"""


def modules_after(code: str, *arguments: str, cwd: Path) -> set[str]:
    command = [sys.executable, "-c", code, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout.splitlines()[-1]))


def test_a_worker_performs_a_batch_without_anything_heavy(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "model.py").write_text(
        "def simulate(rng):\n"
        "    return {'wait': rng.random(), 'patients': [{'name': 'x', 'los': 1.5}, {'name': None, 'los': 2}]}\n"
    )
    loaded = modules_after(PERFORM, str(tmp_path), cwd=tmp_path)
    assert {"numpy", "arro3", "obstore"} <= loaded
    assert loaded & HEAVY == set()
    assert loaded & {"concurrent.futures", "logging", "email", "asyncio"} == set()
    assert not {name for name in loaded if name.startswith(("replicast.reporting", "replicast.cli", "replicast.aws"))}


SHOW_HELP = """
import json, sys
sys.argv = ["replicast", *sys.argv[1:]]
from replicast.cli import main
try:
    main()
except SystemExit as ended:
    assert ended.code in (0, None), ended.code
print()
print(json.dumps(sorted(sys.modules)))
"""


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["--version"]])
def test_the_command_line_shows_its_help_without_arrays_or_frames(arguments: list[str], tmp_path: Path) -> None:
    loaded = modules_after(SHOW_HELP, *arguments, cwd=tmp_path)
    assert loaded & (HEAVY | {"numpy", "arro3", "obstore"}) == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["list", "--help"]])
def test_help_imports_nothing_that_takes_longer_than_it_does(arguments: list[str], tmp_path: Path) -> None:
    slow = {"importlib.metadata", "email", "inspect", "dataclasses", "difflib", "msgspec", "subprocess", "tempfile"}
    assert modules_after(SHOW_HELP, *arguments, cwd=tmp_path) & slow == set()


RUN = """
import json, sys
from replicast.cli import main
main(["run", "model.py", "-n", "6", "--on", "serial", "--store", "runs", *sys.argv[1:]])
print()
print(json.dumps(sorted(sys.modules)))
"""


def test_a_run_is_summarised_without_frames(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "def simulate(rng):\n    return {'wait': rng.random(), 'late': rng.random() < .5, 'rows': [{'x': 1}] * 2}\n"
    )
    assert modules_after(RUN, cwd=tmp_path) & (HEAVY - {"rich"}) == set()


LOOK = """
import json, sys
from replicast.cli import main
main(sys.argv[1:])
print()
print(json.dumps(sorted(sys.modules)))
"""


def test_tables_are_collated_and_runs_listed_without_arrays_or_frames(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(
        "def simulate(rng):\n    return {'wait': rng.random(), 'rows': [{'x': rng.random(), 'who': 'y'}] * 2}\n"
    )
    modules_after(RUN, cwd=tmp_path)
    there = modules_after(LOOK, "list", "--store", "runs", cwd=tmp_path)
    for file_format in ("csv", "parquet"):
        asked = ("collate", "--store", "runs", "-o", "out", "--table", "rows", "--format", file_format)
        assert modules_after(LOOK, *asked, cwd=tmp_path) & (HEAVY | {"numpy"}) == set()
    assert (tmp_path / "out" / "rows.csv").read_text().count("\n") == 13
    assert there & ((HEAVY - {"rich"}) | {"numpy", "arro3"}) == set()
    all_tables = modules_after(LOOK, "collate", "--store", "runs", "-o", "out", cwd=tmp_path)
    assert all_tables & HEAVY == set()


@pytest.mark.parametrize("metrics", ["", "'x': rng.random(), "], ids=["tables alone", "a metric of a column's name"])
def test_notes_on_tables_need_no_frames(tmp_path: Path, metrics: str) -> None:
    returned = f"{{{metrics}'rows': [{{'who': 'y', 'x': rng.random()}}] * 2}}"
    (tmp_path / "model.py").write_text(f"def simulate(rng):\n    return {returned}\n")
    modules_after(RUN, cwd=tmp_path)
    assert modules_after(LOOK, "collate", "--store", "runs", "-o", "out", cwd=tmp_path) & HEAVY == set()
    assert (tmp_path / "out" / "rows.csv").read_text().count("\n") == 13


IMPORT_DOORS = """
import json, sys
import replicast.cli.start
print(json.dumps(sorted(sys.modules)))
"""


def test_processes_are_started_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    later = {"numpy", "arro3", "obstore", "psutil", "msgspec", "replicast.core.record", "replicast.performing.worker"}
    assert modules_after(IMPORT_DOORS, cwd=tmp_path) & (HEAVY | later) == set()


def test_importing_replicast_imports_nothing_heavy(tmp_path: Path) -> None:
    code = "import json, sys, replicast; print(json.dumps(sorted(sys.modules)))"
    loaded = modules_after(code, cwd=tmp_path)
    assert loaded & (HEAVY | {"numpy", "arro3", "obstore"}) == set()


def test_the_public_names_are_there(tmp_path: Path) -> None:
    code = "import json, replicast; print(json.dumps([n for n in replicast.__all__ if getattr(replicast, n) is None]))"
    assert modules_after(code, cwd=tmp_path) == set()


def test_the_core_reaches_no_file_network_clock_or_process(tmp_path: Path) -> None:
    """Every module of it, imported in an interpreter where these cannot be imported anew."""
    code = """
import json, pkgutil, sys, importlib
import numpy, arro3.core, secrets
import replicast.core
before = set(sys.modules)
for found in pkgutil.iter_modules(replicast.core.__path__, "replicast.core."):
    importlib.import_module(found.name)
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    loaded = modules_after(code, cwd=tmp_path)
    assert {"replicast.core.planning", "replicast.core.experiment"} <= loaded
    assert not {name.partition(".")[0] for name in loaded} & {
        "subprocess",
        "socket",
        "time",
        "obstore",
        "polars",
        "rich",
    }
    assert not {name for name in loaded if name.startswith("replicast.") and not name.startswith("replicast.core")}


def test_no_process_of_ours_looks_for_modules_where_the_user_happens_to_be() -> None:
    """`-m` alone puts the working directory on the path; these two have one of their own."""
    own_folder = {"sandbox.py", "local_runtime.py"}
    for path in (Path(__file__).parent.parent / "src").rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if "[sys.executable" in line and path.name not in own_folder:
                assert '"-P"' in line or '"-I"' in line or "*ISOLATED" in line, f"{path}: {line}"
