"""What a person, a file, R or the cloud may hand in by mistake: a sentence and a status, and nothing half started."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from replicast.asking.designs import read_points
from replicast.asking.preparation import Preparation
from replicast.asking.request import Request
from replicast.aws.by_hand import order_of, record_by_hand
from replicast.cli import main
from replicast.core.errors import ReplicastError
from replicast.stores import open_store

MODEL = """
def simulate(rng, beds=3, rate=1.5, label='x', open=True):
    return {'x': rng.random() * beds, 'rows': [{'a': 1}]}
"""
FUZZ = settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
COMMANDS = (
    "resume status list summary compare collate failures replay verify report warnings performance steady sensitivity "
    "warmup environment copy sql delete tag note artefacts estimate check cancel"
)
WORDS = (
    "made latest mad 1 0 -1 3 1e9 nan inf 99999999999999999999999 x é beds beds=2 beds= = x=5% x=lower a:beds=1 a: : "
    "a:beds=1,beds=2 base base/base / .. ../x model.py model.py:simulate model.py: :simulate json:loads out s4://x "
    "sqlite:// sqlite:/// mysql:// postgresql://u:p@ss/w@h/d https://x file:// -- - -n --store --json --csv -o --param "
    "--grid --scenario --seed --name --workers --timeout --memory --tolerate --precision --select --streams --keep "
    "--collate --experiment --confidence --ratio --pooled --table --format --sample --stored --baseline --proportions "
    "--help --from --to rows.a:p95 rows.a:p101 rows.a csv parquet"
)
WORD = st.sampled_from(["", " ", "\0", "\n", "\ud800", "SELECT 1", *WORDS.split()]) | st.text(max_size=5)
STATUSES = {0, 1, 2, 3, 4}


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("here")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("REPLICAST_STORE", raising=False)
        Path("model.py").write_text(MODEL)
        assert main(["run", "model.py", "-n", "2", "--on", "serial", "--name", "made", "--quiet"]) == 0
        yield folder


def status_of(arguments: list[str]) -> int:
    """Of a command; argparse's own refusals leave by SystemExit."""
    try:
        return main(arguments)
    except SystemExit as end:
        assert isinstance(end.code, int)
        return end.code


def refused_or_done(arguments: list[str]) -> None:
    before = set(open_store("runs").runs())
    status = status_of(arguments)
    assert status in STATUSES, arguments
    if status == 2:
        assert set(open_store("runs").runs()) == before, f"{arguments} was refused and left a run"


@FUZZ
@given(st.sampled_from(COMMANDS.split()), st.lists(WORD, max_size=4))
def test_no_command_line_gives_a_traceback(command: str, words: list[str]) -> None:
    refused_or_done([command, *words])


@FUZZ
@example(["", ""])
@given(st.lists(WORD, max_size=4))
def test_no_run_gives_a_traceback_or_is_half_started(words: list[str]) -> None:
    refused_or_done(["run", "model.py", "-n", "1", "--on", "serial", "--quiet", *words])


KEYS = (
    "model replications seed parameters scenarios grid design collate streams source places command precision select "
    "timeout memory retries tolerate keep workers"
)
TEXTS = st.sampled_from(["model.py", "x", "", "base", "sobol", "1e999", "\0"])
LEAVES = TEXTS | st.integers() | st.floats() | st.booleans()
VALUES = st.recursive(
    LEAVES,
    lambda own: st.lists(own, max_size=3) | st.dictionaries(st.sampled_from(["base", "beds", "kind", "file", ""]), own),
    max_leaves=6,
)


def as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{as_toml(key)} = {as_toml(own)}" for key, own in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\0", "\\u0000") + '"'
    return str(value).lower()


@FUZZ
@given(st.dictionaries(st.sampled_from(KEYS.split()), VALUES, max_size=4))
def test_no_experiment_file_gives_a_traceback(values: dict[str, Any]) -> None:
    lines = [f"{key} = {as_toml(value)}" for key, value in ({"model": "model.py"} | values).items()]
    Path("experiment.toml").write_text("\n".join(lines), encoding="utf-8")
    refused_or_done(["run", "--experiment", "experiment.toml", "-n", "1", "--on", "serial", "--quiet"])


@FUZZ
@given(st.binary(max_size=60))
def test_no_bytes_for_an_experiment_file_give_a_traceback(content: bytes) -> None:
    Path("experiment.toml").write_bytes(content)
    refused_or_done(["run", "--experiment", "experiment.toml", "-n", "1", "--on", "serial", "--quiet"])


CELLS = st.sampled_from(["beds", "scenario", "1", "2.5", "", "x", '"', "\n", ",", ";", "nan", "\ufeff", "\0", "é"])


@FUZZ
@given(st.lists(CELLS, max_size=20).map(",".join).map(str.encode) | st.binary(max_size=60))
def test_no_design_gives_a_traceback(content: bytes) -> None:
    Path("design.csv").write_bytes(content)
    try:
        read_points(Path("design.csv"))
    except ReplicastError as error:
        assert "design.csv" in str(error)


FIELDS = (
    "repetitions replications seed name parameters scenarios grid precision max timeout retries tolerate select memory "
    "keep run round beds"
)
EVENTS = st.recursive(
    st.none() | LEAVES,
    lambda own: st.lists(own, max_size=3) | st.dictionaries(st.sampled_from(["base", "beds", ""]), own, max_size=3),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def deployed() -> Any:
    request = Request(model="model.py", replications=2)
    with Preparation(request, on="serial", store_url="deployed") as preparation:
        yield preparation.drawn_up(), preparation.signature


@FUZZ
@given(st.dictionaries(st.sampled_from(FIELDS.split()), EVENTS, max_size=4) | EVENTS)
def test_nothing_that_an_execution_is_started_with_gives_a_traceback(deployed: Any, typed: Any) -> None:
    record, signature = deployed
    arn = "arn:aws:states:eu-west-2:1:execution:replicast:abc"
    try:
        made = record_by_hand(order_of(typed), record, signature, execution=arn, started="2026-01-01T00:00:00Z")
    except ReplicastError as error:
        assert str(error)
    else:
        assert made.replications >= 1
