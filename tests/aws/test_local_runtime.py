"""An image outside Lambda: its runtime client behind the doors that Lambda has."""

from __future__ import annotations

import json
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from replicast.aws.local_runtime import Runtime, serve

FUNCTIONS = """
import os, time
calls = []
def twice(event, context):
    assert context.get_remaining_time_in_millis() > 0
    calls.append(1)
    return {"twice": 2 * event["x"], "calls": len(calls)}
def failing(event, context):
    raise KeyError("no such bed")
def dying(event, context):
    os._exit(7)
def endless(event, context):
    time.sleep(600)
"""
Invoke = Callable[..., tuple[Any, str | None]]


@pytest.fixture
def function(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Invoke]]:
    """Opens the outer door of a function; invoking it gives its answer and, if it failed, Lambda's word for that."""
    (tmp_path / "given.py").write_text(FUNCTIONS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    closing: list[Callable[[], None]] = []

    def opened(name: str, seconds: float = 30.0) -> Invoke:
        runtime = Runtime([sys.executable, "-m", "awslambdaric", f"given.{name}"], seconds)
        server = serve(runtime, ("127.0.0.1", 0))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        closing.extend([server.shutdown, server.server_close, runtime.close])
        url = f"http://127.0.0.1:{server.server_address[1]}/2015-03-31/functions/function/invocations"

        def invoke(**event: Any) -> tuple[Any, str | None]:
            request = urllib.request.Request(url, json.dumps(event).encode())
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer), answer.headers.get("X-Amz-Function-Error")

        return invoke

    yield opened
    for close in closing:
        close()


def test_a_function_answers_and_stays_warm(function: Callable[..., Invoke]) -> None:
    invoke = function("twice")
    assert invoke(x=21) == ({"twice": 42, "calls": 1}, None)
    assert invoke(x=1) == ({"twice": 2, "calls": 2}, None)


def test_an_exception_is_answered_with_its_class(function: Callable[..., Invoke]) -> None:
    answer, error = function("failing")()
    assert (answer["errorType"], error) == ("KeyError", "Unhandled")
    assert "no such bed" in answer["errorMessage"]


def test_a_function_that_cannot_be_imported_says_so(function: Callable[..., Invoke]) -> None:
    answer, error = function("no_such")()
    assert (answer["errorType"], error) == ("Runtime.HandlerNotFound", "Unhandled")


def test_a_process_that_ends_is_reported_in_lambdas_words_and_started_again(function: Callable[..., Invoke]) -> None:
    invoke = function("dying")
    for _ in range(2):
        answer, error = invoke()
        assert (answer["errorType"], error) == ("Runtime.ExitError", "Unhandled")
        assert answer["errorMessage"].endswith("Error: Runtime exited with error: exit status 7")


def test_a_function_that_overruns_its_time_is_ended(function: Callable[..., Invoke]) -> None:
    answer, error = function("endless", seconds=1.0)()
    assert (answer["errorType"], error) == ("Sandbox.Timedout", "Unhandled")
    assert answer["errorMessage"].endswith("Task timed out after 1.00 seconds")
