"""A document as Markdown (CommonMark with GitHub's tables), whose figures are files beside it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from .blocks import Block, Code, Document, Facts, Figure, Folded, Grid, Notes, Paragraph, Part

SPECIAL = re.compile(r"([\\`*_\[\]<>#|~$&])")


def markdown(document: Document, figures: str) -> str:
    """`figures` is the path of the folder of pictures, as seen from the document."""
    pieces = [f"# {plain(document.heading)}"]
    for block in (*document.head, *document.first, *document.parts):
        pieces += _shown(block, figures, 2)
    return "\n\n".join([*pieces, "---", plain(document.footer)]) + "\n"


def plain(text: str) -> str:
    """A text that shows as it is, on one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _shown(block: Block, figures: str, level: int) -> Iterator[str]:
    match block:
        case Paragraph(text):
            yield plain(text)
        case Facts(pairs):
            yield "\n".join(f"- **{plain(name)}**: {plain(value)}" for name, value in pairs.items())
        case Notes(title, lines):
            if lines:
                yield "\n".join([f"> **{plain(title)}**", ">", *(f"> - {plain(line)}" for line in lines)])
        case Grid():
            yield from _grid(block)
        case Figure(pictures, caption):
            yield from (f"![{plain(caption)}](<{figures}/{one.name}.svg>)" for one in pictures)
            yield f"*{plain(caption)}*"
        case Code(text):
            yield _fenced(text)
        case Folded(title, inside):
            yield f"**{plain(title)}**"
            for one in inside:
                yield from _shown(one, figures, level)
        case Part(_, title, inside):
            yield f"{'#' * level} {plain(title)}"
            for one in inside:
                yield from _shown(one, figures, level + 1)


def _grid(block: Grid) -> Iterator[str]:
    left = {0, *block.names, *block.words}
    yield f"**{plain(block.caption)}**"
    marks = [":---" if place in left else "---:" for place in range(len(block.headers))]
    yield "\n".join(
        _row(cells) for cells in ([*map(plain, block.headers)], marks, *(map(plain, r) for r in block.rows))
    )
    if block.footnotes:
        yield "\n".join(f"- {plain(note)}" for note in block.footnotes)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell or ' ' for cell in cells)} |"


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}"
