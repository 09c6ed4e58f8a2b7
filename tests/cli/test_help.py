"""What is shown to whoever asks for help or mistypes, and that what is shown can be pasted."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from pasting import check_hints

from replicast.cli import help
from replicast.cli.arguments import build_parser

Call = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]
FAILING = """
def simulate(rng, replication, x=1):
    if replication == 2:
        raise ValueError("no")
    return rng.random()
"""


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (["run", "m.py", "--jobs", "4"], "--workers"), (["run", "m.py", "--out", "x"], "--output"),
        (["run", "m.py", "--reps", "4"], "--replications"), (["run", "m.py", "--sed", "4"], "--seed"),
        (["run", "m.py", "--out=x"], "--output"), (["rm"], "delete"), (["ls"], "list"), (["summery"], "summary"),
        (["stop"], "cancel"), (["remvoe"], "delete"), (["delete", "--froce"], "--yes"),
        (["--versoin"], "--version"),
        (["aws", "estimate", "m.py"], "replicast estimate"),
        (["tag", "--stoer", "x"], "--store"), (["list", "--limit", "3"], "--top"),
    ],
)  # fmt: skip
def test_what_was_meant_is_named(replicast: Call, given: list[str], wanted: str) -> None:
    done = replicast(*given)
    assert done.returncode == 2
    assert f"did you mean '{wanted}'?" in done.stderr


def test_every_command_and_every_example_is_one(replicast: Call) -> None:
    _, commands = build_parser()
    grouped = [name for names in help.COMMANDS.values() for name in names]
    assert len(grouped) == len(set(grouped))
    assert set(commands) <= set(grouped), "a command without a group"
    shown = replicast("--help").stdout
    for name in commands:
        assert re.search(rf"^  {name} ", shown, re.MULTILINE), name
    for name in set(help.EXAMPLES) & set(commands):
        for line, _ in help.EXAMPLES[name]:
            words = shlex.split(line.removeprefix('eval "$(').removesuffix(')"').partition(" >")[0])
            assert words[:2] == ["replicast", name]
            _, rest = build_parser()[0].parse_known_args(words[1:])
            assert not rest, line


def test_a_command_alone_takes_what_it_takes_among_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    parser, commands = build_parser(plug_ins=True)
    for name, command in commands.items():
        alone, others = build_parser(plug_ins=True, wanted=name)
        assert others[name].format_help() == command.format_help()
        assert alone.format_help() == parser.format_help()


def test_help_fits_eighty_columns_and_shows_what_options_are_for(replicast: Call) -> None:
    shown = replicast("help", "run", env=os.environ | {"COLUMNS": "80"}).stdout
    for title in ("arguments:", "the experiment:", "how many:", "where and how:", "examples:"):
        assert title in shown
    assert "--replications" in shown


@pytest.mark.long
@pytest.mark.parametrize(
    "command",
    [["status"], ["summary"], ["failures"], ["replay", "1"], ["replay", "--json", "1"],
     ["replay", "latest", "--json", "1"], ["sql", "select count(*) from metrics"],
     ["sql", "latest", "--csv", "select 1"], ["report"], ["cancel"]],
)  # fmt: skip
def test_the_run_is_the_latest_where_none_is_named(replicast: Call, write_model: Write, command: list[str]) -> None:
    replicast("run", write_model("def simulate(rng):\n    return rng.random()\n"), "-n", 3, "--name", "only")
    done = replicast(*command)
    assert done.returncode == 0, done.stderr


@pytest.mark.long
def test_every_command_that_is_shown_can_be_pasted(replicast: Call, write_model: Write, tmp_path: Path) -> None:
    """With a store and a scenario whose names a shell would take apart."""
    store = str(tmp_path / "the runs")
    options = ["--store", store, "--name", "x", "--tolerate", "1"]
    done = replicast("run", write_model(FAILING), "-n", 4, "--scenario", "it's:x=1", "--scenario", "b:x=2", *options)
    said = [line for line in done.stderr.splitlines() if "replicast " in line]
    (tmp_path / "the runs" / "x" / "run.json").write_text(
        (tmp_path / "the runs" / "x" / "run.json").read_text().replace('"replications": 4', '"replications": 5')
    )
    said += [line for line in replicast("status", "x", "--store", store).stderr.splitlines() if "replicast " in line]
    assert len(said) >= 3, said
    for line in said:
        words = shlex.split(line[line.index("replicast ") :])
        assert replicast(*words[1:]).returncode in (0, 1), line


def test_a_terminal_of_another_encoding_loses_nothing_and_crashes_nothing(replicast: Call, write_model: Write) -> None:
    model = write_model("def simulate(rng, ä=1.0):\n    return {'größe': rng.random()}\n")
    environment = os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    done = replicast("run", model, "-n", 4, "--name", "x", env=environment)
    assert done.returncode == 0, done.stderr
    assert "+/-" in done.stdout
    assert "gr\\xf6\\xdfe" in done.stdout
    said = json.loads(replicast("summary", "x", "--json", env=environment).stdout)
    assert said["summary"][0]["metric"] == "größe"
    assert replicast("doctor", env=environment).returncode == 0


@pytest.mark.parametrize(
    "said",
    [
        "go on with: replicast resume x",
        "look with: replicast status x --whatch --store /s",
        "replicast replay x --pbd 1",
    ],
)
def test_a_command_that_cannot_be_pasted_is_found(said: str) -> None:
    with pytest.raises(AssertionError):
        check_hints(["run", "m.py", "--store", "/s"], said)


def test_a_command_that_can_be_pasted_is_left_alone_with_the_prose_around_it() -> None:
    said = (
        "Watch: replicast status x --watch --store /s; or share it: replicast resume x --join --store /s (one that is"
    )
    check_hints(["run", "m.py", "--store", "/s"], said)
    check_hints([], "there is no option '--sede'; see: replicast run --help\nthe runs that replicast list shows")


def test_a_program_that_is_given_as_an_option_is_told_its_place(replicast: Call) -> None:
    done = replicast("run", "--command", "python3 model.py {out}", "-n", "2")
    assert done.returncode == 2
    assert "(a program and what it takes stand last, behind --)" in done.stderr
    assert "behind --" not in replicast("summary", "--program", "x").stderr
