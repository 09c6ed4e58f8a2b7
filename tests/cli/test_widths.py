"""Every table on terminals of 60 to 140 columns: no name, verdict or number is cut, shrunk or broken in two."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from replicast.cli.arguments import build_parser
from replicast.cli.folding import fold
from replicast.core import digits

Call = Callable[..., subprocess.CompletedProcess[str]]
Show = Callable[..., str]

WIDTHS = (60, 80, 100, 140)
TODAY, MORE = SCENARIOS = ("today_as_it_is_in_our_hospital", "more_beds_and_also_more_nurses")
WAIT, LEAVE = METRICS = ("mean_waiting_time_of_patients1", "share_of_patients_who_leave_30")
BEDS, RATE = "number_of_beds_in_every_ward_1", "rate_of_arrivals_at_the_clinic"
TABLE, TIME, VALUE = (
    "patients_at_the_hospital_s_beds", "time_of_arrival_at_the_hospital", "time_that_this_patient_waited1",
)  # fmt: skip
FITS, ESTIMATE, ERROR = (
    "fits_of_all_of_these_methods_1", "estimate_of_the_coefficient_30", "standard_error_of_the_estimate",
)  # fmt: skip
METHODS = ("ordinary_least_squares_of_them", "trimmed_least_squares_of_these")
RUN, FAILING, STUDY, DESIGN, SEARCH, HALF = (
    "a_run_that_has_30_letters_1234", "a_run_of_failures_and_warnings", "a_study_of_two_estimators_1234",
    "screening_of_all_parameters_30", "a_search_for_the_best_scenario", "a_run_of_which_half_is_missing",
)  # fmt: skip
RUNS = (RUN, FAILING, STUDY, DESIGN, SEARCH, HALF)
TAG, NOTE = "a_tag_of_thirty_letters_123456", "a_note_of_thirty_letters_12345"
MESSAGE, WARNING = "a_message_of_thirty_letters_12", "a_warning_of_thirty_letters_12"
LONG = "and more words until it is wider than any of the terminals that are tried here, of which one has 140 columns"

MODELS = {
    "model.py": f"""
import warnings

def simulate(rng, replication, mean=2.0, fails=False, warns=False):
    if fails and replication == 3:
        raise ValueError("{MESSAGE} {LONG}")
    if warns:
        warnings.warn("{WARNING} {LONG}")
    times, waits = rng.exponential(1.0, 600).cumsum(), rng.exponential(mean, 600)
    rows = [{{"{TIME}": float(time), "{VALUE}": float(wait)}} for time, wait in zip(times, waits)]
    return {{"{WAIT}": float(waits.mean()), "{LEAVE}": bool(rng.random() < mean / 5), "{TABLE}": rows}}
""",
    "study.py": f"""
def simulate(rng, b=0.5):
    rows = [{{"method": m, "{ESTIMATE}": float(rng.normal(b, 0.1)), "{ERROR}": 0.1}} for m in {METHODS}]
    return {{"{FITS}": rows}}
""",
    "small.py": f"""
def simulate(rng, {BEDS}=2.0, {RATE}=1.0):
    return {{"{WAIT}": {RATE} / {BEDS} + rng.normal() / 10, "{LEAVE}": rng.random() < 0.5}}
""",
    "design.toml": f"""
