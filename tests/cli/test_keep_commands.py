"""`tag`, `note`, `delete` and `cancel`: what is kept about a run, and whether it is kept at all."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from obstore.store import LocalStore

from replicast.core.errors import StoreError
from replicast.stores import open_store
from replicast.stores.objects import ObjectStore
from replicast.testing.removing import count, fill

Call = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]


@pytest.fixture
def finished(replicast: Call, write_model: Write) -> str:
    model = write_model("def simulate(rng):\n    return rng.random()\n")
    done = replicast("run", model, "-n", 5, "--seed", 1, "--name", "first", "--quiet")
    assert done.returncode == 0, done.stderr
    return "first"


def test_tags_and_a_note_are_shown_and_found_by(replicast: Call, finished: str) -> None:
    assert replicast("tag", finished, "paper", "draft").returncode == 0
    assert replicast("tag", "--remove", "draft").returncode == 0
    assert replicast("note", finished, "with the\nnew rota").returncode == 0
    said = json.loads(replicast("status", "--json").stdout)
    assert (said["tags"], said["note"]) == (["paper"], "with the new rota")
    assert "with the new rota" in replicast("list", "--tag", "paper").stdout
    assert "no run with the tag 'other'" in replicast("list", "--tag", "other").stderr


@pytest.mark.usefixtures("finished")
@pytest.mark.parametrize("tag", ["two words", "", "x" * 61, "\x1b[31m"])
def test_a_tag_that_is_no_word_is_refused(replicast: Call, tag: str) -> None:
    done = replicast("tag", "first", tag)
    assert done.returncode == 2
    assert "a tag is a word" in done.stderr


@pytest.mark.long
def test_a_tag_changes_no_number_and_is_copied_with_the_run(replicast: Call, finished: str) -> None:
    before = replicast("summary", finished, "--csv").stdout
    replicast("tag", finished, "paper")
    assert replicast("copy", finished, "--from", "runs", "--to", "sqlite:///copy.db").returncode == 0
    assert replicast("summary", finished, "--csv", "--store", "sqlite:///copy.db").stdout == before
    assert json.loads(replicast("status", "--json", "--store", "sqlite:///copy.db").stdout)["tags"] == ["paper"]


@pytest.mark.usefixtures("finished")
def test_delete_asks_or_takes_yes(replicast: Call) -> None:
    refused = replicast("delete", "first", stdin=subprocess.DEVNULL)
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    assert replicast("delete", "first", "--yes").returncode == 0
    assert replicast("status", "first").returncode == 2
    assert "there is no run" in replicast("list").stderr


def test_delete_names_the_run_to_be_deleted(replicast: Call, finished: str) -> None:
    assert replicast("delete", "--yes").returncode == 2
    assert replicast("status", finished).returncode == 0


@pytest.mark.long
def test_a_running_run_is_not_deleted(replicast: Call, write_model: Write) -> None:
    model = write_model("import time\ndef simulate(rng):\n    time.sleep(0.2)\n    return rng.random()\n")
    assert replicast("run", model, "-n", 500, "--name", "long", "--detach").returncode == 0
    while json.loads(replicast("status", "long", "--json").stdout)["state"] != "running":
        pass
    refused = replicast("delete", "long", "--yes")
    assert replicast("cancel", "long").returncode == 0
    assert refused.returncode == 2
    assert "is running" in refused.stderr


@pytest.mark.parametrize("steps", range(9))
def test_an_object_store_s_run_is_whole_or_gone_wherever_its_removal_ends(tmp_path: Path, steps: int) -> None:
    """An object store that moves nothing: its removal ends after so many requests."""
    fill(open_store(str(tmp_path)), "one")
    store = ObjectStore("s3://bucket")
    store._objects = LocalStore(prefix=tmp_path)
    left, delete = [steps], store.delete

    def ending(run: str, name: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise StoreError("gone")
        delete(run, name)

    store.delete = ending  # type: ignore[method-assign]
    with contextlib.suppress(StoreError):
        store.remove("one")
    store.delete = delete  # type: ignore[method-assign]
    if store.read("one", "run.json") is not None:
        assert count(store, "one") == (4, 12)
        store.remove("one")
    assert store.write("one", "run.json", b"{}", new=True)
    assert store.documents("one", "") == ["run.json"]


def test_cancel_of_a_finished_run_says_so(replicast: Call, finished: str) -> None:
    done = replicast("cancel", finished)
    assert done.returncode == 0
    assert "finished" in done.stderr
    assert json.loads(replicast("status", finished, "--json").stdout)["state"] == "done"
    assert json.loads(replicast("cancel", "--json").stdout)["cancelled"] is False
