"""Pictures as SVG text: scales, axes and marks, in colours that the page or the picture's own style decides.

No library is needed, nothing is fetched, and every picture carries a title and a description for those who hear it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 900
FONT = "font-family: system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

STYLE = (
    """
.chart { color: var(--ink, #1d2733); font-size: 12px; FONT; }
.chart text { fill: currentColor; }
.chart .quiet { fill: var(--quiet, #5b6773); }
.chart .grid { stroke: var(--grid, #dfe4ea); stroke-width: 1; }
.chart .axis { stroke: var(--quiet, #5b6773); stroke-width: 1; }
.chart .whisker { stroke: var(--accent, #00568f); stroke-width: 2.5; stroke-linecap: round; fill: none; }
.chart .dot { fill: var(--accent, #00568f); stroke: var(--paper, #ffffff); stroke-width: 1.5; }
.chart .line { stroke: var(--accent, #00568f); stroke-width: 2; fill: none; stroke-linejoin: round; }
.chart .thin { stroke: var(--faint, #9db4c8); stroke-width: 1; fill: none; stroke-linejoin: round; }
.chart .band { fill: var(--band, #cfe3f3); stroke: none; }
.chart .bar { fill: var(--faint, #9db4c8); stroke: none; }
.chart .mark { stroke: var(--mark, #b4480a); stroke-width: 2; stroke-dasharray: 5 3; fill: none; }
.chart .marked { fill: var(--mark, #b4480a); }
.chart .left-out { fill: var(--left-out, #f6e3d6); stroke: none; }
.chart .fill { fill: var(--accent, #00568f); opacity: 0.35; stroke: none; }
""".replace("FONT", FONT).strip()
    + "".join(
        f"\n.chart circle.c{k} {{ fill: var(--c{k}, {own}); }} .chart polyline.c{k} {{ stroke: var(--c{k}, {own}); }}"
        for k, own in enumerate(("#00568f", "#b4480a", "#1a7a4c", "#7a3fa0", "#8a6d00", "#b02a5b"))
    )
)
PLAIN = re.sub(r"var\(--[\w-]+, ([^)]+)\)", r"\1", STYLE)
"""For pictures on their own: not every program that shows SVG knows variables."""


WIDE = "mwMW@%=+<>~#"


def short(value: float, digits: int = 4) -> str:
    """A number for the eye."""
    text = f"{value:.{digits}g}"
    if "e" in text and 1e-4 <= abs(value) < 1e7:
        text = f"{value:.0f}"
    return minus(text)


def minus(text: str) -> str:
    """With the sign that a printer would set."""
    return text.replace("-", "−")


FURTHEST = 1e300
"""Where a scale ends at the latest, so that lengths, and sums of many values, are doubles."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Places values from `low` to `high` between the pixels `start` and `end`."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def over(cls, values: Sequence[float], start: float, end: float, margin: float = 0.04) -> Scale:
        """A scale over the finite ones of `values`, with a little room on both sides."""
        finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
        low, high = max(min(finite), -FURTHEST), min(max(finite), FURTHEST)
        room = (high - low) * margin or abs(low) * 0.1 or 1.0
        return cls(low - room, high + room, start, end)

    def at(self, value: float) -> float:
        return round(self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start), 2)

    def inside(self, value: float) -> float:
        """The place of the value, or of the end of the scale that it lies beyond."""
        return self.at(min(max(value, self.low), self.high))

    def ticks(self, about: int = 6) -> list[float]:
        """Round values within the scale: multiples of 1, 2 or 5 times a power of ten."""
        raw = (self.high - self.low) / max(about, 1)
        power = 10.0 ** math.floor(math.log10(raw))
        step = next((m * power for m in (1.0, 2.0, 5.0) if m * power >= raw), 10.0 * power)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [k * step for k in range(first, last + 1)]


def figure(title: str, description: str, height: float, body: Sequence[str], *, own_style: bool = False) -> str:
    """An SVG element; with `own_style` it looks the same outside the page."""
    head = (
        f'<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" '
        f'width="{WIDTH}" height="{height:g}" role="img">'
    )
    said = [f"<title>{escape(title)}</title>", f"<desc>{escape(description)}</desc>"]
    drawn = "\n".join([head, *said, *body, "</svg>"])
    return alone(drawn) if own_style else drawn


def alone(picture: str) -> str:
    """A picture as a file of its own, which looks the same outside the page: black on white."""
    first, rest = picture.split(">", 1)
    ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
    return f"{first}>\n<style>\n{PLAIN}\n</style>\n{ground}{rest}"


def text(x: float, y: float, content: str, anchor: str = "start", kind: str = "", longest: int = 0) -> str:
    """A line of text; one longer than `longest` loses its middle, and has all of it as its tooltip."""
    shown = without_middle(content, longest) if longest else content
    whole = "" if shown == content else f"<title>{escape(content)}</title>"
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" class="{kind}">{whole}{escape(shown)}</text>'


def without_middle(content: str, longest: int) -> str:
    """At most so many letters: the points of a design are told apart by how their names end."""
    if len(content) <= longest:
        return content
    end = (longest - 1) // 2
    return f"{content[: longest - 1 - end]}…{content[-end:]}"


def length_of(content: str) -> float:
    """How long a line of text is at most, in units of a picture, in the fonts that are asked for (DejaVu is wide)."""
    return sum(12.0 if c in WIDE or not c.isascii() else 9.5 if c.isupper() else 7.7 for c in content)


def line(x1: float, y1: float, x2: float, y2: float, kind: str, tip: str = "") -> str:
    return _element(f'line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind}"', tip)


def box(x1: float, y1: float, x2: float, y2: float, kind: str, tip: str = "") -> str:
    left, top = min(x1, x2), min(y1, y2)
    return _element(
        f'rect x="{left:g}" y="{top:g}" width="{abs(x2 - x1):g}" height="{abs(y2 - y1):g}" class="{kind}"', tip
    )


def dot(x: float, y: float, radius: float = 4.5, kind: str = "dot", tip: str = "") -> str:
    return _element(f'circle cx="{x:g}" cy="{y:g}" r="{radius:g}" class="{kind}"', tip)


def _element(inside: str, tip: str) -> str:
    """With what a browser shows when a pointer rests on it."""
    name = inside.partition(" ")[0]
    return f"<{inside}><title>{escape(tip)}</title></{name}>" if tip else f"<{inside}/>"


def curve(points: Sequence[tuple[float, float]], kind: str) -> str:
    joined = " ".join(f"{x:g},{y:g}" for x, y in points)
    return f'<polyline points="{joined}" class="{kind}"/>'


def area(upper: Sequence[tuple[float, float]], lower: Sequence[tuple[float, float]], kind: str) -> str:
    """Between two curves that run the same way."""
    joined = " ".join(f"{x:g},{y:g}" for x, y in [*upper, *reversed(lower)])
    return f'<polygon points="{joined}" class="{kind}"/>'


def bottom_axis(scale: Scale, top: float, bottom: float, label: str = "", about: int = 6) -> list[str]:
    """Grid lines, their values below them, and what they measure."""
    marks = []
    for tick in scale.ticks(about):
        x = scale.at(tick)
        marks += [line(x, top, x, bottom, "grid"), text(x, bottom + 16, short(tick), "middle", "quiet")]
    if label:
        marks.append(text((scale.start + scale.end) / 2, bottom + 34, label, "middle", "quiet"))
    return marks


def left_axis(scale: Scale, left: float, right: float, about: int = 4) -> list[str]:
    marks = []
    for tick in scale.ticks(about):
        y = scale.at(tick)
        marks += [line(left, y, right, y, "grid"), text(left - 6, y + 4, short(tick), "end", "quiet")]
    return marks
