"""Tables for the eye: columns where they fit the terminal, a stacked record a row where they do not.

No cell is cut, shrunk or broken in two at any width; only a text of `words` wraps, between its words.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from .folding import fold
from .harmless import code_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

STYLES = {"good": "green", "bad": "bold red", "doubt": "yellow", "quiet": "dim"}
NARROWEST_WORDS = 24
INDENT = "  "


class Toned(str):
    """A cell with a meaning that colour may add to: good, bad, doubt or quiet. The words say it too."""

    __slots__ = ("tone",)
    tone: str

    def __new__(cls, text: str, tone: str) -> Toned:
        made = super().__new__(cls, text)
        made.tone = tone
        return made


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: Iterable[int] = (),
    optional: Sequence[int] = (),
    *,
    names: Sequence[int] | None = None,
    words: Sequence[int] = (),
    top: int | None = None,
) -> None:
    """Prints rows under headers to standard output.

    A terminal that is too narrow goes without `optional` columns, the first named first; where that is not enough, each
    row becomes a record of all its cells, under those of `names` (the columns to the left, if not given). `top` rows
    are shown, and how many there are.
    """
    listed = [[clean(cell) for cell in row] for row in rows]
    shown = listed if top is None else listed[: max(top, 0)]
    sheet = _Sheet([clean(header) for header in headers], shown, frozenset(right), words)
    if sys.stdout.isatty():
        _print_on_terminal(sheet, optional, sheet.leading() if names is None else names)
    else:
        _print_plainly(sheet)
    if len(shown) < len(listed):
        print(f"the first {len(shown):,} of {len(listed):,} rows", file=sys.stderr)


def clean(cell: str) -> str:
    """A cell of one line, without what a terminal would take for a command."""
    if cell.isprintable():
        return cell
    text = "".join(c if c.isprintable() else " " if c.isspace() else code_of(c) for c in cell)
    return Toned(text, cell.tone) if isinstance(cell, Toned) else text


class _Sheet:
    """A table's cells, and which of its columns are numbers or words."""

    def __init__(
        self, headers: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int], words: Sequence[int]
    ) -> None:
        self.headers, self.rows, self.right, self.words = headers, rows, right, words

    def says(self, place: int) -> bool:
        """Whether a column of words has any in a row."""
        return place not in self.words or not self.rows or any(row[place] for row in self.rows)

    def leading(self) -> list[int]:
        """The columns before the first number; the first column, if that is one."""
        found = next((place for place in range(len(self.headers)) if place in self.right), len(self.headers))
        return list(range(min(max(found, 1), len(self.headers) - 1 or 1)))


def _print_plainly(sheet: _Sheet) -> None:
    """For pipes and logs: every column, as wide as it needs to be."""
    widths = [max(map(len, column)) for column in zip(sheet.headers, *sheet.rows, strict=True)]
    for row in [sheet.headers, *sheet.rows]:
        cells = [
            c.rjust(w) if i in sheet.right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())


def _print_on_terminal(sheet: _Sheet, optional: Sequence[int], names: Sequence[int]) -> None:
    from rich.console import Console

    width, height = shutil.get_terminal_size()  # rich takes a dumb terminal for 80 columns
    console = Console(highlight=False, width=width, height=height)
    shown = [place for place in range(len(sheet.headers)) if sheet.says(place)]
    for left_out in (None, *optional):
        shown = [place for place in shown if place != left_out]
        table = _as_columns(sheet, shown)
        if console.measure(table, options=console.options.update(width=10_000)).minimum <= console.width:
            console.print(table)
            return
    console.print()
    for line in _as_records(sheet, names, console):
        console.print(line, soft_wrap=True)


def _as_columns(sheet: _Sheet, shown: Sequence[int]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for place in shown:
        widest = max(cell_len(cell) for cell in (sheet.headers[place], *(row[place] for row in sheet.rows)))
        wraps = place in sheet.words
        table.add_column(
            _text(sheet.headers[place]), justify="right" if place in sheet.right else "left", no_wrap=not wraps,
            min_width=min(widest, NARROWEST_WORDS) if wraps else widest,
        )  # fmt: skip
    for row in sheet.rows:
        table.add_row(*[_text(row[place]) for place in shown])
    return table


def _as_records(sheet: _Sheet, names: Sequence[int], console: Console) -> Iterator[Text]:
    """Each row's names, and below them its other cells, as many to a line as fit."""
    from rich.text import Text

    others = [place for place in range(len(sheet.headers)) if place not in names]
    for place, row in enumerate(sheet.rows):
        if place:
            yield Text()
        for line in _flow([row[name] for name in names], [""] * len(names), console.width, ""):
            line.stylize("bold")
            yield line
        filled = [other for other in others if row[other]]
        labels = [sheet.headers[other] for other in filled]
        yield from _flow([row[other] for other in filled], labels, console.width, INDENT)


def _flow(cells: Sequence[str], labels: Sequence[str], width: int, indent: str) -> Iterator[Text]:
    from rich.text import Text

    line = Text()
    for cell, label in zip(cells, labels, strict=True):
        piece = Text.assemble((f"{label} ", "dim"), _text(cell)) if label else _text(cell)
        if line and line.cell_len + 3 + piece.cell_len > width:
            yield line
            line = Text()
        line = Text.assemble(line, ("   " if line else indent), piece)
        if line.cell_len > width:
            yield from map(Text, fold(line.plain, width, INDENT * 2))
            line = Text()
    if line:
        yield line


def _text(cell: str) -> Text:
    from rich.text import Text

    return Text(str(cell), style=STYLES.get(getattr(cell, "tone", ""), ""))
