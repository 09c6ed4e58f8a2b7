"""Which folder travels with a model, and what is said of a file that did not."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from replicast.asking.missing import remedy
from replicast.asking.request import Request
from replicast.asking.roots import choice_of, marked_root, root_of
from replicast.asking.settings import read_experiment_file
from replicast.core.errors import RequestError
from replicast.models.languages import R

Replicast = Callable[..., "subprocess.CompletedProcess[str]"]


def fill(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def files_of(store: Path, run: str = "x") -> list[str]:
    return sorted(json.loads((store / run / "run.json").read_text())["files"])


READS = "import pathlib\n\ndef simulate(rng):\n    return {{'x': float(pathlib.Path({0!r}).read_text())}}\n"


class TestRoots:
    def test_what_is_said_goes_first_then_the_experiment_file_then_marks_for_r_then_the_models_own_folder(
        self, tmp_path: Path
    ) -> None:
        model = fill(tmp_path / "all", {"a/b/model.R": "", "a/b/model.py": "", "a/DESCRIPTION": ""}) / "a/b/model.R"
        toml = fill(tmp_path / "all", {"experiment.toml": "", "sourced/experiment.toml": "[source]\nroot = '..'"})
        inside = read_experiment_file(toml / "experiment.toml")
        sourced = read_experiment_file(toml / "sourced" / "experiment.toml")
        assert root_of(Request(project=str(tmp_path), file=sourced), model)[0] == tmp_path
        assert root_of(Request(file=sourced), model)[0] == tmp_path / "all"
        assert root_of(Request(file=inside), model)[0] == tmp_path / "all"
        assert root_of(Request(), model)[0] == tmp_path / "all" / "a"
        assert root_of(Request(), model.with_suffix(".py"))[0] == tmp_path / "all" / "a" / "b"

    @pytest.mark.parametrize("mark", [".here", "x.Rproj", "DESCRIPTION", "renv.lock"])
    def test_the_marks_of_an_r_project(self, tmp_path: Path, mark: str) -> None:
        fill(tmp_path / "p", {mark: "", "scripts/deep/sim.R": ""})
        assert marked_root(tmp_path / "p" / "scripts" / "deep", R.root_marks) == tmp_path / "p"

    @pytest.mark.parametrize("mark", [".git/config", "pyproject.toml", "README.md"])
    def test_nothing_else_is_a_mark(self, tmp_path: Path, mark: str) -> None:
        fill(tmp_path / "p", {mark: "", "scripts/sim.R": ""})
        assert marked_root(tmp_path / "p" / "scripts", R.root_marks) is None

    def test_a_mark_in_the_home_directory_is_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fill(tmp_path, {"DESCRIPTION": "", "scripts/sim.R": ""})
        monkeypatch.setenv("HOME", str(tmp_path))
        assert marked_root(tmp_path / "scripts", R.root_marks) is None

    def test_a_root_that_does_not_hold_the_model_is_refused(self, tmp_path: Path) -> None:
        fill(tmp_path, {"a/model.py": "", "b/x": ""})
        with pytest.raises(RequestError, match="does not lie in the project"):
            root_of(Request(project=str(tmp_path / "b")), tmp_path / "a" / "model.py")
        with pytest.raises(RequestError, match="is no folder"):
            root_of(Request(project=str(tmp_path / "none")), tmp_path / "a" / "model.py")

    def test_a_link_to_a_model_counts_as_lying_where_it_stands(self, tmp_path: Path) -> None:
        fill(tmp_path, {"shared/model.py": "", "p/x": ""})
        (tmp_path / "p" / "model.py").symlink_to(tmp_path / "shared" / "model.py")
        link = tmp_path / "p" / "model.py"
        assert root_of(Request(project=str(tmp_path / "p")), link) == (tmp_path / "p", link)

    def test_what_the_file_includes_and_excludes(self, tmp_path: Path) -> None:
        fill(tmp_path, {"e.toml": "[source]\ninclude = ['a']\nexclude = ['b', 'c']\n"})
        choice = choice_of(Request(file=read_experiment_file(tmp_path / "e.toml")))
        assert (choice.include, choice.exclude) == (("a",), ("b", "c"))

    @pytest.mark.parametrize("text", ["[source]\nincluded = []", "[source]\ninclude = 'a'", "source = 'x'"])
    def test_a_wrong_word_is_refused(self, tmp_path: Path, text: str) -> None:
        fill(tmp_path, {"e.toml": text})
        with pytest.raises(RequestError, match="source"):
            read_experiment_file(tmp_path / "e.toml")


class TestWholeProjects:
    @pytest.mark.long
    def test_a_model_that_imports_from_elsewhere_in_its_project_is_told_project(
        self, replicast: Replicast, tmp_path: Path
    ) -> None:
        model = "import sys; sys.path.insert(0, '..')\nimport common\n\ndef simulate():\n    return common.X\n"
        fill(tmp_path / "p", {"common.py": "X = 7.0\n", "models/model.py": model, "pyproject.toml": "", "data.csv": ""})
        done = replicast("run", "p/models/model.py", "-n", "2", "--name", "x")
        assert done.returncode == 2
        assert f"--project '{tmp_path / 'p'}'" in done.stderr
        done = replicast("run", "p/models/model.py", "-n", "2", "--name", "x", "--project", "p", "--json")
        assert done.returncode == 0, done.stderr
        assert files_of(tmp_path / "runs") == ["common.py", "data.csv", "models/model.py", "pyproject.toml"]
        assert replicast("verify", "x").returncode == 0

    @pytest.mark.long
    def test_the_folder_of_the_experiment_file_is_the_project_and_the_working_directory(
        self, replicast: Replicast, tmp_path: Path
    ) -> None:
        toml = "model = 'models/model.py'\nreplications = 2\n[source]\nexclude = ['big']\n"
        fill(
            tmp_path / "p",
            {"e.toml": toml, "models/model.py": READS.format("data/x.txt"), "data/x.txt": "5", "big/y": ""},
        )
        done = replicast("run", "--experiment", "p/e.toml", "--name", "x")
        assert done.returncode == 0, done.stderr
        assert files_of(tmp_path / "runs") == ["data/x.txt", "e.toml", "models/model.py"]

    @pytest.mark.long
    def test_a_home_directory_is_refused_before_anything_is_copied(self, replicast: Replicast, tmp_path: Path) -> None:
        fill(tmp_path, {"model.py": READS.format("x")})
        done = replicast("run", "model.py", env=os.environ | {"HOME": str(tmp_path)})
        assert done.returncode == 2
        assert "your home directory" in done.stderr
        assert not (tmp_path / "runs").exists()

    @pytest.mark.long
    def test_ignored_files_are_listed_before_the_first_replication_and_included_when_asked(
        self, replicast: Replicast, tmp_path: Path
    ) -> None:
        project = fill(tmp_path / "p", {"model.py": READS.format("beds.txt"), "beds.txt": "3", ".gitignore": "*.txt\n"})
        subprocess.run(["git", "init", "-q", str(project)], check=True)
        done = replicast("run", "model.py", "-n", "2", "--seed", "1", cwd=project)
        assert done.returncode == 1
        listed = "note: left out of the run's copy, as version control ignores it: beds.txt"
        assert done.stderr.index(listed) < done.stderr.index("failed")
        assert "'beds.txt' is in the project, but was left out of the run's copy" in done.stderr
        fill(project, {"e.toml": "model = 'model.py'\nreplications = 2\n[source]\ninclude = ['beds.txt']\n"})
        done = replicast("run", "--experiment", "e.toml", "--name", "x", "--json", cwd=project)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["summary"][0]["mean"] == 3.0
        assert "beds.txt" in files_of(project / "runs")

    @pytest.mark.long
    @pytest.mark.parametrize("folder", ["env", "build", "dist", "runs", "venv"])
    def test_a_package_of_the_models_is_copied_whatever_its_name_and_never_to_be_installed(
        self, replicast: Replicast, tmp_path: Path, folder: str
    ) -> None:
        model = f"import {folder}.rates as rates\n\ndef simulate():\n    return rates.X\n"
        fill(tmp_path / "p", {"model.py": model, f"{folder}/rates.py": "X = 1.0\n", f"{folder}/__init__.py": ""})
        command = ["run", "p/model.py", "-n", "2", "--store", "stored"]
        done = replicast(*command)
        assert done.returncode == 0, done.stderr
        fill(tmp_path / "p", {".gitignore": f"{folder}/\n"})
        subprocess.run(["git", "init", "-q", str(tmp_path / "p")], check=True)
        done = replicast(*command)
        assert done.returncode == 2
        assert "pip install" not in done.stderr
        assert f'include = ["{folder}"]' in done.stderr

    def test_data_above_the_models_folder_is_named_with_the_project_to_say(
        self, replicast: Replicast, tmp_path: Path
    ) -> None:
        fill(tmp_path / "p", {"models/model.py": READS.format("../data/x.txt"), "data/x.txt": "3"})
        done = replicast("run", "p/models/model.py", "-n", "2")
        assert done.returncode == 1
        assert f"--project '{tmp_path / 'p'}'" in done.stderr

    @pytest.mark.long
    @pytest.mark.r
    def test_a_script_of_an_r_project_runs_from_its_root(self, replicast: Replicast, tmp_path: Path) -> None:
        model = "source('R/f.R')\nbeds <- read.csv('data/beds.csv')\nsimulate <- function() f(beds$n[1])\n"
        fill(
            tmp_path / "p",
            {
                "p.Rproj": "Version: 1.0\n", "scripts/sim.R": model, "R/f.R": "f <- function(x) 2 * x\n",
                "data/beds.csv": "n\n4\n", ".Rprofile": "stop('never read')",
            },
        )  # fmt: skip
        done = replicast("run", "p/scripts/sim.R", "-n", "2", "--name", "x", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["summary"][0]["mean"] == 8.0

    @pytest.mark.r
    def test_a_file_that_an_r_model_misses_is_named_with_the_way_to_it(
        self, replicast: Replicast, tmp_path: Path
    ) -> None:
        model = "beds <- read.csv('../data/beds.csv')\nsimulate <- function() beds$n[1]\n"
        fill(tmp_path / "p", {"scripts/sim.R": model, "data/beds.csv": "n\n4\n"})
        done = replicast("run", "p/scripts/sim.R", "-n", "2")
        assert done.returncode == 2
        assert f"--project '{tmp_path / 'p'}'" in done.stderr


class TestRemedies:
    @pytest.mark.parametrize(
        "text",
        [
            "[Errno 2] No such file or directory: 'data/x.csv'",
            "[Errno 2] No such file or directory: '/tmp/replicast-abc123/model/data/x.csv'",
            "[Errno 2] No such file or directory: '/tmp/replicast-abc123/worker-2/model/data/x.csv'",
            "  File \"model.py\", line 3, in simulate\nFileNotFoundError: [Errno 2] No such file: 'data/x.csv'",
            "FileNotFoundError: data/x.csv not found.",
            "No such file or directory (os error 2): data/x.csv",
            "In file(file, \"rt\") : cannot open file 'data/x.csv': No such file or directory",
            "cannot open compressed file 'data/x.csv', probable reason 'No such file or directory'",
        ],
    )
    def test_a_file_is_found_in_a_message_whatever_says_it(self, text: str) -> None:
        assert "[source] include" in remedy(text, "", {"data": "version control ignores it"})
        assert "[source] include" in remedy(text, "/nowhere", {"data/x.csv": "version control ignores it"})
        assert remedy(text, "", {"dat": "no", "x.csv": "no"}) == ""

    def test_a_file_of_the_copy_is_not_what_is_missing(self, tmp_path: Path) -> None:
        fill(tmp_path, {"model.py": "", ".x.csv": ""})
        text = "model.py cannot be loaded: no such file: '.x.csv'"
        assert 'include = [".x.csv"]' in remedy(text, tmp_path, {}, ["model.py"])

    def test_a_file_that_is_read_by_its_full_name_is_named_as_the_project_has_it(
        self, replicast: Replicast, tmp_path: Path
    ) -> None:
        model = READS.format("{}/data/x.txt").replace("'{}/", "__file__.rpartition('/')[0] + '/")
        fill(tmp_path / "p", {"model.py": model, "data/x.txt": "3", ".gitignore": "data/\n"})
        subprocess.run(["git", "init", "-q", str(tmp_path / "p")], check=True)
        for place in ("local", "serial"):
            done = replicast("run", "p/model.py", "-n", "2", "--on", place)
            assert done.returncode == 1
            assert 'include = ["data/x.txt"]' in done.stderr

    def test_a_hidden_file_is_found_on_disk(self, tmp_path: Path) -> None:
        fill(tmp_path, {".secret/x.csv": ""})
        assert 'include = [".secret/x.csv"]' in remedy("No such file or directory: '.secret/x.csv'", tmp_path, {})

    def test_a_path_from_the_copys_own_place_is_seen_from_the_projects(self, tmp_path: Path) -> None:
        fill(tmp_path, {"p/model.py": "", "data/x.csv": ""})
        text = "No such file or directory: '/tmp/replicast-abc/data/x.csv'"
        assert f"--project '{tmp_path}'" in remedy(text, tmp_path / "p", {})

    @pytest.mark.parametrize("text", ["", "ValueError: 'data'", "No such file: '/etc/none'", "No such file: '\0'"])
    def test_nothing_is_said_of_anything_else(self, tmp_path: Path, text: str) -> None:
        assert remedy(text, tmp_path, {"data": "why"}) == ""
