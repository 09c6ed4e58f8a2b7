"""The reference is generated from docstrings, so every public parameter stands in one, and every public name in it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import replicast
from replicast import testing
from replicast.reporting.collate import collate
from replicast.reporting.comparing import compare_run
from replicast.reporting.plotting import Plots
from replicast.reporting.steadying import steady_rows
from replicast.reporting.studies import performance_rows
from replicast.reporting.warming import find_warm_up
from replicast.runs import Run

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "python.md"
BEHIND: dict[Any, Callable[..., Any]] = {
    Run.collate: collate, Run.compare: compare_run, Run.compare_and_rank: compare_run, Run.warm_up: find_warm_up,
    Run.performance: performance_rows, Run.steady: steady_rows,
}  # fmt: skip
"""What takes the `**options` of a method."""
ITS_OWN = {"store", "record", "folder", "first", "values", "tables"}
"""Parameters of those that the method gives itself."""
INHERITED = {Run.compare_and_rank: Run.compare}
"""Whose docstring says of options that they are another's."""


def methods_of(kind: type) -> Iterator[tuple[str, Any]]:
    for name, found in inspect.getmembers(kind, callable):
        if not name.startswith("_"):
            yield f"{kind.__name__}.{name}", found


def public() -> list[Any]:
    functions = {"run": replicast.run, "list_runs": replicast.list_runs, "Run": Run}
    functions |= {name: getattr(testing, name) for name in testing.__all__ if name.startswith("check_")}
    functions |= dict([*methods_of(Run), *methods_of(Plots)])
    return [pytest.param(name, function, id=name) for name, function in functions.items()]


def parameters(function: Any) -> set[str]:
    taken = inspect.signature(function).parameters.values()
    names = {one.name for one in taken if one.name != "self"}
    return names if function not in BEHIND else (names - {"options"}) | (parameters(BEHIND[function]) - ITS_OWN)


def documented(name: str, function: Any) -> str:
    text = [function, *([Plots] if name.startswith("Plots.") else []), INHERITED.get(function)]
    return " ".join(inspect.getdoc(one) or "" for one in text if one)


def undocumented(name: str, function: Any) -> list[str]:
    said = " ".join(re.findall(r"`[^`]+`", documented(name, function)))
    return sorted(one for one in parameters(function) if not re.search(rf"\b{one}\b", said))


@pytest.mark.parametrize(("name", "function"), public())
def test_every_public_parameter_stands_in_the_docstring(name: str, function: Any) -> None:
    assert inspect.getdoc(function), f"{name} has no docstring"
    assert undocumented(name, function) == []


def test_a_parameter_that_stands_in_no_docstring_is_found() -> None:
    def example(given: int, forgotten: int) -> None:
        """Takes what is `given`."""

    assert undocumented("example", example) == ["forgotten"]


def test_every_public_name_is_in_the_reference() -> None:
    named = set(re.findall(r"^::: (\S+)$", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE))
    errors = {f"replicast.{name}" for name in replicast.__all__ if isinstance(getattr(replicast, name), type)}
    others = {"replicast.run", "replicast.list_runs", "replicast.reporting.plotting.Plots", "replicast.testing"}
    assert others | errors <= named
