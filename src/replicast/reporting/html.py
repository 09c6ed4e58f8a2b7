"""Pieces of a page: tables, figures and lists, every text escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib import resources

from .drawing import STYLE


def style() -> str:
    return resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8") + STYLE


def page(title: str, header: str, main: str, footer: str) -> str:
    """A whole page that fetches nothing."""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{style()}
</style>
</head>
<body>
<a class="skip" href="#results">To the results</a>
<header>
{header}
</header>
<main>
{main}
</main>
<footer>
{footer}
</footer>
</body>
</html>
"""


def table(
    caption: str,
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    names: Sequence[int] = (),
    words: Sequence[int] = (),
) -> str:
    """Rows under headers; each begins with its own header. Columns of `names` and `words` stand to the left.

    Lines break in `words` alone.
    """
    left = {0, *names, *words}
    head = "".join(f'<th scope="col"{_class(i in left, "text")}>{escape(name)}</th>' for i, name in enumerate(headers))
    body = "\n".join(_row(row, names, words) for row in rows)
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{escape(caption)}">\n<table>\n'
        f"<caption>{escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>"
    )


def _row(cells: Sequence[str], names: Sequence[int], words: Sequence[int]) -> str:
    first, *rest = cells
    kinds = {**dict.fromkeys(names, "text"), **dict.fromkeys(words, "words")}
    others = "".join(f"<td{_class(i in kinds, kinds.get(i, ''))}>{escape(cell)}</td>" for i, cell in enumerate(rest, 1))
    return f'<tr><th scope="row">{escape(first)}</th>{others}</tr>'


def _class(wanted: bool, name: str) -> str:
    return f' class="{name}"' if wanted else ""


def figure(picture: str, caption: str) -> str:
    return f"<figure>\n{picture}\n<figcaption>{escape(caption)}</figcaption>\n</figure>"


def facts(pairs: Mapping[str, str]) -> str:
    inside = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in pairs.items())
    return f'<dl class="facts">{inside}</dl>'


def notes(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(one)}</li>" for one in lines)
    return f'<div class="notes" role="note"><strong>{escape(title)}</strong><ul>{items}</ul></div>'


def paragraph(text: str, kind: str = "") -> str:
    held = escape(text).replace(" %", "\u00a0%")  # a number and its sign stay on one line
    return f"<p{_class(bool(kind), kind)}>{held}</p>"


def code(text: str) -> str:
    return f"<pre><code>{escape(text)}</code></pre>"


def folded(title: str, inside: str) -> str:
    return f"<details><summary>{escape(title)}</summary>\n{inside}\n</details>"


def section(identity: str, title: str, *inside: str, level: int = 2) -> str:
    joined = "\n".join(filter(None, inside))
    return f'<section id="{identity}">\n<h{level}>{escape(title)}</h{level}>\n{joined}\n</section>'
