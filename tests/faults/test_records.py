"""What a store says of a run is data: each run is judged alone, by name, and without a traceback."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import json
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from replicast.cli import main
from replicast.conducting.presence import CONDUCTOR, someone_at_work
from replicast.core.errors import ReplicastError, RunNotFound, StoreError
from replicast.core.record import NAME, RunRecord
from replicast.core.segments import edits_of
from replicast.runs import Run, find_run, run
from replicast.stores import open_store

EDITS = 700
ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2**31, 2**70, 1.5, -0.5, 1e308, float("nan"), float("inf"), "", "x", "latest",
    "../../x", "/etc/passwd", "a\nb", "\ud800", "\x1b[2J", "9" * 500, [], {}, [1], ["x"], {"x": 1}, [[]], "5%",
    "2999-01-01T00:00:00",
)  # fmt: skip


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    model = folder / "model.py"
    model.write_text("def simulate(rng, beds=3):\n    return {'wait': rng.random() * beds}\n")
    for name in ("one", "two"):
        run(model, 3, seed=1, store=folder / "runs", name=name, on="serial", scenarios={"a": {}, "b": {"beds": 5}})
    return folder / "runs"


@pytest.fixture
def runs(stored: Path, tmp_path: Path) -> Path:
    return shutil.copytree(stored, tmp_path / "runs")


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def edited(record: dict[str, Any], chance: random.Random) -> bytes:
    """The record with one place changed, taken out, or a byte of its text changed."""
    content = copy.deepcopy(record)
    path = chance.choice([place for place in places(content) if place])
    parent: Any = content
    for key in path[:-1]:
        parent = parent[key]
    way = chance.randrange(4)
    if way == 0:
        del parent[path[-1]]
    elif way < 3:
        parent[path[-1]] = chance.choice(ODD)
    text = json.dumps(content).encode()
    if way == 3:
        at = chance.randrange(len(text))
        text = text[:at] + bytes([chance.randrange(256)]) + text[at + chance.randrange(2) :]
    return text


def test_a_record_edited_anywhere_is_taken_or_refused_by_name(stored: Path) -> None:
    record, chance = json.loads((stored / "one" / NAME).read_bytes()), random.Random(20260101)
    refused = 0
    for _ in range(4 * EDITS):
        content = edited(record, chance)
        try:
            taken = RunRecord.from_json(content, "run.json of run one", "one")
        except StoreError as error:
            refused += 1
            assert str(error).startswith("run.json of run one ")
        else:
            assert RunRecord.from_json(taken.to_json(), "run.json", "one") == taken or b"NaN" in content
    assert refused > EDITS


def test_no_flipped_bit_of_a_record_changes_what_decides_numbers_in_silence(stored: Path) -> None:
    whole = RunRecord.from_json((stored / "one" / NAME).read_bytes(), NAME)
    options = dataclasses.replace(whole.options, precision="wait=5%", maximum=9, control={"wait": 1.5})
    kept = dataclasses.replace(whole, planned={"a": 3, "b": 2}, options=options)
    content = kept.to_json()
    assert not edits_of(kept)

    def deciding(record: RunRecord) -> Any:
        return record.experiment.to_dict(), record.planned, record.options.control, record.segments, record.design

    told = 0
    for place in range(len(content)):
        for bit in range(8):
            flipped = content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
            with contextlib.suppress(StoreError):
                record = RunRecord.from_json(flipped, NAME, "one")
                told += bool(edits_of(record))
                assert edits_of(record) or deciding(record) == deciding(kept), (place, bit)
    assert told > 1000


@pytest.mark.parametrize("part", ["planned", "rates"])
def test_numbers_that_go_by_an_edited_record_say_so_and_it_is_damage(
    runs: Path, part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = json.loads((runs / "one" / NAME).read_bytes())
    if part == "planned":
        saved["planned"] = {"a": 2, "b": 3}
    else:
        saved["experiment"]["scenarios"][1]["parameters"]["beds"] = 50
    (runs / "one" / NAME).write_text(json.dumps(saved))
    said = "planned in run.json: was edited" if part == "planned" else "scenarios of the experiment in run.json: was"
    for words in (["summary"], ["compare"], ["collate", "-o", str(runs / "out")], ["verify", "--stored"]):
        status = main([words[0], "one", *words[1:], "--store", str(runs)])
        printed = capsys.readouterr()
        assert said in printed.out + printed.err, words
        assert status == (words[0] == "verify")


@pytest.mark.parametrize(
    "command",
    [
        ["status", "one"], ["list"], ["summary", "one"], ["failures", "one"], ["status", "latest"],
        ["collate", "one", "-o", "out"], ["copy", "one", "--from", "runs", "--to", "copy"], ["sql", "one", "SELECT 1"],
        ["compare", "one"],
    ],
)  # fmt: skip
def test_no_command_meets_an_edited_record_with_a_traceback(
    runs: Path, command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    record, chance = json.loads((runs / "one" / NAME).read_bytes()), random.Random(str(command))
    monkeypatch.chdir(runs.parent)
    for _ in range(EDITS // 25):
        content = edited(record, chance)
        (runs / "one" / NAME).write_bytes(content)
        where = [] if command[0] == "copy" else ["--store", str(runs)]
        status = main([*command, *where])
        printed = capsys.readouterr()
        assert status in (0, 1, 2, 3), content
        assert "Traceback" not in printed.err, content
        if command[0] == "list":
            assert "two" in printed.out


def test_one_damaged_record_stops_neither_list_nor_latest(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "one" / NAME).write_bytes(b"{")
    assert find_run(open_store(str(runs)), "latest").id == "two"
    assert main(["status", "latest", "--store", str(runs)]) == 0
    assert "left out: run.json of run one is damaged" in capsys.readouterr().err
    assert main(["list", "--store", str(runs), "--json"]) == 0
    printed = capsys.readouterr()
    assert [one["id"] for one in json.loads(printed.out)] == ["two"]
    assert "left out: run.json of run one is damaged" in printed.err
    (runs / "two" / NAME).write_bytes(b"")
    assert main(["status", "latest", "--store", str(runs)]) == 3
    assert "no run in" in capsys.readouterr().err


def test_a_run_whose_folder_was_renamed_is_refused_and_says_its_name(runs: Path) -> None:
    (runs / "one").rename(runs / "other")
    with pytest.raises(StoreError, match="says that it is of run 'one': what lies there was renamed"):
        Run(runs, "other")
    with pytest.raises(RunNotFound):
        Run(runs, "one")


@pytest.mark.parametrize("name", ["..", "../runs/one", "one/", "/etc", "", "a\x00b", "o\nne"])
def test_a_name_that_is_no_runs_is_not_looked_for_on_the_disk(runs: Path, name: str) -> None:
    with contextlib.suppress(ReplicastError):  # '' is the beginning of both
        assert Run(runs, name).id == "one"
        pytest.fail("it was taken")


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"null", b'{"pid": 1}', b'{"pid": "x", "host": "h", "time": 1, "executor": "local"}',
        b'{"pid": 1e99, "host": "h", "time": 1e99, "executor": "local"}', b"\xff" * 20,
    ],
)  # fmt: skip
def test_a_torn_beat_is_nobodys(runs: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    (runs / "one" / CONDUCTOR).write_bytes(content)
    assert someone_at_work(open_store(str(runs)), "one") is None
    assert main(["list", "--store", str(runs), "--json"]) == 0
    assert [one["state"] for one in json.loads(capsys.readouterr().out)] == ["done", "done"]


def test_a_beat_from_the_future_is_believed_as_far_as_clocks_stand_apart(runs: Path) -> None:
    store = open_store(str(runs))
    for ahead, there in ((0, True), (60, True), (3600, False), (1e12, False), (-60, False)):
        beat = {
            "pid": 1,
            "host": "elsewhere",
            "time": time.time() + ahead,
            "executor": "local",
            "of a later": "version",
        }
        store.write("one", CONDUCTOR, json.dumps(beat).encode())
        assert (someone_at_work(store, "one") is not None) is there
