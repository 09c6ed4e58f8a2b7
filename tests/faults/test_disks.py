"""A disk that is full or read-only while a run is under way; what a killed command left; a run that is read then."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import replicast
from replicast.core.errors import StoreError

Write = Callable[..., Path]
N = 12
MODEL = """
import subprocess
def simulate(rng, replication, shift=0.0, at=0, deed=""):
    if replication == at and deed:
        subprocess.run(deed, shell=True, check=True)
    return {"x": float(rng.random()), "rows": {"a": rng.random(4000).tolist()}}
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root mounts a disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def collated(run: replicast.Run, folder: Path) -> dict[str, bytes]:
    run.collate(folder)
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def mended(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,rw,size=64m", str(disk)], check=True)
    (disk / "filler").unlink(missing_ok=True)


@pytest.mark.long
@pytest.mark.parametrize("on", ["serial", "local"])
@pytest.mark.parametrize("store", ["runs", "runs.db"])
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_run_whose_disk_fails_says_so_and_goes_on_when_it_is_mended(
    write_model: Write, disk: Path, tmp_path: Path, fault: str, store: str, on: str
) -> None:
    deeds = {
        "full": f"head -c 8000000 /dev/zero > {disk}/filler 2>/dev/null || true",
        "read-only": f"mount -o remount,ro {disk}",
    }
    model, url = write_model(MODEL), (f"sqlite:///{disk}/{store}" if store.endswith("db") else str(disk / store))
    faulty = {"at": 5, "deed": f"test -e {tmp_path}/once || {{ touch {tmp_path}/once; {deeds[fault]}; }}"}
    said = r"[Nn]o space|full|os error 28" if fault == "full" else r"[Rr]ead-?only|os error 30"
    with pytest.raises(StoreError, match=said):
        replicast.run(model, N, seed=1, store=url, name="one", on=on, workers=1, params=faulty)
    mended(disk)
    again = replicast.Run(url, "one")
    again.resume(workers=1)
    whole = replicast.run(model, N, seed=1, store=tmp_path / "whole", on="serial", params=faulty)
    found, wanted = collated(again, tmp_path / "found"), collated(whole, tmp_path / "wanted")
    assert found == wanted


def test_what_a_killed_command_left_is_removed_by_the_next_and_what_a_live_one_writes_is_not(
    write_model: Write, tmp_path: Path
) -> None:
    run = replicast.run(write_model(MODEL), 2, seed=1, store=tmp_path / "runs", on="serial")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    out = tmp_path / "out"
    out.mkdir()
    left = [out / f".metrics.csv.{gone.pid}", out / f".rows.csv.{gone.pid}"]
    kept = [out / f".metrics.csv.{os.getppid()}", out / ".metrics.csv.mine", out / f".mine.csv.{gone.pid}"]
    for file in (*left, *kept):
        file.write_text("half")
    run.collate(out)
    assert [file for file in left if file.exists()] == []
    assert [file for file in kept if not file.exists()] == []


@pytest.mark.long
def test_a_run_that_is_read_while_it_is_under_way_gives_whole_replications_and_says_how_many(
    write_model: Write, tmp_path: Path
) -> None:
    model = write_model(MODEL.replace("    return", "    import time; time.sleep(0.15)\n    return"))
    url = f"sqlite:///{tmp_path}/runs.db"
    command = [sys.executable, "-P", "-m", "replicast", "run", str(model), "-n", str(N), "--seed", "1", "--name", "one"]
    command += ["--store", url, "--workers", "2", "--quiet"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    seen: list[int] = []
    while process.poll() is None and len(seen) < 200:
        try:
            run = replicast.Run(url, "one")
            rows, values = run.table("rows"), run.metrics()
        except replicast.ReplicastError:
            time.sleep(0.05)
            continue
        counted = {row["replication"] for row in values}
        assert len(rows) % 4000 == 0
        assert run.damage() == []
        seen.append(len(counted))
    assert process.wait() == 0
    assert seen == sorted(seen)
    whole = replicast.run(model, N, seed=1, store=tmp_path / "whole", on="serial")
    assert collated(replicast.Run(url, "one"), tmp_path / "a") == collated(whole, tmp_path / "b")
