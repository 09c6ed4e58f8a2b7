"""What a report is made of, whatever it is written as: texts, tables, figures and parts that hold them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Paragraph:
    sort: ClassVar[str] = "paragraph"
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values that are seen at one glance."""

    sort: ClassVar[str] = "facts"
    pairs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Notes:
    sort: ClassVar[str] = "notes"
    title: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class Grid:
    """Rows under headers; the first cell of each is its name.

    Columns of `names` and `words` stand to the left, and lines break in `words` alone. `footnotes` stand below.
    """

    sort: ClassVar[str] = "grid"
    caption: str
    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    names: Sequence[int] = ()
    words: Sequence[int] = ()
    footnotes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG element, and the name of the file that it is written to."""

    name: str
    svg: str


@dataclass(frozen=True, slots=True)
class Figure:
    sort: ClassVar[str] = "figure"
    pictures: Sequence[Picture]
    caption: str


@dataclass(frozen=True, slots=True)
class Code:
    sort: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True, slots=True)
class Folded:
    """What is shown when it is asked for; printed in full."""

    sort: ClassVar[str] = "folded"
    title: str
    inside: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Part:
    sort: ClassVar[str] = "part"
    identity: str
    title: str
    inside: Sequence[Block]


Block = Paragraph | Facts | Notes | Grid | Figure | Code | Folded | Part


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report. `head` stands before its parts, each of which is reached from its contents."""

    title: str
    heading: str
    head: Sequence[Block]
    first: Sequence[Block]
    parts: Sequence[Part]
    footer: str


def pictures_of(blocks: Sequence[Block]) -> list[Picture]:
    """All pictures in order, those inside other blocks too."""
    found: list[Picture] = []
    for block in blocks:
        if isinstance(block, Figure):
            found += block.pictures
        elif isinstance(block, Folded | Part):
            found += pictures_of(block.inside)
    return found
