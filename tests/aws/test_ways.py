"""This machine, functions, Fargate and Spot side by side: sums done by hand."""

from __future__ import annotations

import pytest

from replicast.aws.estimate import Pilot, estimate
from replicast.aws.prices import ADDRESS, FARGATE
from replicast.aws.ways import START_SECONDS, Way, check_way, ways
from replicast.core.errors import RequestError


def compared(seconds: float, megabytes: float = 300.0, n: int = 100) -> dict[str, Way]:
    pilot = Pilot((seconds, seconds), megabytes, 50_000, 1, 2)
    found = ways(pilot, estimate(pilot, n, region="us-east-1", architecture="x86_64"))
    return {way.name: way for way in found}


def test_forty_minutes_fit_no_function_and_cost_on_fargate_what_its_processor_hours_do() -> None:
    found = compared(2400.0)
    assert list(found) == ["here", "lambda", "batch", "fargate-spot"]
    assert found["here"] == Way("here", 100 * 2400 / 2, 0.0)
    assert "a function has 875 s" in found["lambda"].impossible
    processor, gigabyte = FARGATE["us-east-1"]["x86_64"]
    hours, of_a_task = 100 * (2400 + START_SECONDS) / 3600, processor + 2 * gigabyte
    assert found["batch"].dollars == pytest.approx(hours * (of_a_task + ADDRESS), abs=0.02)
    assert found["fargate-spot"].dollars == pytest.approx(hours * (0.3 * of_a_task + ADDRESS), abs=0.02)
    assert 2400 < found["batch"].wall_seconds < 2600


def test_ten_minutes_cost_about_half_on_fargate_of_what_they_cost_in_functions() -> None:
    found = compared(600.0)
    assert found["lambda"].impossible == ""
    assert 0.5 < found["batch"].dollars / found["lambda"].dollars < 0.7


def test_memory_beyond_every_task_is_said_and_beyond_a_function_has_a_larger_task() -> None:
    assert "122,880 MB" in compared(60.0, 100_000.0)["batch"].impossible
    assert compared(60.0, 12_000.0)["batch"].dollars > compared(60.0)["batch"].dollars


def test_a_way_that_costs_more_than_allowed_or_cannot_be_is_refused() -> None:
    found = tuple(compared(2400.0).values())
    with pytest.raises(RequestError, match="a function has 875 s"):
        check_way(found, "lambda", 1000.0)
    with pytest.raises(RequestError, match="more than --max-cost 1;"):
        check_way(found, "batch", 1.0)
    assert check_way(found, "batch", 100.0).name == "batch"
