"""What a package brings by entry points is used like what replicast comes with: a language, a place and its options."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOY = '''
"""A language in one table entry: a file of lines `name = mean`, each an exponential metric."""
from contextlib import contextmanager

from replicast.core.parameters import Parameter, Signature
from replicast.core.replication import Outcome
from replicast.core.streams import model_seed
from replicast.models import LanguageKind


class Toy:
    def __init__(self, folder, experiment):
        self.experiment = experiment
        lines = (folder / experiment.model.file).read_text().splitlines()
        self.means = {name.strip(): float(value) for name, value in (line.split("=") for line in lines)}

    def describe(self):
        means = tuple(Parameter(name, type="double", default=mean) for name, mean in self.means.items())
        return Signature(parameters=means, versions={"toy": "7.1"}, has_collate=True)

    @contextmanager
    def start(self):
        yield self.simulate

    def simulate(self, scenario, first, last, starting):
        import numpy

        for number in range(first, last + 1):
            starting(number)
            seed = model_seed(self.experiment.seed, number)
            rng = numpy.random.default_rng(seed)
            means = self.means | dict(scenario.parameters)
            metrics = {name: float(rng.exponential(mean)) for name, mean in means.items()}
            yield Outcome(scenario.name, number, 0.001, metrics, draws=seed)


def collate(folder, experiment, *, tables, **_):
    return {"longest": [{"model": experiment.model.file, "wait": max(tables()["metrics"].column("wait").to_pylist())}]}


def snippet(record, scenario, replication, folder, texts):
    return f"{texts} {replication}"


LANGUAGE = LanguageKind(
    lambda folder, experiment, **_: Toy(folder, experiment), (".toy",), title="Toy", collate=collate, snippet=snippet,
    streams={"parallel": "dice"}, refuses_seed=lambda seed: "" if seed < 2**40 else f"a toy takes no seed of {seed}",
)
'''

PLACE = """
from replicast.executors.serial import Serial
from replicast.places import Option, PlaceKind
from replicast.places.home import Conducted


def open_place(address, options, at_hand):
    with open("asked.txt", "w") as file:
        file.write(f"{address} {options}")
    return Conducted("cellar", lambda record: Serial())


