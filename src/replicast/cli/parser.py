"""The parser of commands, which complains as the rest of replicast does."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from replicast.core.errors import RequestError

from .help import (
    COMMANDS,
    MEANT_COMMANDS,
    MEANT_OPTIONS,
    MEANT_PROGRAM,
    PROGRAM_CLAUSE,
    meant,
    overview,
    sections,
)  # fmt: skip


class Parser(argparse.ArgumentParser):
    """Complains as the rest of replicast does, naming what was meant; shows its options by what they are for."""

    given: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        if message.startswith("the following arguments are required") and (unknown := self._unknown_option()):
            message = f"unrecognized arguments: {unknown}"  # argparse misses what is missing first: --versoin, COMMAND
        _, is_unknown, unknown = message.partition("unrecognized arguments: ")
        if is_unknown:
            first = " ".join(unknown.split()[:1]).partition("=")[0]
            program = PROGRAM_CLAUSE if first in MEANT_PROGRAM and self.prog.endswith(" run") else ""
            found = program or meant(first, self._option_string_actions, MEANT_OPTIONS)
            message = f"there is no option '{first}'{found}" if first.startswith("-") else f"what is '{first}' for?"
        elif "invalid choice: '" in message:
            given = message.split("invalid choice: '")[1].split("'")[0]
            choices = next((a.choices for a in self._actions if isinstance(a, argparse._SubParsersAction)), None)
            if choices and given not in choices:
                top = f" (did you mean 'replicast {given}'?)" if self._is_below(given) else ""
                message = f"there is no command '{given}'{top or meant(given, choices, MEANT_COMMANDS)}"
        raise RequestError(f"{message}; see: {self.prog} --help")

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Takes options between a RUN that may be left out and what follows it, as `replay latest --pdb 17` has."""
        self.given = list(args or ())
        positionals = [action for action in self._actions if not action.option_strings]
        if args and len(positionals) > 1 and positionals[0].nargs == "?":
            args = self._options_first(list(args))
        return super().parse_known_args(args, namespace)

    def _is_below(self, given: str) -> bool:
        """Whether this is the parser of a command with commands of its own, and that is one of replicast's."""
        return " " in self.prog and any(given in names for names in COMMANDS.values())

    def _unknown_option(self) -> str:
        """The first word that looks like an option and is none, nor a beginning of one; empty where there is none."""
        known = self._option_string_actions
        options = [one for one in itertools.takewhile(lambda one: one != "--", self.given) if one.startswith("--")]
        return next((one for one in options if not any(name.startswith(one.partition("=")[0]) for name in known)), "")

    def _options_first(self, given: list[str]) -> list[str]:
        options: list[str] = []
        others: list[str] = []
        while given:
            one = given.pop(0)
            action = self._option_string_actions.get(one.partition("=")[0])
            (options if action else others).append(one)
            if action and action.nargs is None and "=" not in one and given:
                options.append(given.pop(0))
        return options + others

    def format_help(self) -> str:
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        for title, actions in sections([a for a in self._actions if not isinstance(a, argparse._SubParsersAction)]):
            formatter.start_section(title)
            formatter.add_arguments(actions)
            formatter.end_section()
        formatter.add_text(self._overview() or None)
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def _overview(self) -> str:
        """The commands under this one, by what they are for."""
        groups = [action for action in self._actions if isinstance(action, argparse._SubParsersAction)]
        helps = {one.dest: one.help or "" for group in groups for one in group._choices_actions}
        shown = [title + ":\n" + "\n".join(f"  {name:<12}  {text}" for name, text in own)
                 for title, own in overview(helps)]  # fmt: skip
        return "\n\n".join(shown)


class Unbuilt:
    """Stands for the parser of a command that was not given, of which only its name and what it does are needed.

    A hundred options in thirty commands take longer to declare than a short command takes to do its work.
    """

    def add_argument(self, *_: Any, **__: Any) -> None: ...

    def set_defaults(self, **_: Any) -> None: ...

    def itself(self, *_: Any, **__: Any) -> Unbuilt:
        return self

    add_subparsers = add_parser = add_mutually_exclusive_group = itself


Add = Callable[[str, str, str], Parser]
"""Adds a command: its name, `module:function` that carries it out, and what it does."""


def add_replications(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("-n", "--replications", type=int, metavar="N", help=text)
