"""What of a folder belongs to the model: all it may read, and nothing that a run wrote."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicast.asking import source as module
from replicast.asking import walking
from replicast.asking.commit import commit_of
from replicast.asking.source import SUMMARY_HEADER, Choice, changes, find_source
from replicast.core.errors import RequestError, SourceDamaged
from replicast.performing.copies import Source, check_out, code_hash, digest
from replicast.stores import open_store
from replicast.stores.objects import ObjectStore


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def fill(folder: Path, names: Iterable[str], content: str = "x") -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def git(folder: Path, *arguments: str) -> None:
    identity = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_CONFIG_GLOBAL": os.devnull}
    environment = os.environ | identity | {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b"}
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True, env=environment)


BELONGS = [
    "model.py", "helper.py", "R/functions.R", "data/beds.csv", "data/deep/er/x.parquet", "ü ö.csv", "README.md",
    "wards/__init__.py", "a#b.txt", "model.v2.R", "results/notes.csv", "env/x.py", "build/x.py", "dist/x.whl",
    "runs/beds.csv", "venv/ward.py", ".here", "lib/x.csv", "src/wards.egg-info/PKG-INFO", "summary.parquet",
    "old/summary.parquet", "renv/activate.R",
]  # fmt: skip
DOES_NOT = [
    ".hidden", ".venv/lib/x.py", ".Rhistory", "__pycache__/model.pyc", "helper.pyc", "backup.py~", "node_modules/x.js",
    "renv/library/x.R", "data/__pycache__/x.py", "wards/.cache/y", "packages/pyvenv.cfg", "packages/lib/x.py",
    "made/CACHEDIR.TAG", "made/x.csv", "conda/conda-meta/history", "conda/lib/x.py", "stored/one/run.json",
]  # fmt: skip


def test_all_that_lies_in_the_project_belongs_to_the_model_but_what_is_hidden_or_a_cache_or_installed(
    project: Path,
) -> None:
    """Never by its name alone: a folder called env, build, dist or runs may be the model's own package or data."""
    fill(project, [*BELONGS, *DOES_NOT])
    found = find_source(project)
    assert sorted(found.files) == sorted(BELONGS)
    assert found.left_out == {}


@pytest.mark.parametrize("store", ["runs", "my results", "data/stored"])
def test_a_store_of_runs_is_left_out_whatever_it_is_called(project: Path, store: str) -> None:
    fill(
        project,
        ["model.py", f"{store}/20260101T000000-abcdef/run.json", f"{store}/20260101T000000-abcdef/model/model.py"],
    )
    assert list(find_source(project).files) == ["model.py"]


def test_a_folder_that_holds_results_is_left_out(project: Path, tmp_path: Path) -> None:
    fill(project, ["model.py", "out/a.csv", "out/deep/b.csv", "other/c.csv"])
    assert list(find_source(project, without=[project / "out"]).files) == ["model.py", "other/c.csv"]
    assert len(find_source(project, without=[project / "none", tmp_path, project]).files) == 4


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_collate_wrote_is_left_out_and_said_to_be(
    project: Path, replicast: Callable[..., subprocess.CompletedProcess[str]], kind: str
) -> None:
    fill(project, ["data/summary of wards.csv"])
    fill(project, ["model.py"], "def simulate(rng):\n    return rng.random()\n")
    assert replicast("run", "model.py", "-n", "2", "--name", "x", cwd=project).returncode == 0
    assert replicast("collate", "x", "-o", "tables", "--format", kind, cwd=project).returncode == 0
    found = find_source(project)
    assert list(found.files) == ["data/summary of wards.csv", "model.py"]
    assert found.left_out == {"tables": "collate wrote it"}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_folder_of_some_collated_tables_is_left_out_and_one_with_anything_beside_them_is_not(
    project: Path, replicast: Callable[..., subprocess.CompletedProcess[str]], kind: str
) -> None:
    """Without a summary, the keys with which every table begins give it away."""
    fill(project, ["model.py"], "def simulate(rng):\n    return {'rows': [{'x': rng.random()}] * 2}\n")
    assert replicast("run", "model.py", "-n", "2", "--name", "x", cwd=project).returncode == 0
    for folder in ("results", "data"):
        asked = ("collate", "x", "-o", folder, "--format", kind, "--table", "rows")
        assert replicast(*asked, cwd=project).returncode == 0
    fill(project, ["data/observed.csv"], "ward,wait\n")
    found = find_source(project)
    assert found.left_out == {"results": "collate wrote it"}
    assert list(found.files) == ["data/observed.csv", f"data/rows.{kind}", "model.py"]


