"""Memory: a limit for each worker, a machine that runs short, and what the system says of those it ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import replicast
from replicast import ExecutorError, RequestError, Run
from replicast.core.sizes import parse_size, size_text
from replicast.executors import memory_watch
from replicast.machine.memory import FILES, available_share, out_of_memory_kills

Write = Callable[..., Path]
HOG = (
    "import time\n"
    "def simulate(replication):\n"
    "    if replication == 5:\n"
    "        held = bytearray(400_000_000)\n"
    "        while True: time.sleep(0.05)\n"
    "    time.sleep(0.02)\n"
    "    return replication\n"
)


def run(path: Path, n: int, **options: object) -> Run:
    return replicast.run(str(path), n=n, seed=1, store=str(path.parent.parent / "runs"), **options)  # type: ignore[arg-type]


def test_who_uses_more_memory_than_allowed_is_named_and_the_others_go_on(write_model: Write) -> None:
    finished = run(write_model(HOG), 12, memory="300MB", workers=2)
    (failure,) = finished.failures()
    assert (failure["replication"], failure["error_kind"], failure["error_type"]) == (5, "memory", "MemoryLimit")
    assert "--memory allows 300 MB" in failure["error"]
    assert len(finished.metrics()) == 11
    assert finished.record.options.memory_bytes == 300_000_000


@pytest.mark.r
def test_the_memory_of_r_counts_as_its_workers(write_model: Write) -> None:
    hog = "if (replication == 2) { x <- numeric(1e8); x[1] <- 1; Sys.sleep(60) }"
    text = f"simulate <- function(replication) {{ {hog}; 1 }}\n"
    (failure,) = run(write_model(text, "model.R"), 3, memory="500MB", workers=1, retries=0).failures()
    assert (failure["replication"], failure["error_kind"]) == (2, "memory")


def test_on_a_machine_without_memory_the_largest_is_an_absence_and_tried_alone(
    write_model: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if memory were short for as long as the first attempt at replication 5 lasts."""
    mark = tmp_path / "mark"
    model = write_model(
        "import os, time\n"
        "def simulate(replication, mark):\n"
        "    if replication == 5 and not os.path.exists(mark):\n"
        "        open(mark, 'w').close()\n"
        "        held = bytearray(200_000_000)\n"
        "        while True: time.sleep(0.05)\n"
        "    time.sleep(0.02)\n"
        "    return replication\n"
    )
    looks = iter([0.01])
    monkeypatch.setattr(memory_watch, "available_share", lambda: next(looks, 1.0) if mark.exists() else 1.0)
    finished = run(model, 12, workers=2, retries=0, params={"mark": str(mark)})
    assert len(finished.failures()) == 0
    assert finished.metrics().pl()["value"].to_list() == list(range(1, 13))


def test_what_no_memory_suffices_for_is_missing_and_never_stored_as_failed(
    write_model: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hog = tmp_path / "hog"
    model = write_model(HOG.replace("held =", f"open({str(hog)!r}, 'w').close(); held ="))
    asked = iter(range(10**9))
    monkeypatch.setattr(memory_watch, "available_share", lambda: 0.01 if hog.exists() and next(asked) % 4 == 3 else 1.0)
    with pytest.raises(ExecutorError, match="replication 5 of scenario 'base' needs more memory"):
        run(model, 12, workers=1, retries=0)
    stored = Run(tmp_path / "runs")
    assert (stored.status().done, stored.status().failed) == (11, 0)


def test_sizes_are_read_as_people_write_them() -> None:
    assert [parse_size(t) for t in ("2GB", "500 MiB", "1.5g", "2000000000", 30_000_000)] == [
        2 * 10**9, 500 * 2**20, 15 * 10**8, 2 * 10**9, 30_000_000,
    ]  # fmt: skip
    assert size_text(1_500_000_000) == "1.5 GB"
    for wrong in ("", "2 XB", "-1GB", "1MB", "GB", "nan", "inf"):
        with pytest.raises(RequestError, match="--memory takes"):
            parse_size(wrong)


@pytest.mark.parametrize("version", [1, 2])
def test_a_control_group_that_allows_less_is_what_counts(tmp_path: Path, version: int) -> None:
    limit, usage = FILES[2 - version]
    (tmp_path / limit).write_text("100000000\n")
    (tmp_path / usage).write_text("99000000\n")
    assert available_share([tmp_path]) == pytest.approx(0.01)
    (tmp_path / "memory.stat").write_text("inactive_file 50000000\nother x\n")
    assert available_share([tmp_path]) == pytest.approx(0.51)
    (tmp_path / limit).write_text("max\n")
    assert available_share([tmp_path]) > 0.02


def test_what_the_system_says_of_those_it_ended_is_read_and_its_silence_too(tmp_path: Path) -> None:
    assert out_of_memory_kills([tmp_path]) == 0
    (tmp_path / "memory.events").write_text("low 0\noom 3\noom_kill 2\n")
    assert out_of_memory_kills([tmp_path]) == 2
    assert out_of_memory_kills() >= 0


def test_a_kill_for_want_of_memory_is_told_apart_where_the_system_says_so(
    write_model: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = write_model(
        "import os, time\ndef simulate(replication):\n    time.sleep(0.3)\n"
        "    if replication == 2: os.kill(os.getpid(), 9)\n    return 1\n"
    )
    said = iter([0])
    monkeypatch.setattr(memory_watch, "out_of_memory_kills", lambda: next(said, 1))
    (failure,) = run(model, 3, retries=0, workers=1).failures()
    assert (failure["error_kind"], failure["error_type"]) == ("memory", "OutOfMemory")
