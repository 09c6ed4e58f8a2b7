"""A document as one page of HTML that fetches nothing: Jinja2 templates, in which every text is escaped."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from replicast.core.errors import RequestError

from .blocks import Document
from .drawing import STYLE

if TYPE_CHECKING:
    from jinja2 import Environment


def page(document: Document) -> str:
    """Raises RequestError where Jinja2 is not installed."""
    return _environment().get_template("page.html").render(document=document, style=_style()).lstrip()


@cache
def _environment() -> Environment:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
        from markupsafe import Markup
    except ImportError:
        raise RequestError(
            "a report as HTML needs Jinja2: python -m pip install Jinja2 (or write it as Markdown: --format md)"
        ) from None
    made = Environment(
        loader=PackageLoader("replicast.reporting", "templates"), autoescape=select_autoescape(default=True),
        trim_blocks=True, lstrip_blocks=True, undefined=StrictUndefined, keep_trailing_newline=True,
    )  # fmt: skip
    made.filters["drawn"] = Markup  # what `drawing` made, which escapes its own texts
    made.filters["held"] = lambda text: text.replace(" %", "\u00a0%")  # a number and its sign stay on one line
    return made


@cache
def _style() -> str:
    return resources.files(__package__).joinpath("report.css").read_text(encoding="utf-8") + STYLE
