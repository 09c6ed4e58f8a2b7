"""Workers see the run's copy and installed packages, and nothing of the folder where a user happens to be."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

Replicast = Callable[..., "subprocess.CompletedProcess[str]"]
MODEL = "import {name}\n\ndef simulate(rng):\n    return {{'x': {name}.RATE + 0 * rng.random()}}\n"
PLACES = ["local", "serial"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose module `settings_here` git ignores."""
    folder = tmp_path / "project"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    (folder / ".gitignore").write_text("settings_here.py\n")
    (folder / "settings_here.py").write_text("RATE = 1.0\n")
    (folder / "model.py").write_text(MODEL.format(name="settings_here"))
    return folder


def run(replicast: Replicast, folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    options = {"cwd": folder, "env": os.environ | variables}
    return replicast("run", "model.py", "-n", "2", "--seed", "1", *arguments, **options)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("variables", [{}, {"PYTHONPATH": "."}, {"PYTHONPATH": "PROJECT"}], ids=str)
def test_a_module_that_the_copy_lacks_is_not_taken_from_the_project(
    replicast: Replicast, project: Path, place: str, variables: dict[str, str]
) -> None:
    variables = {name: value.replace("PROJECT", str(project)) for name, value in variables.items()}
    done = run(replicast, project, "--on", place, **variables)
    assert done.returncode == 2
    assert "stands in the project as 'settings_here.py', but was left out" in done.stderr
    assert 'include = ["settings_here.py"]' in done.stderr
    assert "pip install" not in done.stderr


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_a_model_that_puts_its_project_on_the_path_by_its_full_name_gets_the_copy(
    replicast: Replicast, project: Path, place: str
) -> None:
    model = project / "model.py"
    model.write_text(f"import sys\nsys.path.insert(0, {str(project)!r})\n" + model.read_text())
    assert run(replicast, project, "--on", place).returncode == 2
    (project / ".gitignore").write_text("")
    model.write_text(model.read_text() + "\nassert settings_here.__file__.startswith(__file__.rpartition('/')[0])\n")
    done = run(replicast, project, "--on", place)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_files_named_as_modules_that_we_and_libraries_need_do_no_harm(project: Path, place: str) -> None:
    """The command is started as an installed script is, without the folder where the user is on its path."""
    (project / "model.py").write_text("def simulate(rng):\n    print('x')\n    return rng.random()\n")
    names = {*sys.stdlib_module_names, "replicast", "numpy", "obstore", "arro3", "msgspec", "psutil", "polars", "rich"}
    for name in names - {"__main__"}:
        (project / f"{name}.py").write_text(f"raise SystemExit('the {name} of the user')\n")
    command = [sys.executable, "-P", "-m", "replicast", "run", "model.py", "-n", "2", "--on", place, "-o", "out"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (project / "out" / "metrics.csv").read_text().count("\n") == 3


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_a_file_named_as_a_module_of_the_standard_library_is_the_models_where_it_asks_for_it(
    replicast: Replicast, project: Path, place: str
) -> None:
    (project / "sched.py").write_text("RATE = 3.0\n")
    (project / "model.py").write_text(MODEL.format(name="sched"))
    done = run(replicast, project, "--on", place, "--json")
    assert done.returncode == 0, done.stderr
    assert '"mean": 3.0' in done.stdout


def editable(project: Path, site: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an editable install of the project's `src/wards` leaves in a folder of packages."""
    (project / "src" / "wards").mkdir(parents=True)
    (project / "src" / "wards" / "__init__.py").write_text("from .deep import RATE\n")
    (project / "src" / "wards" / "deep.py").write_text("RATE = 2.0\nWHERE = __file__\n")
    site.mkdir()
    if kind == "path":
        (site / "wards.pth").write_text(f"{project / 'src'}\n")
    else:
        (site / "wards_finder.py").write_text(FINDER.format(folder=str(project / "src" / "wards")))
        (site / "wards.pth").write_text("import wards_finder; wards_finder.install()\n")
    user = site.parent / "user"
    (user / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}").mkdir(parents=True)
    (site / "sitecustomize.py").write_text(f"import site\nsite.addsitedir({str(site)!r})\n")
    monkeypatch.setenv("PYTHONPATH", str(site))


FINDER = """
import sys
from importlib.util import spec_from_file_location

class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "wards":
            folder = {folder!r}
            return spec_from_file_location(name, folder + "/__init__.py", submodule_search_locations=[folder])

def install():
    sys.meta_path.append(Finder)
"""


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", ["path", "finder"])
def test_a_package_installed_editable_from_inside_the_project_is_served_from_the_copy(
    replicast: Replicast, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, place: str
) -> None:
    editable(project, tmp_path / "site", kind, monkeypatch)
    (project / "model.py").write_text(
        MODEL.format(name="wards") + "\nimport os, wards.deep\nassert wards.deep.WHERE.startswith(os.getcwd())\n"
    )
    done = run(replicast, project, "--on", place, "--name", "x", "--json")
    assert done.returncode == 0, done.stderr
    (project / "src" / "wards" / "deep.py").write_text("RATE = 1000.0\nWHERE = __file__\n")
    done = replicast("resume", "x", "-n", "4", "--json", cwd=project)
    assert done.returncode == 0, done.stderr
    assert '"mean": 2.0' in done.stdout


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_a_namespace_package_and_an_archive_are_taken_from_the_copy(
    replicast: Replicast, project: Path, place: str
) -> None:
    (project / "space").mkdir()
    (project / "space" / "inner.py").write_text("RATE = 1.0\n")
    with zipfile.ZipFile(project / "more.zip", "w") as archive:
        archive.writestr("zipped.py", "RATE = 4.0\n")
    (project / "model.py").write_text(
        f"import os, sys\nsys.path[:0] = [{str(project)!r}, {str(project / 'more.zip')!r}]\n"
        "import space.inner, zipped\n"
        "for module in (space.inner, zipped):\n    assert module.__file__.startswith(os.getcwd()), module.__file__\n"
        "def simulate(rng):\n    return {'x': space.inner.RATE + zipped.RATE + 0 * rng.random()}\n"
    )
    done = run(replicast, project, "--on", place, "--json")
    assert done.returncode == 0, done.stderr
    assert '"mean": 5.0' in done.stdout


def test_a_module_above_the_project_is_named_with_the_way_to_take_it_in(replicast: Replicast, project: Path) -> None:
    (project.parent / "common.py").write_text("RATE = 1.0\n")
    (project / "model.py").write_text("import sys\nsys.path.insert(0, '..')\n" + MODEL.format(name="common"))
    done = run(replicast, project)
    assert done.returncode == 2
    assert "common.py', outside the project that is copied: say --project" in done.stderr
    assert "pip install" not in done.stderr


def test_a_module_that_is_nowhere_is_to_be_installed(replicast: Replicast, project: Path) -> None:
    (project / "model.py").write_text(MODEL.format(name="no_such_package"))
    assert "python -m pip install no_such_package" in run(replicast, project).stderr


def test_a_script_that_has_imported_the_projects_modules_runs_the_copy_in_its_own_process(project: Path) -> None:
    (project / ".gitignore").write_text("")
    script = project / "study.py"
    script.write_text(
        "import replicast, settings_here\n"
        "settings_here.RATE = 1000.0\n"
        "run = replicast.run('model.py', n=2, seed=1, on='serial')\n"
        "assert [row['x'] for row in run.metrics()] == [1.0, 1.0]\n"
        "assert settings_here.RATE == 1000.0\n"
    )
    done = subprocess.run([sys.executable, str(script)], cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
