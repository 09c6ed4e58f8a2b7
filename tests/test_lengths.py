"""How long functions and files are: what one can read at a time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "src" / "replicast"
LONGEST_FUNCTION = 45
MOST_FUNCTIONS = 18
"""Nine functions of ten are no longer."""
LONGEST_FILE = 350


def lines_of_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[0]
    assert first.end_lineno is not None
    return first.end_lineno - first.lineno + 1 if ast.get_docstring(node) is not None else 0


def functions() -> Iterator[tuple[int, str]]:
    """Each function and method, nested ones too, with its lines from `def` to its last: the signature counts,
    decorators and the docstring, which is text and names every parameter, do not."""
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1 - lines_of_docstring(node)
                yield lines, f"{path.relative_to(SOURCE)}: {node.name}"


def test_no_function_is_longer_than_forty_five_lines() -> None:
    assert [found for found in sorted(functions(), reverse=True) if found[0] > LONGEST_FUNCTION] == []


def test_nine_functions_of_ten_have_eighteen_lines_at_most() -> None:
    lengths = sorted(lines for lines, _ in functions())
    assert len(lengths) > 2000
    assert lengths[int(len(lengths) * 0.9)] <= MOST_FUNCTIONS


def test_no_file_of_the_source_is_longer_than_three_hundred_and_fifty_lines() -> None:
    """AWS's template is one file by its nature, and no code."""
    files = [path for path in SOURCE.rglob("*") if path.suffix in (".py", ".R", ".html", ".css", ".sh")]
    lengths = {str(path.relative_to(SOURCE)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE} == {}
