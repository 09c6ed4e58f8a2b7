"""Every table on terminals of 60 to 140 columns: no name, verdict or number is cut, shrunk or broken in two."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from replicast.cli.tables import print_table
from replicast.core import digits

Call = Callable[..., subprocess.CompletedProcess[str]]
Show = Callable[..., str]
Write = Callable[..., Path]

RUN = "a_run_that_has_30_letters_1234"
SCENARIOS = ("today_as_it_is_in_our_hospital", "more_beds_and_also_more_nurses")
METRICS = ("mean_waiting_time_of_patients1", "share_of_patients_who_leave_30")
MODEL = f"""
def simulate(rng, replication, mean=2.0, fails=False):
    if fails and replication == 3:
        raise ValueError("a_message_of_thirty_letters_12 and more words until it is wider than any terminal of these")
    return {{"{METRICS[0]}": rng.exponential(mean), "{METRICS[1]}": rng.random() < mean / 5}}
"""
COLUMNS = pytest.mark.parametrize("columns", [60, 80, 100, 140])
TABLES = {
    "summary": (*SCENARIOS, *METRICS),
    "summary --needed 5%": (*SCENARIOS, *METRICS, "more"),
    "summary --quantiles 0.5,0.9": (*SCENARIOS, *METRICS, "90 %"),
    "summary --proportions": (*SCENARIOS, METRICS[1]),
    f"compare --baseline {SCENARIOS[0]}": (SCENARIOS[1], *METRICS, "higher"),
    f"compare --better {METRICS[0]}=lower": (
        *SCENARIOS,
        *METRICS,
        "higher",
        "may be the best",
        f"worse than {SCENARIOS[0]}",
    ),
    "list": (RUN, "done", "160/160"),
    "sql select*from(metrics)": (*SCENARIOS, *METRICS),
}


@pytest.fixture
def finished(replicast: Call, write_model: Write) -> None:
    scenarios = [f"--scenario={name}:mean={mean}" for name, mean in zip(SCENARIOS, (2, 3), strict=True)]
    done = replicast("run", write_model(MODEL), "-n", 80, "--seed", 1, "--name", RUN, *scenarios)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("finished")
@COLUMNS
def test_every_table_shows_names_and_verdicts_whole_at_any_width(on_a_terminal: Show, columns: int) -> None:
    for command, wanted in TABLES.items():
        name, *options = command.split()
        run = [] if name == "list" else [RUN]
        shown = on_a_terminal(columns, name, *run, *options)
        lines = shown.splitlines()
        assert max(map(len, lines)) <= columns, f"{command}: a line is wider than the terminal"
        for text in wanted:
            assert any(text in line for line in lines), f"{command} at {columns} columns breaks or drops {text!r}"


@COLUMNS
def test_failures_show_their_names_whole_at_any_width(
    replicast: Call, on_a_terminal: Show, write_model: Write, columns: int
) -> None:
    options = ["-n", 4, "--seed", 1, "--name", RUN, "--param", "fails=true", f"--scenario={SCENARIOS[0]}:"]
    assert replicast("run", write_model(MODEL), *options).returncode == 1
    lines = on_a_terminal(columns, "failures", RUN).splitlines()
    for text in (f"scenario '{SCENARIOS[0]}', replication 3:", "ValueError:", "a_message_of_thirty_letters_12"):
        assert any(text in line for line in lines)


@COLUMNS
def test_check_shows_every_metric_whole_at_any_width(on_a_terminal: Show, write_model: Write, columns: int) -> None:
    lines = on_a_terminal(columns, "check", str(write_model(MODEL))).splitlines()
    for metric in METRICS:
        assert any(metric in line for line in lines)


@pytest.mark.usefixtures("finished")
def test_a_narrow_terminal_loses_no_number_of_the_summary(replicast: Call, on_a_terminal: Show) -> None:
    rows = json.loads(replicast("summary", RUN, "--json").stdout)["summary"]
    shown = on_a_terminal(60, "summary", RUN)
    for row in rows:
        for wanted in ("mean", "sd", "ci_lower", "ci_upper", "min", "median", "max"):
            near = row["half_width"] if wanted in ("mean", "ci_lower", "ci_upper") else None
            assert digits.shown(row[wanted], near) in shown


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
