"""A report written down: one page of HTML, or Markdown with its figures; and the figures on their own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from replicast.core.errors import RequestError, StoreError, nearest

from .blocks import Document, Picture, pictures_of
from .drawing import alone
from .files import write_text
from .markdown import markdown
from .page import page

FORMATS = ("html", "md")
PICTURES = ("svg", "png")
ZOOM = 2
"""Pixels of a PNG for one of the page."""


def write_report(document: Document, path: Path, file_format: str | None = None) -> list[Path]:
    """Writes HTML, or for `md` (or a path that ends so) Markdown, whose figures lie in a folder NAME_figures beside it.

    Returns all files that were written, the document first. Raises RequestError for another format, StoreError.
    """
    chosen = file_format or ("md" if path.suffix.lower() in (".md", ".markdown") else "html")
    if chosen not in FORMATS:
        raise RequestError(f"a report is written as html or md, and '{chosen}' is neither{nearest(chosen, FORMATS)}")
    if chosen == "html":
        write_text(path, page(document))
        return [path]
    folder = path.with_name(f"{path.stem}_figures")
    named = [Picture(f"{one.name}.svg", one.svg) for one in pictures_of(document.parts)]
    write_text(path, markdown(document, folder.name))
    return [path, *_write(named, folder)]


def write_figures(document: Document, folder: Path, picture_format: str = "svg") -> list[Path]:
    """Every picture of the report as a file of its own. Raises RequestError where PNG's package is missing."""
    if picture_format not in PICTURES:
        raise RequestError(
            f"figures are written as svg or png, and '{picture_format}' is neither{nearest(picture_format, PICTURES)}"
        )
    found = pictures_of(document.parts)
    return _write([Picture(f"{one.name}.{picture_format}", one.svg) for one in found], folder)


def _write(pictures: Sequence[Picture], folder: Path) -> list[Path]:
    written = []
    for one in pictures:
        path = folder / one.name
        if path.suffix == ".png":
            _write_bytes(path, as_png(alone(one.svg)))
        else:
            write_text(path, alone(one.svg) + "\n")
        written.append(path)
    return written


def as_png(picture: str) -> bytes:
    """Raises RequestError where resvg is not installed."""
    try:
        import resvg_py
    except ImportError:
        raise RequestError("figures as PNG need resvg: python -m pip install resvg-py (or take svg)") from None
    return bytes(resvg_py.svg_to_bytes(svg_string=picture, zoom=ZOOM, font_family="DejaVu Sans"))


def _write_bytes(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise StoreError(f"cannot write '{path}': {error.strerror or error}") from error
