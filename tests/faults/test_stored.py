"""What is stored can be checked: damage is named, missing when planning, refused when reading, mended by `resume`."""

from __future__ import annotations

import getpass
import json
import platform
import shutil
from pathlib import Path

import pytest

from replicast.cli import main
from replicast.core.errors import StoreError
from replicast.core.record import FORMAT, NAME
from replicast.runs import Run, run
from replicast.stores import open_store

OLD = Path(__file__).parent.parent / "data" / "run_of_0_1_0"
TABLES = ("metrics.csv", "patients.csv", "scenarios.csv")
MODEL = """
def simulate(rng, beds=3):
    stays = rng.exponential(beds, size=3)
    return {"wait": float(rng.random() * beds), "patients": {"stay": stays.tolist(), "ward": ["a", "b", "a"]}}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    (folder / "model.py").write_text(MODEL)
    one = run(folder / "model.py", 20, seed=3, store=folder / "runs", name="one", on="serial")
    one.collate(folder / "out")
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "made")


def collated(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.csv")}


def parts(folder: Path, table: str) -> list[Path]:
    return sorted((folder / "runs" / "one" / "parts" / table).rglob("*.parquet"))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize(
    "command",
    [["summary"], ["collate", "-o", "x"], ["compare"], ["report", "-o", "x.html"], ["sql", "SELECT * FROM metrics"],
     ["copy", "--from", "runs", "--to", "copied"]],
)  # fmt: skip
@pytest.mark.parametrize("way", ["flipped", "removed"])
def test_every_command_that_reads_refuses_damage_by_name_and_says_what_mends_it(
    folder: Path, command: list[str], way: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    (damaged, *_) = parts(folder, "metrics")
    flip(damaged) if way == "flipped" else damaged.unlink()
    where = [] if command[0] == "copy" else ["--store", "runs"]
    assert main([command[0], "one", *command[1:], *where]) == 3
    said = capsys.readouterr().err
    assert damaged.name in said
    assert "replicast resume one" in said


def test_resume_simulates_again_what_was_damaged_and_the_tables_are_those_of_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    first, *_ = parts(folder, "patients")
    shutil.rmtree(folder / "runs" / "one" / "parts" / "replications")
    flip(first)
    assert main(["verify", "one", "--stored", "--store", "runs"]) == 1
    assert first.name in capsys.readouterr().out
    assert main(["resume", "one", "--store", "runs", "-o", "again"]) == 0
    assert "damaged, and simulated again: 'parts/" in capsys.readouterr().err
    assert collated(folder / "again") == collated(folder / "out")
    assert main(["verify", "one", "--stored", "--store", "runs"]) == 0
    assert "all that is stored of run one is what was stored" in capsys.readouterr().out


def test_a_name_that_is_run_again_mends_too(folder: Path) -> None:
    flip(parts(folder, "metrics")[0])
    again = run(folder / "model.py", 20, seed=3, store=folder / "runs", name="one", on="serial")
    again.collate(folder / "again")
    assert collated(folder / "again") == collated(folder / "out")


def test_a_changed_copy_of_the_source_is_damage(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = folder / "runs" / "one" / "model" / "model.py"
    source.write_text(MODEL.replace("3", "4"))
    assert main(["verify", "one", "--stored", "--store", str(folder / "runs"), "--json"]) == 1
    (damaged,) = json.loads(capsys.readouterr().out)["damaged"]
    assert damaged.startswith("'model/model.py' is not what the model was")


def test_the_source_is_stored_before_the_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kill in between leaves no run that could never be resumed."""
    from replicast.stores.object_documents import ObjectDocuments

    written: list[str] = []
    write = ObjectDocuments.write

    def note(self: ObjectDocuments, run: str, name: str, content: bytes, *, new: bool = False) -> bool:
        written.append(name)
        return write(self, run, name, content, new=new)

    monkeypatch.setattr(ObjectDocuments, "write", note)
    (tmp_path / "model.py").write_text(MODEL)
    run(tmp_path / "model.py", 1, seed=3, store=tmp_path / "runs", on="serial")
    assert written.index("model/model.py") < written.index(NAME)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    copied = shutil.copytree(OLD, tmp_path / "runs")
    record = json.loads((copied / "old" / NAME).read_text())
    record |= {"user": getpass.getuser(), "host": platform.node()}
    (copied / "old" / NAME).write_text(json.dumps(record))
    return copied


def test_a_run_of_0_1_0_is_read_topped_up_and_collated(old: Path, tmp_path: Path) -> None:
    handle = Run(old, "old")
    assert (handle.status().done, handle.status().failed) == (16, 2)
    assert len(handle.metrics()) == 14
    handle.resume(12, workers=1)
    handle.collate(tmp_path / "out")
    for name in TABLES:
        assert (tmp_path / "out" / name).read_bytes() == (OLD / name).read_bytes(), name
    assert json.loads((old / "old" / NAME).read_text())["format"] == FORMAT


def test_a_copy_of_a_run_of_0_1_0_has_digests(old: Path, tmp_path: Path) -> None:
    from replicast.stores.copying import copy_run

    source, target = open_store(str(old)), open_store(str(tmp_path / "copied"))
    copy_run(source, target, "old")
    assert list(target.damage("old")) == []
    (metrics, *_) = sorted((tmp_path / "copied" / "old" / "parts" / "metrics").rglob("*.parquet"))
    flip(metrics)
    assert [metrics.name in str(damage) for damage in target.damage("old")] == [True]


def test_a_part_of_0_1_0_without_a_byte_is_named(old: Path) -> None:
    (first, *_) = sorted((old / "old" / "parts" / "metrics").rglob("*.parquet"))
    first.write_bytes(b"")
    with pytest.raises(StoreError, match=f"{first.name}.* has no bytes at all"):
        Run(old, "old").summary()
