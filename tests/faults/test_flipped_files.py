"""One bit of any file that a run leaves: the same numbers, or a message that names the file."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from replicast.cli import main
from replicast.core.factor_levels import FactorLevels
from replicast.performing.worker import LEVELS, NOTES, document_of
from replicast.runs import run
from replicast.stores import open_store

MODEL = """
def simulate(rng, beds=3):
    with open("kept.txt", "w") as file:
        file.write(str(rng.random()))
    return {"wait": rng.random() * beds, "rows": [{"ward": "ab"[k % 2], "los": rng.random()} for k in range(4)]}
"""
HANGS_ON_NOTHING = ("carried-out", "second-look", "labels.json")
"""Files that say when and where a run was carried out, and no number."""
FORMATS = ("csv", "rcolumns")


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    (folder / "model.py").write_text(MODEL)
    run(folder / "model.py", 3, seed=1, store=folder / "runs", name="r", on="serial", keep="files",
        scenarios={"a": {}, "b": {"beds": 5}})  # fmt: skip
    levels = FactorLevels("rows", "ward", ("a", "b", "c"), ordered=False).to_json()
    for place, content in ((LEVELS, levels), (NOTES, b"a table was renamed")):
        open_store(str(folder / "runs")).write("r", document_of(place, content), content)
    return folder / "runs"


def told(store: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> tuple[dict[str, bytes], str, list[int]]:
    """What was collated, all that was printed, and how the commands ended."""
    shutil.rmtree(out, ignore_errors=True)
    commands = [["summary", "r"], *(["collate", "r", "-o", str(out / f), "--format", f] for f in FORMATS)]
    commands += [["copy", "r", "--from", str(store), "--to", str(out / "copy")], ["verify", "r", "--stored"]]
    statuses = [main([*words, *(["--store", str(store)] if words[0] != "copy" else [])]) for words in commands]
    printed = capsys.readouterr()
    made = {f"{f}/{path.name}": path.read_bytes() for f in FORMATS for path in (out / f).glob("*")}
    return made, printed.out + printed.err, statuses


@pytest.mark.long
def test_no_flipped_bit_of_any_file_is_another_number_in_silence(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chance, store = random.Random(20261201), shutil.copytree(stored, tmp_path / "runs")
    whole, _, statuses = told(store, tmp_path / "out", capsys)
    assert set(statuses) == {0}
    kinds = set()
    for file in sorted(path for path in stored.rglob("*") if path.is_file()):
        name, content = file.relative_to(stored), file.read_bytes()
        at = chance.randrange(len(content))
        flipped = bytes([content[at] ^ 1 << chance.randrange(8)])
        (store / name).write_bytes(content[:at] + flipped + content[at + 1 :])
        made, printed, statuses = told(store, tmp_path / "out", capsys)
        (store / name).write_bytes(content)
        kinds.add(name.parts[1])
        assert "Traceback" not in printed, name
        if name.parts[1] in HANGS_ON_NOTHING:
            assert (made, set(statuses)) == (whole, {0})
            continue
        if name.parts[1] == "run.json" and not any(statuses):  # a fact that decides no number: a time, a host's name
            assert made == whole
            continue
        assert statuses[-1], f"{name} passes verify --stored"
        assert all(made[one] == whole[one] for one in made), f"{name} is read otherwise"
        assert name.name.partition(".")[0] in printed, f"{name} is not named"
    assert kinds >= {"run.json", "model", "parts", "artefacts", LEVELS, NOTES}


def test_a_copy_of_the_model_that_changed_is_not_copied(
    stored: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = shutil.copytree(stored, tmp_path / "runs")
    (store / "r" / "model" / "model.py").write_text(MODEL.replace("beds=3", "beds=4"))
    assert main(["copy", "r", "--from", str(store), "--to", str(tmp_path / "copy")]) == 3
    said = capsys.readouterr().err
    assert "'model/model.py' is not what it was" in said
    assert "replicast resume r" in said
    assert not (tmp_path / "copy" / "r" / "run.json").exists()
