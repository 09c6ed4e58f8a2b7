"""Welch's plot of a warm-up, as a picture and as a line of text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .blocks import Document, Figure, Notes, Part, Picture
from .drawing import WIDTH, Scale, bottom_axis, box, curve, figure, left_axis, line, short, text
from .warming import WarmUp, WarmUps

HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 300.0, 64.0, WIDTH - 16.0, 44.0, 248.0
MOST_POINTS = 400
BLOCKS = "▁▂▃▄▅▆▇█"


def welch_plot(one: WarmUp, value: str, time: str, *, own_style: bool = False) -> str:
    """Averages over replications (thin), their moving average (bold), and what MSER-5 leaves out (shaded)."""
    series, cut = one.series, one.truncation.columns
    x = Scale(series.time(0), series.time(len(one.averages)), LEFT, RIGHT)
    y = Scale.over([*one.averages.tolist(), *one.smooth.tolist()], BOTTOM, TOP)
    unit = time or "observations"
    marks = []
    if cut:
        marks += [box(x.at(x.low), TOP, x.at(one.time), BOTTOM, "left-out")]
    marks += [*bottom_axis(x, TOP, BOTTOM, unit), *left_axis(y, LEFT, RIGHT)]
    marks += [_curve(one, one.averages, x, y, "thin"), _curve(one, one.smooth, x, y, "line")]
    if cut:
        marks.append(line(x.at(one.time), TOP, x.at(one.time), BOTTOM, "mark"))
        marks.append(text(RIGHT, 34, f"leave out {unit} before {short(one.time)}", "end", "marked"))
    legend = f"thin: as it is; bold: moving average over {2 * one.window + 1} steps"
    marks.append(text(LEFT, 18, f"{one.scenario}: {value}, mean of {len(series.replications)} replications"))
    marks.append(text(LEFT, 34, legend, "start", "quiet"))
    return figure(f"Welch's plot of {value} in {one.scenario}", describe(one, value, time), HEIGHT, marks,
                  own_style=own_style)  # fmt: skip


def _curve(one: WarmUp, values: NDArray[np.float64], x: Scale, y: Scale, kind: str) -> str:
    step = max(1, len(values) // MOST_POINTS)
    return curve([(x.at(one.series.time(i)), y.at(float(values[i]))) for i in range(0, len(values), step)], kind)


def describe(one: WarmUp, value: str, time: str) -> str:
    """The recommendation as a sentence."""
    steps = f"{one.truncation.columns} of {one.truncation.length} steps, {one.share:.0%}"
    unit = f"{time} before {short(one.time)}" if time else f"the first {one.truncation.columns} observations"
    if not one.truncation.columns:
        return f"MSER-5 leaves out nothing of {value}: no warm-up can be seen."
    warning = f" But {one.truncation.warning}." if one.truncation.warning else ""
    return f"MSER-5 leaves out {unit} ({steps}).{warning}"


def spark_line(one: WarmUp, width: int = 60) -> str:
    """The averages as blocks of text, with a bar where the warm-up ends."""
    means = [float(piece.mean()) for piece in np.array_split(one.averages, min(width, len(one.averages)))]
    low, high = min(means), max(means)
    reach = (high - low) or 1.0
    blocks = [BLOCKS[min(int((mean - low) / reach * len(BLOCKS)), len(BLOCKS) - 1)] for mean in means]
    if one.truncation.columns:
        blocks.insert(round(one.share * len(blocks)), "│")
    return "".join(blocks)


def welch_page(warm_ups: WarmUps, run: str) -> str:
    """All plots as one HTML page that needs nothing else."""
    from .page import page

    figures = [
        Figure([Picture(f"welch-{place}", welch_plot(one, warm_ups.value, warm_ups.time))],
               describe(one, warm_ups.value, warm_ups.time))
        for place, one in enumerate(warm_ups.found, 1)
    ]  # fmt: skip
    title = f"Warm-up of {warm_ups.value} in run {run}"
    part = Part("plots", "Welch's plot", [*figures, Notes("To know", warm_ups.notes)])
    return page(Document(title, title, [], [], [part], f"Run {run}. This page needs no network."))


def welch_picture(warm_ups: WarmUps) -> str:
    """All plots below each other as one SVG picture."""
    plots = [welch_plot(one, warm_ups.value, warm_ups.time, own_style=i == 0) for i, one in enumerate(warm_ups.found)]
    if len(plots) == 1:
        return plots[0] + "\n"
    height = HEIGHT * len(plots)
    inside = "\n".join(plot.replace("<svg ", f'<svg y="{HEIGHT * i:g}" ', 1) for i, plot in enumerate(plots))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" width="{WIDTH}" height="{height:g}">'
    )
    return f"{head}\n{inside}\n</svg>\n"
