"""One experiment in Python and in R, everywhere it can be carried out and kept: every CSV must be the same to the byte.

    python tools/matrix.py [--languages python,r] [--stores folder,sqlite,postgresql,mysql,s3]
                           [--places serial,local:1,local:2,local:3,local:4,dask:2,slurm:2,aws]
                           [--courses straight,topped-up,interrupted]

Each line is a run of the command line: in which language, kept where, carried out where by how many workers, and how:
at once, with twice the replications asked for later, or with its process killed on the way and resumed. On AWS, of
which an emulator is started, a run is kept in the stack's bucket. Slurm is started where it is installed, as root. What
cannot be had here is named. Exit status 1 where a digest differs from the first of its language, or a run failed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from torture_stores import NewUrl, opened

from replicast.core.errors import ReplicastError
from replicast.stores import open_store

ROOT = Path(__file__).resolve().parents[1]
MODELS = {
    "python": ("model.py", """
import time
def simulate(replication, rng, shift=0.0):
    time.sleep(0.03)
    if replication == 5:
        raise ValueError("five")
    x = shift + float(rng.normal())
    patients = [{"los": x / (k + 1), "ward": "ab"[k % 2]} for k in range(replication % 3)]
    return {"x": x, "n": replication, "patients": patients}
"""),
    "r": ("model.R", """
