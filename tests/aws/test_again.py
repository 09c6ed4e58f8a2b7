"""The same again costs nothing, and what changes meanwhile breaks nothing."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws import commands, package, putting
from replicast.aws.access import Aws
from replicast.aws.image import own_architecture
from replicast.aws.sandbox import NEEDS, next_command
from replicast.aws.settings import Settings
from replicast.aws.stack import Stack
from replicast.aws.stores import open_s3
from replicast.core.errors import RequestError, StoreError
from replicast.core.segments import edits_of
from replicast.machine.processes import available_cores
from replicast.stores.objects import ObjectStore
from replicast.stores.records import read_record

from .conftest import SMALL, wait_for

BARE = commands.Contents(dependencies=False)
READING = ("Describe", "Get", "Head", "List")


def deploy(aws: Aws, **more: Any) -> commands.Deployed:
    settings = more.pop("settings", SMALL)
    return commands.deploy(aws, contents=BARE, settings=settings, poll_seconds=0.1, **more)


@pytest.fixture
def model(write_model: Callable[..., Path]) -> Path:
    return write_model("def simulate(rng):\n    return float(rng.normal())\n")


def given(model: Path, folder: Path, **more: Any) -> commands.GivenModel:
    with Preparation(Request(model=str(model), replications=3, **more), store_url=str(folder)) as made:
        return commands.GivenModel(made.drawn_up(), made.source, made.signature)


def test_a_second_deploy_with_nothing_changed_only_reads(
    aws: Aws, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = deploy(aws, model=given(model, tmp_path / "a"))
    asked: list[str] = []
    for service in ("cloudformation", "s3", "lambda", "stepfunctions"):
        events = aws.client(service).meta.events
        events.register("before-call.*.*", lambda model, **_: asked.append(model.name))
    written: list[str] = []
    monkeypatch.setattr(ObjectStore, "write", lambda _self, _run, name, *_, **__: written.append(name))
    assert deploy(aws, model=given(model, tmp_path / "b")).state == first.state
    assert [name for name in asked if not name.startswith(READING)] == []
    assert 0 < len(asked) < 15
    assert written == []


def test_packages_are_made_again_only_if_something_of_them_is_another(
    aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    def tiny(name: str) -> Callable[..., package.Package]:
        def make(*requirements: object, **_: object) -> package.Package:
            made.append(name)
            return package.zipped([(name, repr(requirements).encode())], ("PACKAGES DIFFER: numpy",))

        return make

    monkeypatch.setattr(putting, "worker_package", tiny("worker"))
    monkeypatch.setattr(putting, "reporting_package", tiny("reporting"))

    def again(*requirements: str) -> commands.Deployed:
        made.clear()
        contents = commands.Contents(requirements=requirements)
        return commands.deploy(aws, contents=contents, settings=SMALL, poll_seconds=0.1)

    first = again("simpy==4.1.1")
    assert made == ["worker", "reporting"]
    second = again("simpy==4.1.1")
    assert (made, second) == ([], first)
    assert any("PACKAGES DIFFER" in note for note in second.notes)
    other = again("simpy==4.1.0")
    assert made == ["worker", "reporting"]
    assert other.state.parameters["Code"] != first.state.parameters["Code"]
    for loose in ("simpy", "simpy==4.*"):
        again(loose)
        again(loose)
        assert made == ["worker", "reporting"], "what is not pinned may be another version by now"
    aws.client("s3").delete_object(Bucket=first.state.bucket, Key=first.state.parameters["Code"])
    assert again("simpy==4.1.1").state.parameters["Code"] == first.state.parameters["Code"]
    assert made == ["worker", "reporting"]
    monkeypatch.setattr(package, "own_files", lambda: iter([("replicast/x.py", b"another release")]))
    again("simpy==4.1.1")
    assert made == ["worker", "reporting"]


def test_what_did_change_is_deployed(aws: Aws, model: Path, tmp_path: Path) -> None:
    state = deploy(aws, model=given(model, tmp_path / "a")).state
    bucket = aws.store(f"s3://{state.bucket}")
    model.write_text("def simulate(rng):\n    return 7.0\n", encoding="utf-8")
    deploy(aws, model=given(model, tmp_path / "b"))
    assert b"7.0" in (bucket.read("deployed", "model/model.py") or b"")
    assert Stack(aws).apply({"Memory": "2048"})
    assert not Stack(aws).apply({"Memory": "2048"})


def test_a_file_that_grows_while_it_is_deployed_breaks_no_start_by_hand(aws: Aws, model: Path, tmp_path: Path) -> None:
    log = model.with_name("notes.txt")
    log.write_text("first\n", encoding="utf-8")
    held = given(model, tmp_path / "a")
    assert "notes.txt" in held.source.files
    log.write_text("first\nsecond\n", encoding="utf-8")
    state = deploy(aws, model=held).state
    states = aws.client("stepfunctions")
    order = json.dumps({"repetitions": 2})
    ended = wait_for(states, states.start_execution(stateMachineArn=state.machine, input=order)["executionArn"])
    assert ended["status"] == "SUCCEEDED", ended
    store = aws.store(f"s3://{state.bucket}/runs")
    (run,) = store.runs()
    assert edits_of(read_record(store, run)) == []


def test_a_bucket_that_is_gone_is_one_sentence(aws: Aws) -> None:
    bucket = deploy(aws).state.bucket
    assert open_s3(f"s3://{bucket}/runs").runs() == []
    commands.destroy(aws, results=True, poll_seconds=0.1)
    with pytest.raises(
        StoreError, match=f"^there is no bucket '{bucket}'; it may have been removed, with the runs in it$"
    ):
        open_s3(f"s3://{bucket}/runs")


def test_a_python_without_pip_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(RequestError, match=r"fetched by pip, which .* has not: python -m ensurepip"):
        package.reporting_package(runtime="python3.13", architecture="arm64")


def test_on_an_emulator_a_stack_is_of_this_machines_processors(aws: Aws) -> None:
    state = deploy(aws, settings=Settings(runtime=SMALL.runtime, seconds=60)).state
    assert state.parameters["Architecture"] == own_architecture()
    assert state.parameters["Concurrency"] == str(available_cores())
    again = deploy(aws, settings=Settings(runtime=SMALL.runtime, concurrency=7)).state
    assert again.parameters["Concurrency"] == "7"
    assert deploy(aws, settings=Settings(runtime=SMALL.runtime)).state.parameters["Concurrency"] == "7"


def test_the_sandbox_says_the_whole_next_command_and_what_needs_what() -> None:
    assert next_command(images=False) == "replicast aws deploy model.py && replicast run model.py -n 20 --on aws"
    assert "--package image" in next_command(images=True)
    assert "R models and commands need an image: --images, Docker" in NEEDS
