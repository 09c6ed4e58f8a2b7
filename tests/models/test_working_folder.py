"""What a function writes into its working folder is its replication's own: kept as artefacts, or gone and named."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast
from replicast import Run
from replicast.core.replication import Outcome
from replicast.models.working_folder import WorkingFolder

Write = Callable[..., Path]
WRITES = (
    "from pathlib import Path\n"
    "def simulate(replication, rng):\n"
    "    seen = len(list(Path('.').glob('*.txt'))) + len(list(Path('.').glob('plots/*')))\n"
    "    Path(f'own-{replication}.txt').write_text(str(replication))\n"
    "    Path('plots').mkdir()\n"
    "    Path('plots', 'p.txt').write_text(f'plot {replication}')\n"
    "    SLOW\n"
    "    return {'x': rng.random(), 'seen': seen}\n"
)
SOMETIMES = (
    "from pathlib import Path\n"
    "def simulate(replication, rng):\n"
    "    there = Path('cache.txt').exists()\n"
    "    if replication % 500 == 7: Path('cache.txt').write_text('x')\n"
    "    return {'x': rng.random(), 'there': there}\n"
)


def run(path: Path, n: int, **options: Any) -> Run:
    return replicast.run(str(path), n=n, seed=1, store=str(path.parent.parent / "runs"), **options)


@pytest.mark.parametrize("place", ["local", "serial"])
@pytest.mark.parametrize("slow", ["pass", "import time; time.sleep(0.002)"])
def test_files_are_kept_by_replication(write_model: Write, tmp_path: Path, slow: str, place: str) -> None:
    done = run(write_model(WRITES.replace("SLOW", slow)), 7, keep="files", on=place)
    assert done.metrics().pl()["seen"].to_list() == [0] * 7
    found = {
        (one.replication, one.file.name.partition(".")[2]): one.file.read_text()
        for one in done.artefacts(tmp_path / "out")
    }
    assert {key: text for key, text in found.items() if key[1].startswith("own")} == {
        (i, f"own-{i}.txt"): str(i) for i in range(1, 8)
    }
    plots = sorted(text for (_, name), text in found.items() if name.endswith("p.txt"))
    assert plots == [f"plot {i}" for i in range(1, 8)]
    assert not [note for note in done.summary().notes if "working folder" in note]


def test_without_keeping_them_they_are_gone_for_the_next_and_named_once(write_model: Write, tmp_path: Path) -> None:
    done = run(write_model(WRITES.replace("SLOW", "pass")), 7, workers=1)
    assert done.metrics().pl()["seen"].to_list() == [0] * 7
    (note,) = [note for note in done.summary().notes if "working folder" in note]
    assert "'own-1.txt'" in note
    assert done.artefacts(tmp_path / "out") == []


def test_quick_replications_never_see_what_another_wrote(write_model: Write) -> None:
    done = run(write_model(SOMETIMES), 3000, workers=1)
    assert done.metrics().pl()["there"].sum() == 0
    assert [note for note in done.summary().notes if "'cache.txt'" in note]


def test_a_failed_replication_leaves_nothing_to_the_next(write_model: Write, tmp_path: Path) -> None:
    path = write_model(
        "from pathlib import Path\n"
        "def simulate(replication):\n"
        "    assert not Path('half.txt').exists()\n"
        "    Path('half.txt').write_text('x')\n"
        "    if replication < 4: raise ValueError('no')\n"
        "    return replication * 1.5\n"
    )
    done = run(path, 6, keep="files", workers=1)
    assert {row["error_type"] for row in done.failures()} == {"ValueError"}
    assert [one.replication for one in done.artefacts(tmp_path / "out")] == [4, 5, 6]


def test_a_link_to_elsewhere_costs_its_own_replication(write_model: Write) -> None:
    path = write_model(
        "import os\ndef simulate(replication):\n"
        "    if replication == 2: os.symlink('/etc/hostname', 'link.txt')\n"
        "    return replication * 1.5\n"
    )
    done = run(path, 3, keep="files")
    assert [(row["replication"], row["error_type"]) for row in done.failures()] == [(2, "UnusableResult")]


def test_a_changed_file_of_the_project_is_kept_too(write_model: Write, tmp_path: Path) -> None:
    path = write_model(
        "def simulate(replication):\n    open('log.txt', 'a').write('x')\n    return replication * 1.5\n"
    )
    (path.parent / "log.txt").write_text("begun ")
    done = run(path, 2, keep="files", workers=1)
    assert sorted(one.file.read_text() for one in done.artefacts(tmp_path / "out")) == ["begun x", "begun xx"]
    assert (path.parent / "log.txt").read_text() == "begun "


@pytest.mark.parametrize(
    ("text", "name", "keep", "said"),
    [
        ("def simulate(rng): return 1\n", "model.py", "rds", "not in R"),
        ("def simulate(rng): return 1\n", "model.py", "files,all", "not 'all'"),
    ],
)
def test_what_cannot_be_kept_is_refused(write_model: Write, text: str, name: str, keep: str, said: str) -> None:
    with pytest.raises(replicast.RequestError, match=said):
        run(write_model(text, name), 2, keep=keep)


def test_a_command_s_files_are_kept_without_it() -> None:
    with pytest.raises(replicast.RequestError, match="kept without it"):
        replicast.run(command=["true"], n=1, keep="files")


def test_the_same_experiment_with_other_files_kept_is_another(write_model: Write) -> None:
    path = write_model("def simulate(rng): return rng.random()\n")
    first = run(path, 2, keep="files", name="x")
    assert Run(first.store, "x").record.experiment.keep_files
    with pytest.raises(replicast.RequestError, match="keep: was files, is nothing"):
        run(path, 3, name="x")


@pytest.mark.r
@pytest.mark.parametrize("keep", ["files", "rds,files"])
def test_r_s_files_are_kept_by_replication(write_model: Write, tmp_path: Path, keep: str) -> None:
    path = write_model(
        "simulate <- function(replication) {\n"
        "  seen <- length(list.files(pattern = 'csv$'))\n"
        "  write.csv(data.frame(a = replication), paste0('own-', replication, '.csv'))\n"
        "  list(x = rnorm(1), seen = seen)\n"
        "}\n",
        "model.R",
    )
    done = run(path, 5, keep=keep, workers=1)
    assert done.metrics().pl()["seen"].to_list() == [0] * 5
    names = sorted((one.replication, one.file.name.partition(".")[2]) for one in done.artefacts(tmp_path / "out"))
    assert [name for name in names if name[1] != "result.rds"] == [(i, f"own-{i}.csv") for i in range(1, 6)]
    assert len(names) == (10 if "rds" in keep else 5)


@pytest.mark.r
def test_r_s_files_that_are_not_kept_are_named_and_gone(write_model: Write) -> None:
    path = write_model(
        "simulate <- function() {\n  there <- file.exists('p.txt'); cat('x', file = 'p.txt')\n"
        "  list(x = rnorm(1), there = there)\n}\n", "model.R",
    )  # fmt: skip
    done = run(path, 50, workers=1)
    assert done.metrics().pl()["there"].sum() == 0
    assert [note for note in done.summary().notes if "'p.txt'" in note]


def test_a_large_project_is_looked_at_by_its_top_alone(tmp_path: Path) -> None:
    deep = tmp_path / "data"
    deep.mkdir()
    for i in range(1001):
        (deep / f"{i}.csv").write_text("")
    folder = WorkingFolder(str(tmp_path), keeps=False)
    (tmp_path / "new.txt").write_text("")
    (deep / "hidden.csv").write_text("")
    assert folder.written() == ["new.txt"]


def test_caches_of_compiled_code_stay(tmp_path: Path) -> None:
    folder = WorkingFolder(str(tmp_path), keeps=False)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "m.pyc").write_text("")
    assert folder.written() == []
    outcome = Outcome("base", 1, time.perf_counter())
    folder.settle(outcome)
    assert outcome.notes == ()
