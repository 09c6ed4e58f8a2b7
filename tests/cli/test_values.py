"""Values as they are typed: commas within brackets and quotes part nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replicast.cli.values import grid_values, named_scenario, split_outside


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1,2", ["1", "2"]),
        ("[1,2],[3,4]", ["[1,2]", "[3,4]"]),
        ('{"a": 1, "b": [2,3]},{"a": 5}', ['{"a": 1, "b": [2,3]}', '{"a": 5}']),
        ("(1,2),3", ["(1,2)", "3"]),
        ("c(1,2),c(3)", ["c(1,2)", "c(3)"]),
        ('["a,]b","c"],x', ['["a,]b","c"]', "x"]),
        ('["a\\",b"],x', ['["a\\",b"]', "x"]),
        ('"a,b",c', ['"a,b"', "c"]),
        ('5" pipe,6" pipe', ['5" pipe', '6" pipe']),
        ("a(,b", ["a(", "b"]),
        ("a),b", ["a)", "b"]),
        ("[1,2", ["[1", "2"]),
        (",1", ["", "1"]),
        ("", [""]),
    ],
)
def test_commas_within_brackets_part_nothing(text: str, parts: list[str]) -> None:
    assert split_outside(text) == parts


def test_a_grid_and_a_scenario_take_json() -> None:
    assert grid_values("w=[1,2],[3,4]") == {"w": ["[1,2]", "[3,4]"]}
    assert grid_values('s="a,b",c') == {"s": ["a,b", "c"]}
    assert grid_values('s="a",c') == {"s": ['"a"', "c"]}
    assert named_scenario('a:o={"a": 1, "b": 2},w=[1,2],s=x') == (
        "a", {"o": '{"a": 1, "b": 2}', "w": "[1,2]", "s": "x"},
    )  # fmt: skip


def test_proportions_may_be_followed_by_the_run(
    write_model: Callable[..., Path], replicast: Callable[..., Any]
) -> None:
    path = write_model("def simulate(rng): return {'hit': rng.random() < 0.5, 'x': rng.random()}\n")
    for name in ("hits", "later"):
        replicast("run", path, "-n", 20, "--seed", 1, "--name", name)
    assert "of 20" in replicast("summary", "--proportions", "hits").stdout
    assert "of 20" in replicast("summary", "--proportions", "hit").stdout
    assert "no metric is called 'nothing'" in replicast("summary", "--proportions", "nothing").stderr
