"""No code asks what a place or a language is called, or whether a store happens to have a method: it asks the port."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "replicast"
NAMES = {"local", "serial", "pool", "slurm", "dask", "aws"}
OWN = ("asking/walking.py", "places/slurm.py", "places/dask.py", "places/home.py", "executors/", "aws/", "cli/aws_")
"""A place's own files, in which its name may be compared; and one that compares the names of folders."""
LANGUAGES = {"python", "r", "R", "command", "callable", "Python", ".py", ".r", ".R"}
LANGUAGES_OWN = ("models/python", "models/r_", "models/r.py", "models/command", "models/languages.py",
                 "models/environments.py")  # fmt: skip
"""A language's own files, and those of the lines that its package manager takes."""
NO_LANGUAGE = {"asking/settings.py": "command", "asking/locating.py": "command", "asking/walking.py": "python"}
"""A key of experiment.toml and a folder of renv's, which are no languages."""
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


def of_language(node: ast.AST) -> bool:
    """Whether it is the name of a model's language, as a record has it."""
    return (isinstance(node, ast.Attribute) and node.attr == "language") or (
        isinstance(node, ast.Name) and node.id == "language"
    )


def asked_of(node: ast.AST) -> list[ast.expr]:
    """What is compared, matched, or looked up in a mapping that is no registry."""
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Match):
        return [node.subject]
    if isinstance(node, ast.Subscript):
        return [node.slice]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "startswith"):
        return [*node.args, *([node.func.value] if node.func.attr == "startswith" else [])]
    return []


def test_no_name_of_a_language_is_asked_outside_its_own_files() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, node in nodes()
        if not name.startswith(LANGUAGES_OWN)
        for part in asked_of(node)
        for inner in ast.walk(part)
        if of_language(inner)
        or (isinstance(node, ast.Compare) and isinstance(inner, ast.Constant) and inner.value in LANGUAGES
            and inner.value != NO_LANGUAGE.get(name))
    ]  # fmt: skip
    # A reference knows of itself whether `module` names it, or is the digest of a function that no file defines.
    assert [one.partition(":")[0] for one in found] == ["core/experiment.py"], found


def test_no_ability_of_a_port_is_asked_for_by_name() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr")
        if isinstance(node.args[1], ast.Constant) and ast.unparse(node.args[0]).rpartition(".")[2].strip("_") in PORTS
    ]
    assert found == []