def test_a_summary_of_the_user_s_own_is_data(project: Path) -> None:
    fill(project, ["model.py", "data/summary.csv", "data/beds.csv"], "ward,beds\n")
    assert len(find_source(project).files) == 3


def test_results_kept_to_be_compared_with_are_data(project: Path) -> None:
    fill(project, ["model.py", "expected/metrics.csv"])
    (project / "expected" / "summary.csv").write_bytes(SUMMARY_HEADER)
    assert len(find_source(project).files) == 3


def test_what_git_ignores_is_left_out_and_what_is_new_is_not(project: Path) -> None:
    fill(project, ["model.py", "old.py", "data/kept.csv", "big/ignored.csv", "x.log", ".hidden/y", "runs/a/run.json"])
    (project / ".gitignore").write_text("big/\n*.log\n")
    git(project, "init", "-q")
    git(project, "add", "model.py", "old.py", ".gitignore")
    git(project, "commit", "-q", "-m", "first")
    (project / "old.py").unlink()
    fill(project, ["new.py", "ü.csv"])
    assert sorted(find_source(project).files) == ["data/kept.csv", "model.py", "new.py", "ü.csv"]


def test_a_model_in_a_folder_of_a_repository_is_that_folder_alone(project: Path) -> None:
    fill(project, ["above.py", "models/a/model.py", "models/a/data.csv", "models/b/model.py"])
    git(project, "init", "-q")
    assert sorted(find_source(project / "models" / "a").files) == ["data.csv", "model.py"]


def test_a_model_that_git_ignores_is_copied_all_the_same(project: Path) -> None:
    fill(project, ["scratch/model.py", "scratch/helper.py"])
    (project / ".gitignore").write_text("scratch/\n")
    git(project, "init", "-q")
    assert sorted(find_source(project / "scratch", ["model.py"]).files) == ["helper.py", "model.py"]


def test_a_needed_file_is_taken_wherever_it_lies(project: Path) -> None:
    fill(project, ["model.py", ".hidden/collate.py", "build/x.R"])
    assert sorted(find_source(project, ["model.py", ".hidden/collate.py", "build/x.R"]).files) == [
        ".hidden/collate.py", "build/x.R", "model.py",
    ]  # fmt: skip
    with pytest.raises(RequestError, match=r"there is no file .*none\.R"):
        find_source(project, ["none.R"])


