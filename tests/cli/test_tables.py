"""What tables do with signs that are no letters, and with rows by the hundred."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from replicast.cli.tables import print_table

Write = Callable[..., Path]


def test_what_a_terminal_would_take_for_a_command_is_shown_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name", "value"], [["red \x1b[31m and\nmore", "1"]], right=(1,))
    assert capsys.readouterr().out.splitlines()[1].split("  ")[0] == r"red \x1b[31m and more"


def test_the_first_rows_of_many_say_how_many_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name"], [[str(number)] for number in range(500)], top=2)
    printed = capsys.readouterr()
    assert printed.out.split() == ["name", "0", "1"]
    assert printed.err.strip() == "the first 2 of 500 rows"


def test_a_run_of_many_scenarios_shows_a_terminal_its_first_rows(write_model: Write, tmp_path: Path) -> None:
    """What is piped or written to a file has all of them."""
    model = write_model("def simulate(rng, a): return a + rng.random()\n")
    command = [sys.executable, "-m", "replicast", "run", str(model), "-n", "2", "--quiet", "--grid",
               "a=" + ",".join(map(str, range(120)))]  # fmt: skip
    terminal, end = pty.openpty()
    with subprocess.Popen(command, cwd=tmp_path, stdout=end, stderr=subprocess.PIPE, text=True) as process:
        os.close(end)
        shown = b""
        with suppress(OSError):  # as a terminal ends
            while piece := os.read(terminal, 65536):
                shown += piece
        assert process.stderr is not None
        said = process.stderr.read()
    os.close(terminal)
    assert process.returncode == 0, said
    assert shown.count(b"value") == 20
    assert b"a=19" in shown and b"a=20" not in shown
    assert b"the first 20 of 120 rows" in shown + said.encode()
    assert "all of them: replicast summary " in said
    piped = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert piped.stdout.count("value") == 120
