"""No code asks what a place is called, or whether a store or an executor happens to have a method: it asks the port."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "replicast"
NAMES = {"local", "serial", "pool", "slurm", "dask", "aws"}
OWN = ("asking/walking.py", "places/slurm.py", "places/dask.py", "places/home.py", "executors/", "aws/", "cli/aws_")
"""A place's own files, in which its name may be compared; and one that compares the names of folders."""
PORTS = {"store", "place", "executor", "job"}


def nodes() -> Iterator[tuple[str, ast.AST]]:
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE).as_posix()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield name, node


def test_no_name_of_a_place_is_compared_outside_its_own_files() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, node in nodes()
        if isinstance(node, ast.Compare) and not name.startswith(OWN)
        for constant in ast.walk(node)
        if isinstance(constant, ast.Constant) and constant.value in NAMES
    ]
    assert found == []


def test_no_ability_of_a_port_is_asked_for_by_name() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr")
        if isinstance(node.args[1], ast.Constant) and ast.unparse(node.args[0]).rpartition(".")[2].strip("_") in PORTS
    ]
    assert found == []
