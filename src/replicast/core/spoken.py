"""Numbers of things; options by the names that one knows them by: `--tolerate` in a shell, `tolerate` in Python."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from .errors import RequestError

IN_SHELL: ContextVar[bool] = ContextVar("IN_SHELL", default=False)
"""Set by the command line; what is called by anybody else speaks Python."""

P = ParamSpec("P")
T = TypeVar("T")

ARGUMENTS = {
    "-n": "n", "--max": "maximum", "--param": "params", "--scenario": "scenarios", "--sample": "size",
    "--format": "file_format", "--accept-changes": "accept_changes=True", "--join": "join=True",
    "--retry-failed": "retry_failed=True",
} | {
    f"--{name.replace('_', '-')}": name
    for name in (
        "seed", "grid", "design", "experiment", "on", "workers", "store", "name", "timeout", "memory", "retries",
        "tolerate", "precision", "look_ahead", "select", "indifference", "budget", "keep", "collate", "streams",
        "project", "baseline", "confidence", "table",
    )
}  # fmt: skip
OPTION = re.compile(r"(?<![\w-])(-n\b|--[a-z][a-z-]*)")
COMMAND = re.compile(r"replicast [a-z]+\b[^.:;\n]*$")
"""The beginning of a command that is to be pasted, up to where an option of it stands."""


def counted(number: int, thing: str) -> str:
    """`1 replication`, `2,000 replications`."""
    return f"{number:,} {thing}" + "s" * (number != 1)


def in_python(text: str) -> str:
    """The text with options as arguments; commands stay as a shell takes them."""

    def named(found: re.Match[str]) -> str:
        option = found[0]
        if COMMAND.search(text[: found.start()]):
            return option
        return ARGUMENTS.get(option, option)

    return OPTION.sub(named, text)


def speaks_python(function: Callable[P, T]) -> Callable[P, T]:
    """Has the RequestErrors of a public function name its arguments, wherever in the house they come from."""

    @functools.wraps(function)
    def speaking(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return function(*arguments, **named)
        except RequestError as error:
            if error.args and not IN_SHELL.get():
                error.args = (in_python(str(error.args[0])), *error.args[1:])
            raise

    return speaking
