"""Prose broken between words, but never inside a command: pasted from two lines, its first half would run alone."""

from __future__ import annotations

import re
import textwrap

COMMAND = re.compile(
    r"(?:(?<=: )|(?<=[(`])|^)(?:replicast|(?:pip|apt) install)(?:(?<![,)`]) (?:'[^']*'|[^\s;'])+)+", re.MULTILINE
)
GLUE = "\0"


def fold(text: str, width: int, indent: str) -> list[str]:
    """Lines of at most `width` columns, but for a word or a command that is longer: that has a line of its own."""
    glued = COMMAND.sub(lambda found: found[0].replace(" ", GLUE), text)
    lines = textwrap.wrap(
        glued, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )  # fmt: skip
    return [line.replace(GLUE, " ") for line in lines]
