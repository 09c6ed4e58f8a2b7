"""Whether the commands that a message names can be pasted: each is one, and finds its run where that is."""

from __future__ import annotations

import functools
import itertools
import re
import shlex
from collections.abc import Iterator, Sequence

from replicast.cli.arguments import build_parser
from replicast.core.errors import RequestError

HINT = re.compile(r"replicast (?=[a-z]+ )[^;\n]*")


@functools.cache
def commands() -> frozenset[str]:
    return frozenset(build_parser()[1])


def check_hints(given: Sequence[str], printed: str) -> None:
    """Has the parser take each command in what was `printed`, and looks for --store where `given` named another one."""
    elsewhere = next((store for option, store in itertools.pairwise(given) if option == "--store"), "runs")
    for words in _hints(printed):
        chosen = _parsed(words)
        assert chosen is not None, f"no command: {shlex.join(words)}"
        names_a_run = getattr(chosen, "run", "latest") not in ("latest", None)
        if elsewhere != "runs" and names_a_run and hasattr(chosen, "store"):
            assert chosen.store, f"it leaves out --store {elsewhere}: {shlex.join(words)}"


def _hints(printed: str) -> Iterator[list[str]]:
    for found in HINT.finditer(printed):
        try:
            words = shlex.split(found[0])
        except ValueError:  # an apostrophe of the prose behind it
            words = found[0].split()
        if words[1] in commands() and words[2:3] != ["--help"]:
            yield words


def _parsed(words: list[str]) -> object:
    """The command with as many of the words as it takes, but for prose that follows it, in which no option stands."""
    for end in range(len(words), 1, -1):
        try:
            chosen, rest = build_parser(wanted=words[1])[0].parse_known_args(words[1:end])
            if not rest:
                return chosen
        except RequestError:
            pass
        if words[end - 1].startswith("-"):
            break
    return None
