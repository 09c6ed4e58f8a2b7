"""What is printed belongs to the replication that printed it, whoever wrote it and however much."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from replicast.core.replication import LOG_LIMIT
from replicast.models import capture
from replicast.models.capture import Log, NoLog, captured


def write(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


def test_each_takes_what_was_written_since_the_last(path: Path) -> None:
    log = Log(path)
    for text in ("one\n", "", "zwei ü 😀\n", "no newline"):
        write(path, text.encode())
        assert log.grown() == bool(text)
        assert log.take() == text
        assert not log.grown()
    log.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=8))
def test_nothing_is_lost_and_nothing_taken_twice(path: Path, texts: list[str]) -> None:
    log, taken = Log(path), []
    for text in texts:
        write(path, text.encode())
        taken.append(log.take())
    log.close()
    assert taken == texts


def test_what_an_earlier_process_left_is_not_taken(path: Path) -> None:
    write(path, b"of a worker that died\n")
    log = Log(path)
    assert log.take() == ""
    log.close()


def test_of_a_long_log_the_end_is_kept_and_the_rest_counted(path: Path) -> None:
    log = Log(path)
    write(path, b"x" * 1000 + b"y" * LOG_LIMIT)
    assert log.take() == "[1000 bytes left out]\n" + "y" * LOG_LIMIT
    write(path, b"z" * LOG_LIMIT)
    assert log.take() == "z" * LOG_LIMIT
    log.close()


def test_bytes_that_are_no_text_do_not_stop_it(path: Path) -> None:
    log = Log(path)
    write(path, b"caf\xe9 \xff\n")
    assert log.take() == "caf\ufffd \ufffd\n"
    log.close()


def test_a_file_that_grew_large_is_emptied_between_replications(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "EMPTY_AFTER", 1000)
    log = Log(path)
    write(path, b"a" * 1500)
    assert log.take() == "a" * 1500
    assert path.stat().st_size == 0
    write(path, b"next\n")
    assert log.take() == "next\n"
    log.close()


def test_what_the_process_and_its_children_print_is_captured_and_then_no_longer(
    path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with captured(path) as log:
        os.write(1, b"to stdout\n")
        os.write(2, b"to stderr\n")
        subprocess.run([sys.executable, "-c", "print('of a child')"], check=True)
        inside = log.take()
    os.write(1, b"after\n")
    assert inside == "to stdout\nto stderr\nof a child\n"
    assert capfd.readouterr().out == "after\n"


def test_descriptors_are_put_back_after_an_error(path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    before = [os.fstat(descriptor).st_ino for descriptor in (0, 1, 2)]
    with pytest.raises(KeyError), captured(path):
        raise KeyError("x")
    os.write(1, b"back\n")
    assert capfd.readouterr().out == "back\n"
    assert [os.fstat(descriptor).st_ino for descriptor in (0, 1, 2)] == before


def test_no_log_takes_nothing_and_lets_all_through() -> None:
    assert NoLog().take() == ""
    assert not NoLog().grown()
