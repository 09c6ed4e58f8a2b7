"""Runs of functions that no file defines, and serial runs, simulated again and gone on with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast
from replicast import RequestError, Run

Deed = Callable[[Run, Any], Any]


def made(factor: float) -> Callable[..., float]:
    def local(rng: Any) -> float:
        return factor * float(rng.random())

    return local


def other(rng: Any) -> float:
    return float(rng.normal())


DEEDS: dict[str, Deed] = {
    "replay": lambda run, function: run.replay(2, function=function).found == [],
    "verify": lambda run, function: all(one.found == [] for one in run.verify(2, function=function)),
    "resume": lambda run, function: run.resume(n=5, function=function).simulated == 2,
}


@pytest.mark.parametrize("deed", DEEDS.values(), ids=DEEDS)
@pytest.mark.parametrize("place", ["local", "serial"])
def test_a_function_of_this_session_is_remembered_and_one_of_another_is_given_again(
    tmp_path: Path, deed: Deed, place: str
) -> None:
    function = made(2.0)
    run = replicast.run(function, n=3, seed=1, store=tmp_path, on=place)
    again = Run(str(tmp_path))
    with pytest.raises(RequestError, match="is of the function 'local', which no file defines") as caught:
        deed(again, None)
    assert ".replay(17, function=local)" in str(caught.value)
    with pytest.raises(RequestError, match="another source than the one that was given"):
        deed(again, lambda_free_other())
    assert deed(again, made(2.0))
    if deed is not DEEDS["resume"]:
        assert deed(run, None)


def lambda_free_other() -> Callable[..., float]:
    def local(rng: Any) -> float:
        return float(rng.normal())

    return local


def test_a_lambda_is_taken_again(tmp_path: Path) -> None:
    replicast.run(lambda rng: float(rng.random()), n=3, seed=1, store=tmp_path)
    assert Run(str(tmp_path)).replay(1, function=lambda rng: float(rng.random())).found == []
    assert Run(str(tmp_path)).replay(1, function=lambda rng: 2 * float(rng.random())).found != []


def test_a_run_of_a_file_takes_no_function(write_model: Callable[..., Path], tmp_path: Path) -> None:
    run = replicast.run(write_model("def simulate(rng): return rng.random()\n"), n=2, seed=1, store=tmp_path)
    with pytest.raises(RequestError, match=r"is of model.py, whose source is stored with it"):
        run.replay(1, function=other)


def test_the_command_line_says_how_it_is_done_in_python(tmp_path: Path, replicast: Callable[..., Any]) -> None:
    __import__("replicast").run(made(1.0), n=2, seed=1, store=tmp_path / "runs")
    for command in (["replay", "latest", "1"], ["verify"], ["resume", "latest", "-n", "4"]):
        ended = replicast(*command)
        assert ended.returncode == 2
        assert "function=local" in ended.stderr


def test_a_serial_run_is_resumed_serially(write_model: Callable[..., Path], tmp_path: Path) -> None:
    path = write_model("import os\ndef simulate(rng): return {'x': rng.random(), 'process': os.getpid()}\n")
    run = replicast.run(path, n=2, seed=1, store=tmp_path, on="serial")
    Run(str(tmp_path)).resume(n=4)
    assert set(run.metrics().pl()["process"]) == {__import__("os").getpid()}
