"""Models that kill, spoil or fork the process they share with us: each costs its own replication and nothing else."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

import replicast
from replicast import Run

Write = Callable[..., Path]
HEAD = "import multiprocessing, os, resource, shutil, signal, sys, time\n"
N = 60
STRAY = "if os.fork() == 0: time.sleep(600)\n"
STRAY_OF_ITS_OWN = "if os.fork() == 0:\n    os.setsid()\n    time.sleep(600)\n"
WRITES_GARBAGE = "for fd in range(3, 64):\n    try: os.write(fd, {})\n    except OSError: pass\n"

DEADLY = {
    5: STRAY + "os.kill(os.getpid(), 9)",
    12: STRAY_OF_ITS_OWN + "os._exit(4)",
    20: "os.closerange(3, 4096)",
    27: "os.closerange(0, 4096)",
    33: "shutil.rmtree(os.getcwd())",
    41: "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))",
    48: "resource.setrlimit(resource.RLIMIT_FSIZE, (16, 16))",
}
HARMLESS = {
    3: "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, signal.NSIG))",
    6: "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.default_int_handler)",
    9: "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
    12: "os.chdir('/')",
    15: "os.umask(0o777)",
    18: "sys.stdout.close(); sys.stderr.close()",
    21: "for fd in (0, 1, 2): os.close(fd)",
    24: "sys.path.clear(); sys.setrecursionlimit(80)",
    27: "os.environ.clear()",
    30: "if os.fork() == 0: return -1.0",
    33: "if os.fork() == 0: raise SystemExit",
    36: "p = multiprocessing.get_context('fork').Process(target=print)\np.start()\np.join()",
    39: "for name in list(sys.modules): del sys.modules[name]",
    42: "import builtins; builtins.len = None",
}


def run(path: Path, n: int, **options: object) -> Run:
    return replicast.run(str(path), n=n, seed=1, store=str(path.parent.parent / "runs"), **options)  # type: ignore[arg-type]


def failed(finished: Run) -> dict[int, str]:
    return {row["replication"]: row["error_type"] for row in finished.failures()}


def hostile(write: Write, deeds: Mapping[int, str], pause: str = "") -> Path:
    """A model that does each deed in its replication, and else returns a draw."""
    lines = [HEAD, "def simulate(replication, rng):"]
    for replication, deed in deeds.items():
        lines += [f"    if replication == {replication}:", textwrap.indent(deed, " " * 8)]
    return write("\n".join([*lines, f"    {pause or 'pass'}", "    return rng.random()\n"]))


def values_of(finished: Run) -> dict[int, float]:
    return {row["replication"]: row["value"] for row in finished.metrics()}


def undisturbed(but: Mapping[int, str]) -> dict[int, float]:
    streams = np.random.SeedSequence(1).spawn(N)
    return {i: np.random.default_rng(s).random() for i, s in enumerate(streams, 1) if i not in but}


@pytest.mark.long
@pytest.mark.parametrize("pause", ["", "time.sleep(0.003)"])
def test_a_model_that_spoils_its_process_costs_itself_alone(write_model: Write, pause: str) -> None:
    finished = run(hostile(write_model, DEADLY, pause), N, workers=2)
    assert set(failed(finished)) == set(DEADLY)
    assert values_of(finished) == undisturbed(but=DEADLY)


@pytest.mark.long
def test_what_made_the_process_unusable_is_said(write_model: Write) -> None:
    deeds = {i: DEADLY[i] for i in (20, 33, 48)}
    said = {row["replication"]: row["error"] for row in run(hostile(write_model, deeds), N, retries=0).failures()}
    assert "closed" in said[20]
    assert "removed the folder" in said[33]
    assert "RLIMIT_FSIZE" in said[48]


def test_a_model_that_writes_into_our_pipes_costs_itself_at_most(write_model: Write) -> None:
    deeds = {9: WRITES_GARBAGE.format("b'garbage'"), 30: WRITES_GARBAGE.format(r"b'1\n[2]\n{}\n'")}
    finished = run(hostile(write_model, deeds), N, workers=2)
    assert set(failed(finished)) <= set(deeds)
    kept = {i: value for i, value in values_of(finished).items() if i not in deeds}
    assert kept == undisturbed(but=deeds)


@pytest.mark.parametrize("pause", ["", "time.sleep(0.003)"])
def test_what_else_a_model_does_to_its_process_changes_no_number(write_model: Write, pause: str) -> None:
    finished = run(hostile(write_model, HARMLESS, pause), N, workers=2)
    spoilt = failed(finished)
    assert set(spoilt) <= {21, 39, 42}
    assert values_of(finished) == undisturbed(but=spoilt)


def test_a_forked_child_that_goes_on_simulating_saves_nothing(write_model: Write, tmp_path: Path) -> None:
    model = write_model(
        "import os\n"
        "def simulate(replication, trace):\n"
        "    with open(trace, 'a') as file: file.write(f'{replication} ')\n"
        "    if os.fork() == 0: return -1.0\n"
        "    return float(replication)\n"
    )
    finished = run(model, 12, params={"trace": str(tmp_path / "trace")})
    assert values_of(finished) == {i: float(i) for i in range(1, 13)}
    assert sorted(map(int, (tmp_path / "trace").read_text().split())) == list(range(1, 13))


@pytest.mark.long
@pytest.mark.r
def test_r_that_forks_a_child_and_dies_costs_itself_alone(write_model: Write) -> None:
    model = write_model(
        "simulate <- function(replication) {\n"
        "  if (replication == 3) { parallel::mcparallel(Sys.sleep(600)); tools::pskill(Sys.getpid(), 9) }\n"
        "  if (replication == 7) { system('sleep 600 &'); quit(status = 3) }\n"
        "  if (replication == 9) {\n"
        "    if (inherits(parallel:::mcfork(), 'masterProcess')) Sys.sleep(600)\n"
        "    tools::pskill(Sys.getpid(), 9)\n"
        "  }\n"
        "  runif(1)\n}\n",
        "model.R",
    )
    finished = run(model, 12, workers=2)
    assert set(failed(finished)) == {3, 7, 9}
    calm = values_of(run(write_model("simulate <- function(replication) runif(1)\n", "calm.R"), 12))
    assert values_of(finished) == {i: value for i, value in calm.items() if i not in (3, 7, 9)}


@pytest.mark.long
@pytest.mark.parametrize(
    "deed",
    ["line = 'x' * 1023\nfor _ in range(1 << 20): print(line)", "for _ in range(7):\n    if os.fork() == 0: pass"],
    ids=["prints a gigabyte", "forks 128 processes"],
)
def test_a_model_that_takes_much_of_the_machine_changes_no_number(write_model: Write, deed: str) -> None:
    finished = run(hostile(write_model, {3: deed}), N)
    assert not failed(finished)
    assert values_of(finished) == undisturbed(but={})


@pytest.mark.long
def test_five_thousand_metrics_and_ten_thousand_scenarios_are_kept_exactly(write_model: Write) -> None:
    wide = run(
        write_model("def simulate(rng): return {f'm{i}': x for i, x in enumerate(rng.random(5000).tolist())}\n"), 4
    )
    first = np.random.default_rng(np.random.SeedSequence(1).spawn(1)[0]).random(5000)
    assert list(wide.metrics().pl().row(0)[2:]) == first.tolist()
    values = list(range(100))
    many = run(write_model("def simulate(rng, a, b): return 1000 * a + b\n"), 1, grid={"a": values, "b": values})
    assert many.metrics().pl()["value"].to_list() == [1000 * a + b for a in values for b in values]
