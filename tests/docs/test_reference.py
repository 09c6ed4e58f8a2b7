"""The references are what the parsers and the docstrings say."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import replicast
from replicast.runs import Run

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_reference_of_the_command_line_is_up_to_date() -> None:
    command = [sys.executable, "tools/cli_reference.py"]
    printed = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    stored = (REPOSITORY / "docs/reference/cli.md").read_text(encoding="utf-8")
    assert stored == printed, "run: python tools/cli_reference.py > docs/reference/cli.md"


def test_every_parameter_of_the_python_interface_is_named_in_its_docstring_or_its_functions() -> None:
    """`run` has one docstring for all of its parameters; what it does not name, the page of its parameters does."""
    page = (REPOSITORY / "docs/reference/api.md").read_text(encoding="utf-8")
    public = [replicast.run, *(own for name, own in inspect.getmembers(Run, callable) if not name.startswith("_"))]
    missing = []
    for function in public:
        documented = f"{inspect.getdoc(function) or ''} {inspect.getdoc(Run) or ''} {page}"
        missing += [
            f"{function.__qualname__}({name})"
            for name, one in inspect.signature(function).parameters.items()
            if name != "self" and one.kind is not one.VAR_KEYWORD and not re.search(rf"\b{name}\b", documented)
        ]
        missing += [] if inspect.getdoc(function) else [f"{function.__qualname__} has no docstring"]
    assert missing == []
