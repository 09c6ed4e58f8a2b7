"""Places, stores and languages by name, and what plug-ins bring."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from replicast.core.errors import RequestError
from replicast.places import open_place
from replicast.registries import may_be_given
from replicast.testing import check_place

PLUG_IN = """
from replicast.core.errors import RequestError
from replicast.executors.serial import Serial
from replicast.models import LanguageKind
from replicast.models.languages import open_python
from replicast.places import Option, PlaceKind
from replicast.places.home import Conducted
from replicast.stores import StoreKind
from replicast.stores.objects import ObjectStore

def open_place(address, options, at_hand):
    with open("asked.txt", "w") as file:
        file.write(f"{address} {options}")
    return Conducted("cellar", lambda record: Serial())

PLACE = PlaceKind(open_place, (Option("queue", "which queue", shown="NAME"),))
STORE = StoreKind(lambda url, reached=False: ObjectStore(url.partition("://")[2]))
LANGUAGE = LanguageKind(open_python, (".pyx",))
"""


@pytest.fixture
def plug_in(tmp_path: Path) -> dict[str, str]:
    """The environment of a process in which a package with a place, a store and a language is installed."""
    site = tmp_path / "site"
    (site / "cellar-1.0.dist-info").mkdir(parents=True)
    (site / "cellar.py").write_text(PLUG_IN)
    (site / "cellar-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: cellar\nVersion: 1.0\n")
    (site / "cellar-1.0.dist-info" / "entry_points.txt").write_text(
        "[replicast.places]\ncellar = cellar:PLACE\nbroken = cellar:STORE\n"
        "[replicast.stores]\nshelf = cellar:STORE\n[replicast.languages]\npyx = cellar:LANGUAGE\n"
    )
    return os.environ | {"PYTHONPATH": str(site)}


def test_a_plug_ins_place_and_store_carry_a_run(
    plug_in: dict[str, str], write_model: Callable[..., Path], tmp_path: Path
) -> None:
    model = write_model("def simulate(rng):\n    return float(rng.normal())\n")
    command = [sys.executable, "-m", "replicast", "run", str(model), "-n", "3", "--json", "--on", "cellar://deep",
               "--cellar-queue", "short", "--store", f"shelf://{tmp_path / 'shelf'}"]  # fmt: skip
    done = subprocess.run(command, env=plug_in, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["done"] == 3
    assert (tmp_path / "asked.txt").read_text() == "deep {'queue': 'short'}"
    record = json.loads(next((tmp_path / "shelf").glob("*/run.json")).read_text())
    assert (record["place"], record["place_options"]) == ("cellar", {"queue": "short"})
    broken = subprocess.run([*command[:9], "broken"], env=plug_in, cwd=tmp_path, capture_output=True, text=True,
                            check=False)  # fmt: skip
    assert broken.returncode == 2
    assert "of cellar 1.0" in broken.stderr


def test_a_plug_ins_language_is_found(plug_in: dict[str, str]) -> None:
    code = ("from replicast.core.experiment import ModelReference; from replicast.models import language_of\n"
            "print(language_of(ModelReference('pyx')).suffixes)")  # fmt: skip
    asked = subprocess.run([sys.executable, "-c", code], env=plug_in, capture_output=True, text=True, check=True)
    assert asked.stdout == "('.pyx',)\n"


@pytest.mark.parametrize("place", ["local", "serial"])
def test_the_places_of_this_machine_do_what_every_place_must(place: str) -> None:
    check_place(place, workers=2)


def test_a_place_that_is_none_and_an_option_that_it_has_not_are_refused_by_name() -> None:
    with pytest.raises(RequestError, match="did you mean 'slurm'"):
        open_place("slrum")
    with pytest.raises(RequestError, match=r"has no option 'partitoin'.*did you mean 'partition'"):
        open_place("slurm", {"partitoin": "x"})
    with pytest.raises(RequestError, match="takes an integer"):
        open_place("slurm", {"cpus": "many"})


@pytest.mark.parametrize("kind", ["dist-info", "egg-info"])
def test_packages_are_asked_for_plug_ins_only_where_one_says_that_it_gives_some(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "meta_path", [PathFinder])  # other tests import what brings finders of its own
    package = tmp_path / f"cellar-1.0.{kind}"
    package.mkdir()
    assert not may_be_given("replicast.places", [str(tmp_path), str(tmp_path / "gone")])
    (package / "entry_points.txt").write_text("[console_scripts]\ncellar = cellar:main\n")
    assert not may_be_given("replicast.places", [str(tmp_path)])
    (package / "entry_points.txt").write_text("[replicast.places]\ncellar = cellar:KIND\n")
    assert may_be_given("replicast.places", [str(tmp_path)])
    assert not may_be_given("replicast.stores", [str(tmp_path)])


def test_what_cannot_be_looked_into_may_give_plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "packages.zip").write_bytes(b"")
    assert may_be_given("replicast.places", [str(tmp_path / "packages.zip")])
    (tmp_path / "old" / "cellar.egg").mkdir(parents=True)
    assert may_be_given("replicast.places", [str(tmp_path / "old")])

    class Finder:
        def find_distributions(self) -> None: ...

    monkeypatch.setattr(sys, "meta_path", [Finder()])
    assert may_be_given("replicast.places", [])