PLACE = PlaceKind(open_place, (Option("queue", "which queue", shown="NAME"), Option("depth", "how deep", int)))
"""
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def asked(tmp_path: Path) -> Command:
    """`replicast`, in a folder and an environment in which a package with a language and a place is installed."""
    site = tmp_path / "site"
    (site / "toys-1.0.dist-info").mkdir(parents=True)
    (site / "toys.py").write_text(TOY)
    (site / "cellar.py").write_text(PLACE)
    (site / "toys-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: toys\nVersion: 1.0\n")
    (site / "toys-1.0.dist-info" / "entry_points.txt").write_text(
        "[replicast.languages]\ntoy = toys:LANGUAGE\n[replicast.places]\ncellar = cellar:PLACE\n"
    )

    def run(*arguments: str, with_plug_in: bool = True) -> subprocess.CompletedProcess[str]:
        there = {"PYTHONPATH": str(site)} if with_plug_in else {}
        return subprocess.run(
            [sys.executable, "-m", "replicast", *arguments], env=os.environ | there, cwd=tmp_path,
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


def test_a_language_is_one_table_entry(asked: Command, tmp_path: Path) -> None:
    """Found by its suffix, held to its signature, simulated by the pool, looked at by every command."""
    (tmp_path / "queue.toy").write_text("wait = 3\nservice = 1.5\n")
    done = asked("run", "queue.toy", "-n", "40", "--seed", "5", "--param", "wait=4", "--name", "one", "--json",
                 "--workers", "2", "-o", "tables")  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = {row["metric"]: row for row in json.loads(done.stdout)["summary"]}
    assert rows["wait"]["n"] == 40
    assert 2 < rows["wait"]["mean"] < 7
    record = json.loads((tmp_path / "runs" / "one" / "run.json").read_text())
    assert (record["experiment"]["model"]["language"], record["versions"]["toy"]) == ("toy", "7.1")
    wrong = asked("run", "queue.toy", "-n", "2", "--param", "wiat=4")
    assert wrong.returncode == 2
    assert "wait" in wrong.stderr
    for command in (
        ("resume", "one", "-n", "50"), ("replay", "one", "7"), ("verify", "one"), ("report", "one", "-o", "one.html"),
        ("check", "queue.toy"), ("summary", "one"), ("environment", "one"), ("status", "one"), ("list",),
        ("copy", "one", "--from", "runs", "--to", "copies"), ("failures", "one"),
    ):  # fmt: skip
        ended = asked(*command)
        assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    said = (tmp_path / "one.html").read_text()
    assert "Toy 7.1" in said
    assert "dice" in said
    (longest,) = csv.DictReader((tmp_path / "tables" / "longest.csv").read_text().splitlines())
    assert (longest["model"], float(longest["wait"])) == ("queue.toy", rows["wait"]["max"])
    assert asked("replay", "one", "7", "--snippet", "seven.toy").returncode == 0
    assert (tmp_path / "seven.toy").read_text() == "['wait = 3\\nservice = 1.5\\n'] 7"
    for wrong, why in ((("--seed", str(2**40)), "a toy takes no seed of 1"), (("--streams", "future"), "are R's"),
                       (("--keep", "rds"), "keep = \"rds\"")):  # fmt: skip
        refused = asked("run", "queue.toy", "-n", "2", *wrong)
        assert refused.returncode == 2
        assert why in refused.stderr
    for command in (["summary"], ["report", "-o", "again.html"], ["environment"], ["status"]):
        ended = asked(command[0], "one", *command[1:], with_plug_in=False)
        assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    serial = asked("run", "queue.toy", "-n", "50", "--seed", "5", "--param", "wait=4", "--on", "serial", "--name",
                   "two", "-o", "again", "--quiet")  # fmt: skip
    assert serial.returncode == 0, serial.stderr
    assert asked("collate", "one", "-o", "tables").returncode == 0
    for name in ("metrics.csv", "summary.csv"):
        assert (tmp_path / "tables" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_places_options_are_taken_from_the_experiment_file(asked: Command, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("def simulate(rng):\n    return float(rng.normal())\n")
    file = tmp_path / "experiment.toml"
    file.write_text('model = "model.py"\nreplications = 2\n[places.cellar]\nqueue = "long"\ndepth = 3\n')
    options = ("run", "--experiment", "experiment.toml", "--on", "cellar", "--quiet")
    done = asked(*options, "--name", "one")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "asked.txt").read_text() == " {'queue': 'long', 'depth': 3}"
    record = json.loads((tmp_path / "runs" / "one" / "run.json").read_text())
    assert (record["place"], record["place_options"]) == ("cellar", {"queue": "long", "depth": 3})
    over = asked(*options, "--cellar-queue", "short")
    assert over.returncode == 0, over.stderr
    assert (tmp_path / "asked.txt").read_text() == " {'queue': 'short', 'depth': 3}"
    (tmp_path / "asked.txt").unlink()
    assert asked("resume", "one", "-n", "3", "--quiet").returncode == 0
    assert (tmp_path / "asked.txt").read_text() == " {'queue': 'long', 'depth': 3}"
    assert asked("resume", "one", "-n", "4", "--on", "serial", "--quiet").returncode == 0
    record = json.loads((tmp_path / "runs" / "one" / "run.json").read_text())
    assert (record["place"], record["place_options"]) == ("serial", {})


@pytest.mark.parametrize(
    ("table", "said"),
    [('queu = "long"', "did you mean 'queue'"), ('depth = "deep"', "takes an integer")],
)
def test_a_places_options_in_the_experiment_file_are_checked(
    asked: Command, tmp_path: Path, table: str, said: str
) -> None:
    (tmp_path / "model.py").write_text("def simulate(rng):\n    return float(rng.normal())\n")
    (tmp_path / "experiment.toml").write_text(f'model = "model.py"\nreplications = 2\n[places.cellar]\n{table}\n')
    wrong = asked("run", "--experiment", "experiment.toml", "--on", "cellar", "--quiet")
    assert wrong.returncode == 2
    assert said in wrong.stderr
    assert not (tmp_path / "runs").exists()
