"""The template and the state machine, checked without an account: the emulator takes any template."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from replicast.aws.cloud import Answer
from replicast.aws.limits import QUOTAS, SETTINGS
from replicast.aws.stack import state_machine, template

FUNCTIONS = ("Plan", "Simulate", "Collate")
TEMPLATES = ("template.yaml", "database.yaml", "batch.yaml", "codebuild.yaml")
TEMPLATE = Path(str(files("replicast.aws"))) / "template.yaml"


def states() -> Iterator[tuple[str, dict[str, Any]]]:
    machine = json.loads(state_machine())
    yield from machine["States"].items()
    yield from machine["States"]["Simulate"]["ItemProcessor"]["States"].items()


@pytest.mark.long
@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_has_nothing_to_say(name: str) -> None:
    template = TEMPLATE.with_name(name)
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--include-checks", "I", "--", str(template)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0)
    assert template.stat().st_size < 51_200, "CloudFormation takes no larger template in a request"


def validated(definition: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What asl-validator says of a state machine."""
    validator = Path(sys.prefix) / "node" / "node_modules" / ".bin" / "asl-validator"
    if not validator.exists():
        pytest.skip("asl-validator is not installed; where npm is, `make test` installs it")
    path = folder / "state_machine.json"
    path.write_text(definition, encoding="utf-8")
    return subprocess.run([validator, "--json-path", path], capture_output=True, text=True, check=False)


def test_asl_validator_finds_the_state_machine_valid(tmp_path: Path) -> None:
    functions = {f"${{{name}Function}}": f"arn:aws:lambda:eu-west-2:1:function:{name}" for name in FUNCTIONS}
    definition = state_machine()
    for placeholder, arn in (functions | {"${Partition}": "aws"}).items():
        assert placeholder in definition
        definition = definition.replace(placeholder, arn)
    done = validated(definition, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("right", "wrong"),
    [('"Next": "AnythingMissing"', '"Next": "AnythingAbsent"'), ('"$.next"', '"next.$"'), ('"Succeed"', '"Success"')],
)
def test_asl_validator_finds_what_is_wrong(tmp_path: Path, right: str, wrong: str) -> None:
    assert right in state_machine()
    assert validated(state_machine().replace(right, wrong), tmp_path).returncode != 0


def test_the_templates_settings_are_bounded_as_planning_bounds_them() -> None:
    parameters = TEMPLATE.read_text(encoding="utf-8").partition("\nConditions:")[0]
    for name, (low, high, _) in SETTINGS.items():
        block = parameters.partition(f"\n  {name.title().replace('_', '')}:\n")[2]
        bounds = [int(block.partition(f"    {bound}Value: ")[2].split(maxsplit=1)[0]) for bound in ("Min", "Max")]
        assert bounds == [low, high], name


def test_what_travels_through_the_state_machine_is_far_below_its_quotas() -> None:
    longest = Answer("r" * 80, "e" * 80, 10**6, "stop", "i" * 200, 10**6, 10**8, 10**4, 960, "E" * 200, "c" * 10_000)
    size = len(json.dumps(longest.to_json(bucket="b" * 63, prefix="runs")))
    assert size < QUOTAS["state"].value // 10
    assert QUOTAS["state"].value < QUOTAS["payload"].value


def test_a_functions_time_is_more_than_an_express_execution_has_so_children_are_standard() -> None:
    assert QUOTAS["function_seconds"].value > QUOTAS["express_seconds"].value
    assert json.loads(state_machine())["States"]["Simulate"]["ItemProcessor"]["ProcessorConfig"]["ExecutionType"] == (
        "STANDARD"
    )


def test_every_task_has_a_timeout_and_retries_with_jitter_and_a_cap() -> None:
    tasks = [(name, state) for name, state in states() if state["Type"] == "Task"]
    assert len(tasks) == 7
    for name, state in tasks:
        assert "TimeoutSeconds" in state or "TimeoutSecondsPath" in state, name
        for retry in state["Retry"]:
            assert retry["JitterStrategy"] == "FULL", name
            assert retry["MaxDelaySeconds"] <= 60, name
            assert retry["BackoffRate"] > 1, name


def test_every_way_to_fail_is_named_and_every_state_can_be_reached() -> None:
    machine = json.loads(state_machine())
    targets = {machine["StartAt"]}
    for state in machine["States"].values():
        targets |= {state[key] for key in ("Next", "Default") if key in state}
        targets |= {choice["Next"] for choice in state.get("Choices", [])}
        targets |= {catch["Next"] for catch in state.get("Catch", [])}
    assert targets == set(machine["States"])
    for name in FUNCTIONS:
        (catch,) = machine["States"][name]["Catch"]
        assert machine["States"][catch["Next"]]["Type"] == "Fail"
    fails = [state for state in machine["States"].values() if state["Type"] == "Fail"]
    assert all("CausePath" in state and "ErrorPath" in state for state in fails)


def test_the_map_is_distributed_with_standard_children_and_returns_nothing() -> None:
    simulate = json.loads(state_machine())["States"]["Simulate"]
    assert simulate["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert simulate["ResultPath"] is None
    assert simulate["MaxConcurrencyPath"] == "$.concurrency"
    assert simulate["ToleratedFailurePercentage"] == 100
    assert not {"ItemBatcher", "ResultWriter"} & set(simulate)
    ends = [state for state in simulate["ItemProcessor"]["States"].values() if "Next" not in state]
    assert len(ends) == 3
    assert all(state["OutputPath"] is None for state in ends)


def test_what_was_throttled_or_lost_is_noted_without_a_function_that_might_be_throttled_too() -> None:
    items = json.loads(state_machine())["States"]["Simulate"]["ItemProcessor"]["States"]
    throttled, lost = items["Perform"]["Catch"]
    assert (throttled["ErrorEquals"], items[throttled["Next"]]["Type"]) == (
        ["Lambda.TooManyRequestsException"], "Succeed"
    )  # fmt: skip
    assert items[lost["Next"]]["Resource"] == "arn:${Partition}:states:::aws-sdk:s3:putObject"


def test_no_arn_names_a_partition_of_its_own() -> None:
    for text in (*(template(name) for name in TEMPLATES), state_machine()):
        assert "arn:aws" not in text
        assert "arn:${" in text


def test_no_secret_stands_in_template_or_state_machine() -> None:
    text = (TEMPLATE.read_text() + template("database.yaml") + state_machine()).lower()
    assert text.count("password:") == text.count("managemasteruserpassword: true") == 1
    assert text.count("secretstring:") == text.count("generatesecretstring:") == 1
    for word in ("resolve:", "accesskey", "access_key", "token"):
        assert word not in text


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_may_be_sent_as_it_is(name: str) -> None:
    """51,200 bytes: docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html."""
    assert len(template(name).encode()) < 51_200
