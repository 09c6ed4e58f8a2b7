"""The bar and the lines that say how far a run is."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from replicast.cli.progress import LiveBar, PlainLines, Screen, scenario_line, screen_for, status_line
from replicast.core.precision import parse_precision
from replicast.core.progress import Progress
from replicast.core.so_far import SoFar

Write = Callable[..., Path]
SLOW = "import time\ndef simulate(rng, mean=1.0):\n    time.sleep(0.05)\n    return {'wait': rng.exponential(mean)}\n"
NAMES = ("today_as_it_is_in_our_hospital", "more_beds_and_also_more_nurses")


def half_done() -> Progress:
    """4 values 1, 2, 3, 4 in one scenario: mean 2.5, sd 1.29, half-width 3.182 · 1.29 / 2 = 2.054."""
    progress = Progress(planned=20, scenario="base", done=5, failed=1, simulated=5, metric="wait")
    progress.scenarios = {"base": SoFar(10, 5, 1, 4, 10.0, 30.0), "more": SoFar(10, 0)}
    return progress


def test_the_line_says_how_far_how_fast_and_how_sure() -> None:
    line = status_line(half_done())
    assert line.startswith("5 of 20 · 1 failed · ")
    assert line.endswith(" left · wait of base 2.5 ± 2.054")


def test_a_precision_run_says_how_far_each_target_is() -> None:
    targets = parse_precision("wait=10%,other=1")
    progress = half_done()
    assert (
        scenario_line("wait", progress.scenarios["base"], targets) == "5 of 10 · 1 failed · 2.5 ± 2.054 (0.25 wanted)"
    )
    assert scenario_line("wait", progress.scenarios["more"], targets) == "0 of 10"


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
def test_names_of_thirty_letters_leave_room_for_time_left_and_failures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    progress = Progress(160, NAMES[0], done=78, failed=2, simulated=78, seconds=7.0, metric="wait")
    progress.scenarios = {name: SoFar(80, 39, 1, 38, 45.0, 90.0) for name in NAMES}
    bar = LiveBar()
    bar._began -= 60
    bar.show(progress)
    bar.close()
    run, *scenarios = capsys.readouterr().err.rstrip().splitlines()[-3:]
    assert re.search(r"78 of 160 · 2 failed · \S+/s · \S+ s left", run)
    for name, line in zip(NAMES, scenarios, strict=True):
        assert line.lstrip().startswith(name)
        assert "39 of 80 · 1 f" in line
    assert max(map(len, [run, *scenarios])) <= columns


@pytest.mark.parametrize(("term", "kind"), [("xterm", LiveBar), ("dumb", PlainLines)])
def test_a_dumb_terminal_gets_lines(monkeypatch: pytest.MonkeyPatch, term: str, kind: type[Screen]) -> None:
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert type(screen_for(quiet=False)) is kind
    assert type(screen_for(quiet=True)) is Screen


def test_ctrl_c_leaves_the_bar_and_says_how_to_go_on(write_model: Write, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "replicast", "run", str(write_model(SLOW)), "-n", "2000", "--name", "x"]
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=theirs, env=environment)
    os.close(theirs)
    seen, asked = b"", False
    with suppress(OSError):  # EIO, once the other end is closed
        while chunk := os.read(ours, 1 << 16):
            seen += chunk
            if re.search(rb"[1-9]\d* of 2,000", seen) and not asked:
                process.send_signal(signal.SIGINT)
                asked = True
    os.close(ours)
    assert process.wait(60) == 130
    shown = seen.decode()
    assert "go on with: replicast resume x" in shown
    assert shown.count("\x1b[?25h") >= shown.count("\x1b[?25l") > 0, "the cursor stays hidden"


def drawn(process: subprocess.Popen[bytes], terminal: int) -> bytes:
    """All that is printed to a terminal until its process ends."""
    seen = b""
    with suppress(OSError):  # EIO, once the other end is closed
        while chunk := os.read(terminal, 1 << 16):
            seen += chunk
    os.close(terminal)
    assert process.wait(60) == 1
    return seen


@pytest.mark.parametrize("colours", [True, False])
def test_colour_adds_to_words_and_goes_where_nobody_wants_it(write_model: Write, tmp_path: Path, colours: bool) -> None:
    """`NO_COLOR` leaves bold and dim, and every word."""
    model = write_model("def simulate(replication):\n    return 1 / (replication - 2) + replication\n")
    ours, theirs = pty.openpty()
    environment = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm-256color"}
    environment |= {} if colours else {"NO_COLOR": "1"}
    command = [sys.executable, "-m", "replicast", "run", str(model), "-n", "4", "--name", "x"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        shown = drawn(process, ours).decode()
    assert bool(re.search(r"\x1b\[(?:[0-9;]*;)?[34][0-9](?:;[0-9;]*)?m", shown)) is colours
    assert "leaves out 1 failed" in shown


def test_the_bar_keeps_within_a_terminal_that_is_made_narrower(write_model: Write, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (40, 140))
    command = [sys.executable, "-m", "replicast", "run", str(write_model(SLOW)), "-n", "2000", "--name", "x"]
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    process = subprocess.Popen(
        command, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=theirs, env=environment
    )
    wide, narrow, seen = b"", b"", b""
    with suppress(OSError):
        while chunk := os.read(ours, 1 << 16):
            seen += chunk
            if not wide and re.search(rb"[1-9]\d* of 2,000", seen):
                wide, seen = seen, b""
                termios.tcsetwinsize(theirs, (40, 60))
            elif wide and not narrow and len(re.findall(rb"\d+ of 2,000", seen)) > 6:
                narrow = seen
                process.send_signal(signal.SIGINT)
                os.close(theirs)
    os.close(ours)
    assert process.wait(60) == 130
    lines = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", narrow.decode())]
    drawings = [line for line in lines if " of 2,000" in line][2:]
    assert drawings and max(map(len, drawings)) <= 60