simulate <- function(replication, shift = 0) {
  Sys.sleep(0.03)
  if (replication == 5) stop("five")
  x <- shift + rnorm(1)
  k <- seq_len(replication %% 3)
  list(x = x, n = replication, patients = data.frame(los = x / k, ward = c("a", "b")[k]))
}
"""),
}  # fmt: skip
REPLICATIONS, LONGEST_SECONDS = 10, 180
SCENARIOS = ("--scenario", "base", "--scenario", "shifted:shift=1.5")
CLI = (sys.executable, "-P", "-m", "replicast")


@dataclass(frozen=True)
class Cell:
    language: str
    store: str
    place: str
    course: str

    @property
    def on(self) -> list[str]:
        place, _, workers = self.place.partition(":")
        return ["--on", place, *(["--workers", workers] if workers else [])]


class Failed(Exception):
    """What a command of the run printed that did not end well."""


def replicast(*arguments: str) -> None:
    ended = subprocess.run([*CLI, *arguments], capture_output=True, text=True, timeout=LONGEST_SECONDS, check=False)
    if ended.returncode:
        raise Failed(f"{arguments[0]} ended with {ended.returncode}: {ended.stderr.strip()[-600:]}")


def carried_out(cell: Cell, model: Path, url: str, folder: Path) -> dict[str, str]:
    """The SHA-256 of each collated CSV. On AWS a run is kept in the stack's own store. Raises Failed."""
    store, name = ["--store", url], f"matrix-{folder.name}"
    kept = [] if cell.place == "aws" else store
    run = ["run", str(model), "--seed", "7", "--name", name, "--tolerate", "2", "--quiet", *SCENARIOS, *kept, *cell.on]
    half = ["-n", str(REPLICATIONS // 2 if cell.course == "topped-up" else REPLICATIONS)]
    if cell.course == "interrupted":
        interrupt([*run, *half], url, name)
        replicast("resume", name, "--quiet", *store)
    else:
        replicast(*run, *half)
    if cell.course == "topped-up":
        replicast("resume", name, "-n", str(REPLICATIONS), "--quiet", *store)
    replicast("collate", name, "-o", str(folder), *store)
    found = sorted(folder.glob("*.csv"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


def interrupt(arguments: list[str], url: str, name: str) -> None:
    """Kills the process when something of its run is stored; it may have ended by then."""
    process = subprocess.Popen(
        [*CLI, *arguments], start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + LONGEST_SECONDS
    while process.poll() is None and not is_begun(url, name) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


def is_begun(url: str, name: str) -> bool:
    try:
        return bool(open_store(url).coverage(name).done("base"))
    except ReplicastError:
        return False


@contextmanager
def slurm() -> Iterator[str]:
    """Why there is none, or empty while there is; its user has to reach the folder."""
    if shutil.which("slurmctld") is None or os.geteuid() != 0:
        yield "Slurm is not installed, or this is not root"
        return
    from servers import free_port

    folder = Path(tempfile.mkdtemp(prefix="slurm-"))
    ports = {"SLURMCTLD_PORT": str(free_port()), "SLURMD_PORT": str(free_port())}
    command = ["sh", str(ROOT / "tools" / "slurm-up.sh"), str(folder)]
    subprocess.run(command, check=True, timeout=60, env=os.environ | ports, stdout=subprocess.DEVNULL)
    os.environ["SLURM_CONF"] = str(folder / "slurm.conf")
    try:
        yield ""
    finally:
        subprocess.run([*command, "down"], check=False, timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def stack(model: Path) -> Iterator[str]:
    """The store of a stack on an emulator of AWS, with the model in it."""
    import demo_aws
    from servers import free_port

    from replicast.aws import commands
    from replicast.aws.access import Aws
    from replicast.aws.database import Wanted
    from replicast.aws.sandbox import environment, started

    with started(free_port()) as url:
        os.environ.update(environment(url))
        contents = commands.Contents(dependencies=False)
        aws = Aws(region=os.environ["AWS_REGION"])
        state = demo_aws.deployed(aws, "replicast", model, contents, Wanted())
        yield f"s3://{state.bucket}/runs"


def cells(arguments: argparse.Namespace) -> Iterator[Cell]:
    for language in arguments.languages.split(","):
        for place in arguments.places.split(","):
            for store in ["bucket"] if place == "aws" else arguments.stores.split(","):
                for course in arguments.courses.split(","):
                    yield Cell(language, store, place, course)


class Matrix:
    def __init__(self, folder: Path, urls: dict[str, NewUrl], without: dict[str, str]) -> None:
        self.folder, self.urls, self.without = folder, urls, without
        self.first: dict[str, dict[str, str]] = {}
        self.tried = self.wrong = 0
        self.models = {language: folder / "models" / language / name for language, (name, _) in MODELS.items()}
        for language, file in self.models.items():
            file.parent.mkdir(parents=True)
            file.write_text(MODELS[language][1], encoding="utf-8")

    def try_out(self, cell: Cell) -> None:
        left_out = self._without(cell)
        if left_out:
            self._say(cell, f"left out: {left_out}")
            return
        self.tried += 1
        out = self.folder / f"out-{self.tried}"
        try:
            found = carried_out(cell, self.models[cell.language], self.urls[cell.store](), out)
        except (Failed, subprocess.TimeoutExpired) as error:
            self.wrong += 1
            self._say(cell, f"FAILED: {error}")
            return
        equal = found == self.first.setdefault(cell.language, found) and len(found) >= 4
        self.wrong += not equal
        digests = " ".join(f"{name.removesuffix('.csv')}={digest[:12]}" for name, digest in found.items())
        self._say(cell, f"{'equal' if equal else 'DIFFERENT'} {digests}")

    def _without(self, cell: Cell) -> str:
        if cell.place == "aws" and (cell.language == "r" or cell.course == "interrupted"):
            return "R needs an image there" if cell.language == "r" else "nothing of it is this machine's to kill"
        return self.without.get(cell.language) or self.without.get(cell.place.partition(":")[0], "")

    def _say(self, cell: Cell, text: str) -> None:
        where = f"{cell.language:<7} {cell.store:<11} {cell.place:<8} {cell.course:<12}"
        print(f"{where} {text}", flush=True)


def matrix(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="matrix-") as name, ExitStack() as stack_of:
        folder, without = Path(name), dict[str, str]()
        if shutil.which("Rscript") is None:
            without["r"] = "R is not installed"
        urls = stack_of.enter_context(opened(folder, arguments.stores.split(",")))
        made = Matrix(folder, urls, without)
        if "slurm" in arguments.places:
            without["slurm"] = stack_of.enter_context(slurm())
        wanted = list(cells(arguments))
        for cell in (one for one in wanted if one.place != "aws"):
            made.try_out(cell)
        if "aws" in arguments.places.split(","):
            bucket = stack_of.enter_context(stack(made.models["python"]))
            urls["bucket"] = lambda: bucket
            for cell in (one for one in wanted if one.place == "aws"):
                made.try_out(cell)
    print(f"{made.tried} runs, {made.wrong} different or failed")
    for language, digests in made.first.items():
        print("\n".join(f"{digest}  {language}/{file}" for file, digest in digests.items()))
    return int(made.wrong > 0)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--languages", default="python,r")
    parser.add_argument("--stores", default="folder,sqlite,postgresql,mysql,s3")
    parser.add_argument("--places", default="serial,local:1,local:2,local:3,local:4,dask:2,slurm:2,aws")
    parser.add_argument("--courses", default="straight,topped-up,interrupted")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(matrix(parsed()))
