"""One run, one model: what changed between two sittings is named and refused, or accepted and said ever after."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast as package
from replicast.core.record import RunRecord
from replicast.core.segments import edits_of, notes_on_record, surroundings_changes
from replicast.models import python_outside
from replicast.models.python_imports import Imports
from replicast.models.python_outside import imports_in

Replicast = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "model.py").write_text(
        "import rates\n\ndef simulate(rng):\n    return {'x': rates.current() + 0 * rng.random()}\n"
    )
    return tmp_path / "project"


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package on PYTHONPATH, outside the project."""
    folder = tmp_path / "lib" / "rates"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("def current():\n    from .deep import RATE\n    return RATE\n")
    (folder / "deep.py").write_text("RATE = 1.0\n")
    (folder / "table.csv").write_text("1\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "lib"))
    return folder


def run(replicast: Replicast, project: Path, *arguments: str) -> None:
    done = replicast("run", "model.py", "-n", "3", "--seed", "1", "--name", "x", *arguments, cwd=project)
    assert done.returncode == 0, done.stderr


def record_of(project: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((project / "runs" / "x" / "run.json").read_text())
    return found


class TestCodeFromOutside:
    @pytest.mark.long
    @pytest.mark.parametrize("file", ["deep.py", "table.csv"])
    def test_a_change_of_it_is_named_and_refused_and_accepted_only_on_demand(
        self, replicast: Replicast, project: Path, outside: Path, file: str
    ) -> None:
        run(replicast, project)
        assert set(record_of(project)["outside"]) == {"rates/__init__.py", "rates/deep.py", "rates/table.csv"}
        (outside / file).write_text("RATE = 1000.0\n")
        for command in (["resume", "x", "-n", "6"], ["run", "model.py", "-n", "6", "--name", "x"]):
            done = replicast(*command, cwd=project)
            assert done.returncode == 2, done.stderr
            assert f"rates/{file}, imported from outside the project" in done.stderr
            assert "replicast resume x --accept-changes" in done.stderr
        assert record_of(project)["replications"] == 3
        again = replicast("verify", "x", "--json", cwd=project)
        assert again.returncode == (1 if file == "deep.py" else 0)
        assert "was changed" in again.stderr
        assert json.loads(again.stdout)["changes"]

        done = replicast("resume", "x", "-n", "6", "--accept-changes", "--json", cwd=project)
        assert done.returncode == 0, done.stderr
        assert "from two versions of the model" in " ".join(json.loads(done.stdout)["notes"])
        segments = record_of(project)["segments"]
        assert [segment["stored"] for segment in segments] == [0, 3]
        assert file in segments[1]["changes"][0]
        handle = package.Run(project / "runs", "x")
        assert "from two versions of the model" in " ".join(handle.summary().notes)
        assert "from two versions of the model" in handle.report(project / "x.html").read_text()
        assert replicast("resume", "x", "-n", "7", cwd=project).returncode == 0

    @pytest.mark.parametrize("command", [["resume", "x", "-n", "6"], ["replay", "x", "1"]])
    def test_where_it_was_is_said_when_it_is_not_found_any_more(
        self, replicast: Replicast, project: Path, outside: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
    ) -> None:
        run(replicast, project)
        monkeypatch.delenv("PYTHONPATH")
        done = replicast(*command, cwd=project)
        assert done.returncode == 2
        assert f"No module named 'rates'; the run imported it from '{outside / '__init__.py'}'" in done.stderr
        assert "pip install" not in done.stderr

    @pytest.mark.long
    def test_what_a_function_imports_when_it_is_called_is_found_too(
        self, replicast: Replicast, project: Path, outside: Path
    ) -> None:
        (project / "model.py").write_text("def simulate():\n    import helper\n    return helper.give()\n")
        (project / "helper.py").write_text("def give():\n    from rates import current\n    return current()\n")
        run(replicast, project)
        (outside / "deep.py").write_text("RATE = 1000.0\n")
        done = replicast("resume", "x", "-n", "6", cwd=project)
        assert done.returncode == 2, done.stderr
        assert "rates/deep.py" in done.stderr

    @pytest.mark.long
    def test_a_path_that_the_model_adds_itself_is_no_way_around(
        self, replicast: Replicast, project: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "rates.py").write_text("def current():\n    return 1.0\n")
        model = project / "model.py"
        model.write_text(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n" + model.read_text())
        run(replicast, project)
        (tmp_path / "rates.py").write_text("def current():\n    return 1000.0\n")
        done = replicast("resume", "x", "-n", "6", cwd=project)
        assert done.returncode == 2
        assert "rates.py, imported from outside" in done.stderr

    @pytest.mark.long
    @pytest.mark.usefixtures("outside")
    def test_the_same_code_in_another_place_is_no_change(
        self, replicast: Replicast, project: Path, tmp_path: Path
    ) -> None:
        run(replicast, project)
        (tmp_path / "lib").rename(tmp_path / "moved")
        options = {"cwd": project, "env": os.environ | {"PYTHONPATH": str(tmp_path / "moved")}}
        assert replicast("resume", "x", "-n", "4", **options).returncode == 0


class TestTheRunsOwnRecord:
    @pytest.fixture
    def stored(self, replicast: Replicast, project: Path) -> Path:
        (project / "rates.py").write_text("def current():\n    return 1.0\n")
        run(replicast, project)
        return project / "runs" / "x"

    @pytest.mark.long
    def test_an_edit_of_the_runs_copy_is_refused(self, replicast: Replicast, project: Path, stored: Path) -> None:
        (stored / "model" / "rates.py").write_text("def current():\n    return 1000.0\n")
        done = replicast("resume", "x", "-n", "6", cwd=project)
        assert done.returncode == 2
        assert "rates.py in the run's copy: was changed" in done.stderr
        assert "rates.py in the run's copy: was changed" in replicast("replay", "x", "1", cwd=project).stderr
        done = replicast("resume", "x", "-n", "6", "--accept-changes", cwd=project)
        assert done.returncode == 0
        assert "from two versions of the model" in done.stderr

    @pytest.mark.parametrize(
        ("old", "new", "named"), [('"seed": 1', '"seed": 2', "seed"), ('"common": true', '"common": false', "streams")]
    )
    def test_an_edit_of_the_record_is_refused(
        self, replicast: Replicast, project: Path, stored: Path, old: str, new: str, named: str
    ) -> None:
        text = (stored / "run.json").read_text()
        assert text.count(old) == 1
        (stored / "run.json").write_text(text.replace(old, new))
        done = replicast("resume", "x", "-n", "6", cwd=project)
        assert done.returncode == 2
        assert f"{named} of the experiment in run.json: was edited" in done.stderr

    @pytest.mark.usefixtures("stored")
    def test_an_edit_of_the_project_changes_nothing_and_a_line_says_so(
        self, replicast: Replicast, project: Path
    ) -> None:
        (project / "rates.py").write_text("def current():\n    return 1000.0\n")
        done = replicast("resume", "x", "-n", "6", "--json", cwd=project)
        assert done.returncode == 0
        assert json.loads(done.stdout)["summary"][0]["mean"] == 1.0
        assert "edited in the project since" in done.stderr
        assert "rates.py" in done.stderr
        done = replicast("run", "model.py", "-n", "9", "--name", "x", cwd=project)
        assert done.returncode == 2
        assert "replicast resume x" in done.stderr

    @pytest.mark.long
    def test_a_document_that_was_edited_is_no_change(self, replicast: Replicast, project: Path) -> None:
        (project / "rates.py").write_text("def current():\n    return 1.0\n")
        (project / "README.md").write_text("one")
        run(replicast, project)
        (project / "README.md").write_text("two")
        assert replicast("run", "model.py", "-n", "4", "--name", "x", cwd=project).returncode == 0
        assert replicast("resume", "x", "-n", "5", cwd=project).returncode == 0


class TestPackages:
    @pytest.fixture
    def record(self, tmp_path: Path) -> RunRecord:
        (tmp_path / "model.py").write_text("import simpy\n\ndef simulate(rng):\n    return rng.random()\n")
        return package.run(tmp_path / "model.py", n=2, seed=1, store=tmp_path / "runs").record

    def test_versions_of_what_was_imported_are_recorded_and_of_nothing_else(self, record: RunRecord) -> None:
        assert {"replicast", "python", "numpy", "simpy"} <= set(record.versions)
        assert not {"polars", "rich", "obstore", "pytest"} & set(record.versions)
        assert len(record.segments) == 1

    def test_another_version_a_package_that_is_gone_and_a_new_one_are_named(self, record: RunRecord) -> None:
        now = dict(record.versions) | {"numpy": "0.1", "more": "1.0", "replicast": "99"}
        del now["simpy"]
        found = surroundings_changes(record, now, {})
        assert [line.partition(":")[0] for line in found] == ["package numpy", "package simpy", "package more"]
        assert surroundings_changes(record, record.versions, record.outside) == []

    def test_a_record_of_an_earlier_version_is_compared_by_what_it_has(self, record: RunRecord) -> None:
        old = dataclasses.replace(record, segments=(), digests={}, versions={"python": "3", "numpy": "1"})
        assert surroundings_changes(old, {"python": "3", "numpy": "1", "simpy": "4"}, {"a.py": "x  a.py"}) == []
        assert edits_of(old) == []
        assert [*notes_on_record(old), *notes_on_record(record)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import a.b, c as d", ["a.b", "c"]),
        ("def f():\n    from x.y import (z, w as v)", ["x.y", "x.y.z", "x.y.w"]),
        ("    from . import near", [".", ".near"]),
        ("from .deep import X", [".deep", ".deep.X"]),
        ("important = 1\nfromage = 2\nx = 'import z'", []),
    ],
)
def test_imports_are_read_from_a_text(text: str, found: list[str]) -> None:
    assert list(imports_in(text)) == found


class TestInstalledPackages:
    """One from an index is known by its version; the user's own, installed from a folder, by its files as well."""

    @pytest.fixture
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        site = tmp_path / "site-packages"
        (site / "rates").mkdir(parents=True)
        (site / "rates" / "__init__.py").write_text("RATE = 1.0\n")
        monkeypatch.setattr(python_outside, "is_installed", lambda path: "site-packages" in path)
        return site

    def met(self, site: Path, tmp_path: Path) -> tuple[dict[str, str], dict[str, str]]:
        for cached in (python_outside.distribution_of, python_outside._info_of):
            cached.cache_clear()
        found = python_outside.Surroundings(Imports(tmp_path / "copy", None), frozenset())
        found._meet("rates", str(site / "rates" / "__init__.py"))
        return found.packages, found.outside

    def installed(self, site: Path, direct_url: dict[str, Any] | None) -> None:
        (site / "rates-1.0.dist-info").mkdir()
        if direct_url is not None:
            (site / "rates-1.0.dist-info" / "direct_url.json").write_text(json.dumps(direct_url))

    def test_a_change_in_one_from_a_folder_shows_though_its_version_stays(self, site: Path, tmp_path: Path) -> None:
        self.installed(site, {"url": "file:///home/me/rates", "dir_info": {}})
        packages, outside = self.met(site, tmp_path)
        assert packages == {"rates": "1.0"} and set(outside) == {"rates/__init__.py"}
        (site / "rates" / "__init__.py").write_text("RATE = 1000.0\n")
        again, changed = self.met(site, tmp_path)
        assert again == packages
        assert changed["rates/__init__.py"] != outside["rates/__init__.py"]

    def test_one_that_was_put_there_by_hand_is_known_by_its_files(self, site: Path, tmp_path: Path) -> None:
        packages, outside = self.met(site, tmp_path)
        assert packages == {"rates": "unknown"} and set(outside) == {"rates/__init__.py"}

    @pytest.mark.parametrize("direct_url", [None, {"url": "https://example.org/rates.whl", "archive_info": {}}])
    def test_one_from_elsewhere_is_known_by_its_version(
        self, site: Path, tmp_path: Path, direct_url: dict[str, Any] | None
    ) -> None:
        self.installed(site, direct_url)
        assert self.met(site, tmp_path) == ({"rates": "1.0"}, {})