model = "small.py"
replications = 2
seed = 1
name = "{DESIGN}"
[design]
morris = 3
[design.ranges]
{BEDS} = [1.0, 4.0]
{RATE} = [1.0, 4.0]
""",
}
MADE = [
    (0, f"run model.py -n 40 --name {RUN} --scenario {TODAY}: --scenario {MORE}:mean=3.0"),
    (1, f"run model.py -n 4 --name {FAILING} --scenario {TODAY}:fails=true --scenario {MORE}:warns=true"),
    (0, f"run study.py -n 30 --name {STUDY}"),
    (0, "run --experiment design.toml"),
    (0, f"run small.py --name {SEARCH} --scenario {TODAY}: --scenario {MORE}:{RATE}=3.0 --select {WAIT}=lower"
        " --indifference 0.5"),
    (0, f"run small.py -n 4 --name {HALF}"),
    (0, f"tag {FAILING} {TAG}"),
    (0, f"note {FAILING} {NOTE}"),
]  # fmt: skip

PERFORMANCE = f"--estimate {ESTIMATE} --se {ERROR} --true 0.5 --by method --mcse coverage=0.5%"
SHOWN: dict[str, tuple[int, Sequence[str]]] = {
    "list": (0, [*RUNS, "done", "incomplete", "80/80"]),
    f"list --tag {TAG}": (0, [FAILING, "done", "8/8"]),
    f"status {FAILING}": (0, [FAILING, TAG, NOTE, "done", "8 of 8", "1 failed", " UTC"]),
    f"status {HALF}": (0, [HALF, "incomplete", f"replicast resume {HALF}"]),
    f"summary {RUN}": (0, [*SCENARIOS, *METRICS]),
    f"summary {FAILING}": (0, [*SCENARIOS, *METRICS, "3 of 4", "leaves out 1 failed"]),
    f"summary {RUN} --needed 5%": (0, [*SCENARIOS, *METRICS, "has enough", " more"]),
    f"summary {RUN} --quantiles 0.5,0.9": (0, [*SCENARIOS, *METRICS, "90 %"]),
    f"summary {RUN} --proportions": (0, [*SCENARIOS, LEAVE]),
    f"summary {RUN} --ratio {WAIT}/{LEAVE}": (0, [*SCENARIOS, f"{WAIT}/{LEAVE}", "mean of ratios"]),
    f"summary {RUN} --pooled {TABLE}.{VALUE}:p95": (0, [*SCENARIOS, f"{TABLE}.{VALUE}", "p95"]),
    f"summary {RUN} --control {WAIT}=2": (0, [*SCENARIOS, *METRICS, "variance left"]),
    f"compare {RUN} --baseline {TODAY}": (0, [*SCENARIOS, *METRICS, "higher"]),
    f"compare {RUN} --better {WAIT}=lower": (0, [*SCENARIOS, *METRICS, "may be the best", f"worse than {TODAY}"]),
    f"compare {RUN} --family metrics --adjust holm": (0, [*SCENARIOS, *METRICS, "higher"]),
    f"compare {SEARCH}": (0, [*SCENARIOS, *METRICS, "higher", "no difference"]),
    f"failures {FAILING}": (0, [TODAY, "replication 3:", "ValueError:", MESSAGE]),
    f"warnings {FAILING}": (0, [MORE, "replication 1:", WARNING]),
    f"performance {STUDY} {PERFORMANCE}": (0, [*METHODS, "bias eliminated coverage", "1,900"]),
    f"steady {RUN} --table {TABLE} --value {VALUE} --scenario {TODAY}": (0, [TODAY, "20 of "]),
    f"sensitivity {DESIGN}": (0, [*METRICS, BEDS, RATE, "μ*"]),
    f"warmup {RUN} --table {TABLE} --value {VALUE} --time {TIME}": (0, [*SCENARIOS, TIME, VALUE, "MSER-5"]),
    f"environment {RUN}": (0, ["numpy==", "# replicast "]),
    "estimate small.py -n 10": (0, ["a replication", "functions"]),
    "doctor": (0, ["replicast", "store", "scratch"]),
    "check model.py": (0, [*METRICS, TABLE, VALUE, "logical", "the same seed gives the same result"]),
    f"verify {FAILING} --sample 2": (0, [*(f"'{name}'" for name in SCENARIOS), "equal"]),
    f"verify {RUN} --stored": (0, [RUN]),
    f"replay {FAILING} 3": (0, [f"'{TODAY}'", MESSAGE, "equal"]),
    f"replay {RUN} 1 --scenario {MORE}": (0, [f"'{MORE}'", *METRICS, TABLE, "equal"]),
    f"tag {RUN} {TAG}": (0, [RUN, TAG]),
    f"note {RUN} {NOTE}": (0, [RUN, NOTE]),
    f"cancel {RUN}": (0, [RUN, "is finished"]),
    f"sql {RUN} select*from(metrics)": (0, [*SCENARIOS, *METRICS]),
    f"collate {RUN} -o tables": (0, [f"tables/{TABLE}.csv", "tables/summary.csv"]),
    f"report {RUN}": (0, [f"{RUN}.html"]),
    f"artefacts {RUN} -o left": (0, [RUN]),
    f"resume {FAILING}": (1, [FAILING, *SCENARIOS, *METRICS, MESSAGE, f"replicast failures {FAILING}"]),
    f"resume {SEARCH}": (0, [*SCENARIOS, *METRICS, f"'{TODAY}'", "95 %"]),
}  # fmt: skip
PASTED = ("replicast ", "install.packages", "pip install", f'raise ValueError("{MESSAGE}', f"ValueError: {MESSAGE}")
"""Lines with a command to paste, and the model's own traceback, are left to the terminal to break."""
WITHOUT_A_TABLE = {"run", "init", "aws", "ui", "copy", "delete", "completion"}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models and, in runs/, a run of each kind; one lacks half of its replications."""
    folder = tmp_path_factory.mktemp("widths")
    for name, text in MODELS.items():
        (folder / name).write_text(text, encoding="utf-8")
    for status, command in MADE:
        words = [
            *shlex.split(command),
            *(["--seed", "1"] if command.startswith("run ") and ".toml" not in command else []),
        ]
        done = subprocess.run(
            [sys.executable, "-m", "replicast", *words], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == status, f"{command}\n{done.stderr}"
    record = folder / "runs" / HALF / "run.json"
    record.write_text(record.read_text().replace('"replications": 4', '"replications": 8'))
    return folder


@pytest.mark.long
@pytest.mark.parametrize("command", SHOWN)
def test_a_table_shows_names_and_verdicts_whole_at_any_width(on_a_terminal: Show, store: Path, command: str) -> None:
    status, wanted = SHOWN[command]
    for columns in WIDTHS:
        lines = on_a_terminal(columns, *shlex.split(command), status=status, both=True, cwd=store).splitlines()
        for text in wanted:
            assert any(text in line for line in lines), f"at {columns} columns {text!r} is broken or dropped:\n{lines}"
        wide = [line for line in lines if len(line) > columns and " " in line.strip()]
        wide = [line for line in wide if not any(own in line for own in PASTED)]
        assert wide == [], f"at {columns} columns the terminal breaks these"


@pytest.mark.parametrize("command", [f"summary {RUN}", f"compare {RUN}", "list"])
def test_a_dumb_terminal_s_width_is_heeded_too(on_a_terminal: Show, store: Path, command: str) -> None:
    lines = on_a_terminal(60, *command.split(), cwd=store, term="dumb").splitlines()
    assert max(map(len, lines)) <= 60


SKEWED = "def simulate(rng):\n    return {'wait_at_the_clinic': rng.exponential() ** 3}\n"


@pytest.mark.parametrize("columns", [60, 80])
def test_a_command_in_prose_is_not_broken(on_a_terminal: Show, tmp_path: Path, columns: int) -> None:
    """What is copied from a terminal has its line breaks, and a shell runs each line alone."""
    (tmp_path / "model.py").write_text(SKEWED, encoding="utf-8")
    place = ["--store", "the runs of the paper on waiting times at the clinic"]
    on_a_terminal(columns, "run", "model.py", "-n", "30", "--seed", "1", "--name", "x", *place)
    said = on_a_terminal(columns, "summary", "x", *place, both=True).splitlines()
    pasted = f"replicast summary x --quantiles 0.5 --store '{place[1]}'"
    assert [line[line.index("replicast") :] for line in said if "replicast" in line] == [pasted]
    assert max(len(line) for line in said if "replicast" not in line) <= columns


def test_prose_around_a_command_is_broken_as_ever() -> None:
    words = "what is simulated is stored, and replicast collate makes the tables; then: replicast list --top 1; or not"
    assert fold(words, 30, "  ") == [
        "what is simulated is stored,", "  and replicast collate makes", "  the tables; then:",
        "  replicast list --top 1; or", "  not",
    ]  # fmt: skip


def test_every_command_with_a_table_is_tried() -> None:
    assert {command.split()[0] for command in SHOWN} == set(build_parser()[1]) - WITHOUT_A_TABLE


@pytest.mark.long
def test_a_narrow_terminal_loses_no_number_of_the_summary(on_a_terminal: Show, store: Path, replicast: Call) -> None:
    rows = json.loads(replicast("summary", RUN, "--json", cwd=store).stdout)["summary"]
    shown = on_a_terminal(60, "summary", RUN, cwd=store)
    for row in rows:
        for wanted in ("mean", "sd", "ci_lower", "ci_upper", "min", "median", "max"):
            near = row["half_width"] if wanted in ("mean", "ci_lower", "ci_upper") else None
            assert digits.shown(row[wanted], near) in shown