class TestTooLargeAFolder:
    def test_too_many_files_are_refused_with_the_folders_that_hold_most(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MOST_FILES", 20)
        fill(project, ["model.R", *(f"data/{i}.csv" for i in range(30))])
        with pytest.raises(RequestError, match=r"more than 20 files, among them data \(\d+ files\).*exclude"):
            find_source(project, ["model.R"])
        assert list(find_source(project, ["model.R"], choice=Choice(exclude=("data",))).files) == ["model.R"]

    def test_too_many_bytes_are_refused_with_the_largest_files(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MOST_BYTES", 10**6)
        fill(project, ["model.py", "lib/helper.py", "data/small.bin"])
        fill(project, ["data/large.bin"], "x" * 2 * 10**6)
        with pytest.raises(RequestError, match=r"the largest files: data/large.bin \(2 MB\)"):
            find_source(project, ["model.py"])
        found = find_source(project, ["model.py"], choice=Choice(exclude=("**/large.*",)))
        assert sorted(found.files) == ["data/small.bin", "lib/helper.py", "model.py"]

    def test_a_home_folder_is_refused_before_it_is_looked_through(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(project, ["model.py"])
        monkeypatch.setattr(module, "Walk", None)
        for home in (project, project / "me"):
            monkeypatch.setenv("HOME", str(home))
            with pytest.raises(RequestError, match="your home directory"):
                find_source(project, ["model.py"])

    def test_a_large_folder_is_not_read_to_its_end(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MOST_FILES", 20)
        fill(project, ["model.py", *(f"f{folder}/{i}.txt" for folder in range(20) for i in range(10))])
        looked_at: list[str] = []
        scan = os.scandir

        def counting(path: str | Path = ".") -> object:
            looked_at.append(str(path))
            return scan(path)

        monkeypatch.setattr(walking.os, "scandir", counting)
        with pytest.raises(RequestError):
            find_source(project, ["model.py"])
        assert len(looked_at) < 60


class TestLinks:
    def test_a_loop_of_links_ends_and_what_is_linked_is_copied(self, project: Path, tmp_path: Path) -> None:
        fill(project, ["model.py", "data/x.csv"])
        fill(tmp_path, ["elsewhere.csv", "shared/deep/y.csv"], "linked")
        (project / "linked.csv").symlink_to(tmp_path / "elsewhere.csv")
        (project / "shared").symlink_to(tmp_path / "shared")
        (project / "data" / "loop").symlink_to(project)
        (tmp_path / "shared" / "back").symlink_to(project)
        (project / "dangling").symlink_to(tmp_path / "nothing")
        found = find_source(project)
        assert sorted(found.files) == ["data/x.csv", "linked.csv", "model.py", "shared/deep/y.csv"]
        assert found.left_out == {
            "dangling": "it is a link that leads nowhere",
            "data/loop": "it is a link to a folder above it",
            "shared/back": "it is a link to a folder above it",
        }
        found.copy_to(tmp_path / "copy")
        for name in ("linked.csv", "shared/deep/y.csv"):
            assert (tmp_path / "copy" / name).read_text() == "linked"
            assert not (tmp_path / "copy" / name).is_symlink()

    def test_a_link_to_a_very_large_folder_is_refused(self, project: Path, tmp_path: Path, monkeypatch: Any) -> None:
        monkeypatch.setattr(module, "MOST_FILES", 20)
        fill(project, ["model.py"])
        fill(tmp_path / "all", [f"{i}.csv" for i in range(30)])
        (project / "all").symlink_to(tmp_path / "all")
        with pytest.raises(RequestError, match="all \\("):
            find_source(project)


def test_names_that_are_no_text_and_things_that_are_no_files_are_named(project: Path) -> None:
    fill(project, ["model.py"])
    (project / os.fsdecode(b"caf\xe9.csv")).write_text("x")
    os.mkfifo(project / "pipe")
    found = find_source(project)
    assert list(found.files) == ["model.py"]
    assert sorted(found.left_out.values()) == ["it is no file", "its name is not UTF-8"]


class TestChoice:
    def test_what_is_included_is_taken_though_a_rule_leaves_it_out(self, project: Path) -> None:
        fill(project, ["model.py", "private.py", ".env", "big/a.csv", "big/b.txt", "cache/CACHEDIR.TAG", "cache/x.csv"])
        (project / ".gitignore").write_text("private.py\nbig/\n")
        git(project, "init", "-q")
        assert list(find_source(project).files) == ["model.py"]
        choice = Choice(("private.py", ".env", "big/*.csv", "cache/"))
        assert sorted(find_source(project, choice=choice).files) == [
            ".env", "big/a.csv", "cache/CACHEDIR.TAG", "cache/x.csv", "model.py", "private.py",
        ]  # fmt: skip
        assert sorted(find_source(project, choice=Choice(("big",), ("**/*.txt",))).files) == ["big/a.csv", "model.py"]

    def test_a_package_among_runs_is_taken_without_the_runs(self, project: Path) -> None:
        """What the message about a package called `runs` proposes must not copy every earlier run."""
        fill(project, ["model.py", "runs/__init__.py", "runs/sub/rates.py", "runs/one/run.json", "runs/one/model/m.py"])
        assert list(find_source(project).files) == ["model.py"]
        taken = find_source(project, choice=Choice(("runs",)))
        assert sorted(taken.files) == ["model.py", "runs/__init__.py", "runs/sub/rates.py"]
        assert "runs/one/run.json" in find_source(project, choice=Choice(("runs/one",))).files

    @pytest.mark.parametrize("pattern", ["nothing.csv", "../x", "/etc/passwd", "", "data/*.none"])
    def test_what_includes_nothing_of_the_project_is_refused(self, project: Path, pattern: str) -> None:
        fill(project, ["model.py", "data/x.csv"])
        with pytest.raises(RequestError, match=r"\[source\] include"):
            find_source(project, choice=Choice((pattern,)))

    @pytest.mark.parametrize(
        ("pattern", "gone"),
        [
            ("data", {"data/a.csv", "data/deep/b.csv", "data/deep/c.txt"}),
            ("data/", {"data/a.csv", "data/deep/b.csv", "data/deep/c.txt"}),
            ("data/*.csv", {"data/a.csv"}),
            ("data/**/*.csv", {"data/a.csv", "data/deep/b.csv"}),
            ("**/*.csv", {"data/a.csv", "data/deep/b.csv", "d.csv"}),
            ("?.csv", {"d.csv"}),
            ("**/deep", {"data/deep/b.csv", "data/deep/c.txt"}),
        ],
    )
    def test_what_is_excluded_is_gone(self, project: Path, pattern: str, gone: set[str]) -> None:
        names = {"model.py", "data/a.csv", "data/deep/b.csv", "data/deep/c.txt", "d.csv"}
        fill(project, names)
        assert set(find_source(project, choice=Choice((), (pattern,))).files) == names - gone

    def test_what_the_model_needs_is_never_excluded(self, project: Path) -> None:
        fill(project, ["model.py", "helper.py"])
        assert list(find_source(project, ["model.py"], choice=Choice((), ("*.py",))).files) == ["model.py"]


class TestRepositories:
    def test_negations_and_files_that_are_tracked_though_ignored_count_as_git_counts_them(self, project: Path) -> None:
        fill(project, ["model.py", "a.csv", "keep.csv", "tracked.csv", "sub/b.csv", "sub/c.csv"])
        (project / ".gitignore").write_text("*.csv\n!keep.csv\n")
        (project / "sub" / ".gitignore").write_text("!c.csv\n")
        git(project, "init", "-q")
        git(project, "add", "-f", "tracked.csv")
        found = find_source(project)
        assert sorted(found.files) == ["keep.csv", "model.py", "sub/c.csv", "tracked.csv"]
        assert set(found.left_out) == {"a.csv", "sub/b.csv"}

    def test_submodules_and_work_trees_are_asked_themselves(self, project: Path, tmp_path: Path) -> None:
        fill(tmp_path / "library", ["shared.py", "made.log"])
        (tmp_path / "library" / ".gitignore").write_text("*.log\n")
        git(tmp_path / "library", "init", "-q")
        git(tmp_path / "library", "add", ".")
        git(tmp_path / "library", "commit", "-q", "-m", "first")
        fill(project, ["model.py"])
        git(project, "init", "-q")
        git(project, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(tmp_path / "library"), "lib")
        git(project, "add", ".")
        git(project, "commit", "-q", "-m", "first")
        fill(project, ["lib/made.log"])
        git(project, "worktree", "add", "-q", str(tmp_path / "tree"))
        assert sorted(find_source(project).files) == ["lib/shared.py", "model.py"]
        assert sorted(find_source(tmp_path / "tree").files) == ["model.py"]

    def test_a_hook_that_names_another_repository_does_not_mislead(
        self, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(project, ["model.py", "x.log"])
        (project / ".gitignore").write_text("*.log\n")
        git(project, "init", "-q")
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "another"))
        assert list(find_source(project).files) == ["model.py"]

    def test_where_git_is_not_installed_nothing_is_left_out_and_that_is_said(
        self, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fill(project, ["model.py", "x.log"])
        (project / ".gitignore").write_text("*.log\n")
        git(project, "init", "-q")
        monkeypatch.setenv("PATH", "")
        found = find_source(project)
        assert sorted(found.files) == ["model.py", "x.log"]
        assert "git could not be asked" in found.notes[0]

    def test_databases_of_runs_are_no_files_of_a_model_and_others_are(self, project: Path) -> None:
        fill(project, ["model.py"])
        open_store(f"sqlite:///{project}/runs.db").write("r", "note", b"")
        (project / "runs.db-journal").write_bytes(b"")
        with closing(sqlite3.connect(project / "patients.db")) as database:
            database.execute("CREATE TABLE runs (a)")
        (project / "plain.db").write_bytes(b"no database")
        assert sorted(find_source(project).files) == ["model.py", "patients.db", "plain.db"]


class TestCopies:
    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return ObjectStore(str(tmp_path / "runs"))

    def test_a_copy_is_the_same_as_the_source_and_so_is_what_a_run_keeps(
        self, project: Path, tmp_path: Path, store: ObjectStore
    ) -> None:
        fill(project, BELONGS, "content\r\nü\n")
        (project / "data" / "raw.bin").write_bytes(bytes(range(256)))
        (project / "empty").write_bytes(b"")
        (project / "data" / "beds.csv").chmod(0o755)
        found = find_source(project)
        found.copy_to(tmp_path / "copy")
        found.save(store, "run")
        check_out(store, "run", tmp_path / "again")
        for name, sha in found.files.items():
            assert digest(tmp_path / "copy" / name) == digest(tmp_path / "again" / name) == sha
        assert os.access(tmp_path / "copy" / "data" / "beds.csv", os.X_OK)
        assert changes(found.files, find_source(tmp_path / "again")) == []
        assert code_hash(found.files) == code_hash(find_source(tmp_path / "copy").files)

    def test_a_file_that_is_gone_from_the_run_is_missed(
        self, project: Path, tmp_path: Path, store: ObjectStore
    ) -> None:
        fill(project, ["model.py"])
        find_source(project).save(store, "run")
        files = {"model.py": digest(project / "model.py"), "helper.py": "0"}
        with pytest.raises(SourceDamaged, match=r"'model/helper\.py' of run run is gone from the store"):
            check_out(store, "run", tmp_path / "again", files)

    def test_a_file_that_the_run_did_not_begin_with_is_not_taken_from_the_store(
        self, project: Path, tmp_path: Path, store: ObjectStore
    ) -> None:
        fill(project, ["model.py"])
        found = find_source(project)
        found.save(store, "run")
        store.write("run", "model/random.py", b"raise SystemExit")
        check_out(store, "run", tmp_path / "again", found.files)
        assert [path.name for path in (tmp_path / "again").iterdir()] == ["model.py"]

    def test_a_file_that_changed_in_the_store_is_refused(
        self, project: Path, tmp_path: Path, store: ObjectStore
    ) -> None:
        fill(project, ["model.py"])
        found = find_source(project)
        found.save(store, "run")
        store.write("run", "model/model.py", b"RATE = 2")
        with pytest.raises(SourceDamaged, match=r"'model/model\.py' of run run is not.*replicast resume run"):
            check_out(store, "run", tmp_path / "again", found.files)

    def test_a_run_without_source_is_an_empty_folder(self, tmp_path: Path, store: ObjectStore) -> None:
        check_out(store, "run", tmp_path / "again")
        assert list((tmp_path / "again").iterdir()) == []


class TestChanges:
    @pytest.fixture
    def found(self, project: Path) -> Callable[[], Source]:
        fill(project, ["model.py", "beds.csv", "R/f.R"])
        return lambda: find_source(project)

    def test_nothing_changed(self, found: Callable[[], Source]) -> None:
        assert changes(found().files, found()) == []

    @pytest.mark.parametrize("name", ["model.py", "beds.csv", "R/f.R"])
    def test_a_changed_file_is_named(self, project: Path, found: Callable[[], Source], name: str) -> None:
        before = found().files
        fill(project, [name], "y")
        assert changes(before, found()) == [f"{name}: was changed"]

    def test_a_changed_byte_is_enough_and_a_touched_file_is_not(
        self, project: Path, found: Callable[[], Source]
    ) -> None:
        before = found().files
        os.utime(project / "model.py", (1, 1))
        assert changes(before, found()) == []

    def test_a_file_that_is_gone_is_named(self, project: Path, found: Callable[[], Source]) -> None:
        before = found().files
        (project / "beds.csv").unlink()
        assert changes(before, found()) == ["beds.csv: is gone"]

    def test_new_code_is_a_change_and_new_data_is_none(self, project: Path, found: Callable[[], Source]) -> None:
        before = found().files
        fill(project, ["plot.pdf", "notes.txt", "more.csv"])
        assert changes(before, found()) == []
        fill(project, ["helper.R"])
        assert changes(before, found()) == ["helper.R: is new"]

    @given(st.dictionaries(st.text(min_size=1, max_size=5), st.text("0123456789abcdef", min_size=4, max_size=4)))
    def test_the_hash_of_code_depends_on_names_and_contents_alone(self, files: dict[str, str]) -> None:
        assert code_hash(files) == code_hash(dict(reversed(files.items())))
        assert code_hash(files) != code_hash(files | {"one more": "0000"})


@pytest.mark.long
def test_a_file_that_takes_our_output_is_not_the_models(
    replicast: Callable[..., subprocess.CompletedProcess[str]], write_model: Callable[..., Path]
) -> None:
    folder = write_model("def simulate(rng):\n    return rng.random()\n").parent
    for name, count in (("first.txt", 2), ("second.txt", 4), ("first.txt", 6)):
        with (folder / name).open("w") as output:
            options = {"cwd": folder, "capture_output": False, "stdout": output, "stderr": output}
            done = replicast("run", "model.py", "-n", count, "--name", "x", **options)
        assert done.returncode == 0, (folder / name).read_text()
    assert sorted(path.name for path in (folder / "runs" / "x" / "model").iterdir()) == ["model.py"]


def test_the_commit_is_named_and_whether_its_files_were_changed(tmp_path: Path) -> None:
    def now() -> str:
        head = ["git", "-C", str(tmp_path), "rev-parse", "HEAD"]
        return subprocess.run(head, check=True, capture_output=True, text=True).stdout.strip()

    (tmp_path / "model").mkdir()
    folder = tmp_path / "model"
    assert commit_of(folder) == ""
    git(tmp_path, "init", "-q")
    assert commit_of(folder) == ""
    (folder / "model.py").write_text("a = 1\n")
    (tmp_path / ".gitignore").write_text("*.log\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "one")
    head = now()
    (folder / "printed.log").write_text("ignored")
    (tmp_path / "beside.py").write_text("not of the model\n")
    assert commit_of(folder) == head
    (folder / "new.py").write_text("b = 2\n")
    assert commit_of(folder) == head + "+"
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "two")
    assert commit_of(folder) == now() != head
    (folder / "model.py").write_text("a = 3\n")
    assert commit_of(folder).endswith("+")
