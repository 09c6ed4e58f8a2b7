"""Placeholders in a command's arguments: `{replication}`, `{params.beds}`; a literal brace is written `{{` or `}}`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from replicast.core.errors import ModelError, nearest

SIMULATION = ("replication", "seed", "seed32", "scenario", "out", "params_json", "params_file", "antithetic")
COLLATION = ("artefacts", "scenario", "out", "params_json", "params_file")
PARAMETER = "params."
TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Template:
    """A command, each argument cut at its placeholders: text and placeholder take turns, text first and last."""

    arguments: tuple[tuple[str, ...], ...]

    @classmethod
    def parse(cls, command: Sequence[str], known: Sequence[str]) -> Template:
        """Raises ModelError for an empty command and for a placeholder that is neither `known` nor a parameter."""
        if not command or not command[0].strip():
            raise ModelError("the command is empty: give a program and its arguments")
        return cls(tuple(_cut(argument, known) for argument in command))

    @property
    def names(self) -> tuple[str, ...]:
        """Every placeholder, once, in order of first appearance."""
        return tuple(dict.fromkeys(name for pieces in self.arguments for name in pieces[1::2]))

    @property
    def parameters(self) -> tuple[str, ...]:
        return tuple(name.removeprefix(PARAMETER) for name in self.names if name.startswith(PARAMETER))

    @property
    def takes_all_parameters(self) -> bool:
        return "params_json" in self.names or "params_file" in self.names

    @property
    def program(self) -> str | None:
        """The first word, or None where placeholders decide it."""
        first = self.arguments[0]
        return first[0] if len(first) == 1 else None

    def fill(self, values: Mapping[str, str]) -> list[str]:
        return ["".join(values[p] if i % 2 else p for i, p in enumerate(pieces)) for pieces in self.arguments]


def _cut(argument: str, known: Sequence[str]) -> tuple[str, ...]:
    pieces, end = [""], 0
    for token in TOKEN.finditer(argument):
        pieces[-1] += argument[end : token.start()]
        end = token.end()
        if token.group() in ("{{", "}}"):
            pieces[-1] += token.group()[0]
        else:
            pieces += [_checked(token, argument, known), ""]
    pieces[-1] += argument[end:]
    return tuple(pieces)


def _checked(token: re.Match[str], argument: str, known: Sequence[str]) -> str:
    name = token.group(1)
    if name is None:
        raise ModelError(f"'{argument}' has a brace without its partner; a literal brace is written {{{{ or }}}}")
    if name in known or (name.startswith(PARAMETER) and name != PARAMETER):
        return name
    hint = nearest(name, (*known, PARAMETER + "NAME"))
    raise ModelError(f"'{{{name}}}' is no placeholder{hint}; a literal brace is written {{{{ or }}}}")


def parameter_text(value: Any) -> str:
    """A parameter as it stands in an argument: a text as it is, everything else as JSON (12, 1.5, true, null)."""
    return value if isinstance(value, str) else json.dumps(value)


def parameter_values(parameters: Mapping[str, Any], template: Template) -> dict[str, str]:
    """The values of `{params_json}` and `{params.NAME}`. Raises ModelError for a NAME that is not there."""
    values = {"params_json": json.dumps(dict(parameters))}
    for name in template.parameters:
        if name not in parameters:
            raise ModelError(f"'{{{PARAMETER}{name}}}' names a parameter that is not given{nearest(name, parameters)}")
        values[PARAMETER + name] = parameter_text(parameters[name])
    return values
