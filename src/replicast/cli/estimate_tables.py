"""The further tables of `summary`: what options of it ask for, and how each is printed."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from typing import Any

from replicast.core.commands import command as hint
from replicast.core.digits import shown
from replicast.core.errors import RequestError

from .screen import number, print_table, say, say_note, say_words, show_data


def estimates(handle: Any, summary: Any, chosen: argparse.Namespace) -> dict[str, list[Any]]:
    """The further tables that options of `summary` ask for, by name."""
    from replicast.reporting.estimating import needed_rows, parse_probabilities, proportion_rows, quantile_rows

    found: dict[str, list[Any]] = {}
    if chosen.needed is not None:
        found["needed"] = needed_rows(summary.rows, chosen.needed, summary.booleans, paired=summary.paired)
    if chosen.quantiles is not None:
        probabilities = parse_probabilities(chosen.quantiles)
        found["quantiles"] = quantile_rows(handle.values(), probabilities, chosen.confidence)
    if chosen.proportions is not None:
        named = [name for name in chosen.proportions.split(",") if name]
        found["proportions"] = proportion_rows(handle.values(), named, chosen.confidence)
    if chosen.control:
        from replicast.core.controls import parse_controls

        found["controlled"] = handle.controlled(parse_controls(chosen.control), chosen.confidence).objects
    for place, ratio in enumerate(chosen.ratio):
        found["ratios" + f"_{place + 1}" * bool(place)] = handle.ratio(ratio, chosen.confidence).objects
    for place, statistic in enumerate(chosen.pooled):
        found["pooled" + f"_{place + 1}" * bool(place)] = handle.pooled(statistic, chosen.confidence).objects
    return found


def print_estimates(handle: Any, found: dict[str, list[Any]], *, as_csv: bool) -> None:
    printers: dict[str, Callable[[Any, list[Any]], None]] = {
        "needed": _print_needed, "quantiles": _print_quantiles, "proportions": _print_proportions,
        "ratios": _print_ratios, "pooled": _print_pooled, "controlled": _print_controlled,
    }  # fmt: skip
    for place, (name, rows) in enumerate(found.items()):
        if place:
            print()
        if as_csv:
            _print_csv(rows)
        else:
            printers[name.partition("_")[0]](handle, rows)


def _print_csv(rows: list[Any]) -> None:
    import polars as pl

    show_data(pl.DataFrame([dataclasses.asdict(row) for row in rows], infer_schema_length=None).write_csv())


def _print_needed(handle: Any, rows: list[Any]) -> None:
    from replicast.reporting.estimating import replications_to_ask_for

    cells = [
        [row.scenario, row.metric, f"{row.n:,}", number(row.mean),
         "none" if row.half_width is None else f"±{number(row.half_width)}", f"±{row.target}",
         "?" if row.needed is None else f"{row.needed:,}",
         row.note if row.more is None else "has enough" if row.more == 0 else f"{row.more:,} more"]
        for row in rows
    ]  # fmt: skip
    print_table(
        ["scenario", "metric", "n", "mean", "half-width", "wanted", "needed", ""], cells, right=range(2, 7), words=(7,)
    )
    say_words(
        "needed: a forecast, as if mean and sd stayed as they are; a share is of the true mean, which is stricter"
    )
    asked = replications_to_ask_for(rows, paired=handle.record.experiment.streams.antithetic)
    if asked is not None:
        say(f"all of them: {hint('resume', handle.id, handle.store.label, '-n', asked)}")


def _print_quantiles(_handle: Any, rows: list[Any]) -> None:
    cells = [
        [row.scenario, row.metric, f"{100 * row.p:.6g} %", f"{row.n:,}", number(row.estimate),
         "none" if row.ci_lower is None else f"[{number(row.ci_lower)}, {number(row.ci_upper)}]",
         row.note if row.coverage is None else f"{100 * row.coverage:.2f} %, "
         f"values {row.lower_rank} and {row.upper_rank} in order"]
        for row in rows
    ]  # fmt: skip
    print_table(
        ["scenario", "metric", "quantile", "n", "estimate", "interval", "covers"], cells, right=range(2, 6), words=(6,)
    )


def _print_proportions(_handle: Any, rows: list[Any]) -> None:
    if not rows:
        say_words("no metric is a boolean; name counts of 0 and 1: --proportions METRIC,METRIC")
        return
    cells = [
        [row.scenario, row.metric, f"{row.ones:,} of {row.n:,}", f"{row.share:.2%}",
         _shares(row.wilson_lower, row.wilson_upper), _shares(row.exact_lower, row.exact_upper), row.note]
        for row in rows
    ]  # fmt: skip
    print_table(["scenario", "metric", "ones", "share", "Wilson", "exact", ""], cells, right=range(2, 6), words=(6,))


def _print_ratios(_handle: Any, rows: list[Any]) -> None:
    cells = [
        [row.scenario, row.ratio, f"{row.n:,}", shown(row.estimate, row.half_width),
         shown(row.jackknife, row.half_width), _between(row.ci_lower, row.ci_upper, row.half_width),
         _between(row.bootstrap_lower, row.bootstrap_upper, row.half_width), number(row.mean_of_ratios), row.note]
        for row in rows
    ]  # fmt: skip
    headers = ["scenario", "ratio", "n", "of means", "jackknife", "interval", "bootstrap", "mean of ratios", ""]
    print_table(headers, cells, right=range(2, 8))
    say_words("the ratio of means is what all replications' sums give together; the mean of ratios is another quantity")


def _print_pooled(_handle: Any, rows: list[Any]) -> None:
    cells = []
    for row in rows:
        pair = (row.ci_lower, row.ci_upper) if row.ci_lower is not None else (row.bootstrap_lower, row.bootstrap_upper)
        width = 0.5 * (pair[1] - pair[0]) if pair[0] is not None else None
        cells.append([
            row.scenario, f"{row.table}.{row.column}", row.statistic, f"{row.replications:,}", f"{row.rows:,}",
            shown(row.estimate, width), _between(row.ci_lower, row.ci_upper, width),
            _between(row.bootstrap_lower, row.bootstrap_upper, width), number(row.mean_of_replications), row.note,
        ])  # fmt: skip
    headers = ["scenario", "column", "of all rows", "n", "rows", "estimate", "interval", "bootstrap",
               "mean of replications' own", ""]  # fmt: skip
    print_table(headers, cells, right=range(3, 9))
    say_words("intervals take a replication as one unit, as rows of one replication may depend on each other")


def _print_controlled(_handle: Any, rows: list[Any]) -> None:
    print_controlled(rows)


def own_controlled(handle: Any, confidence: float) -> tuple[list[Any], str]:
    """Means adjusted by the controls that a run was asked for with, or why there are none."""
    try:
        return (handle.controlled(None, confidence).objects if handle.record.options.control else []), ""
    except RequestError as error:
        return [], f"not adjusted by control variates: {error}"


def print_own_controlled(handle: Any, confidence: float) -> None:
    rows, why = own_controlled(handle, confidence)
    if rows:
        print_controlled(rows)
    if why:
        say_note(why)


def print_controlled(rows: list[Any]) -> None:
    cells = [
        [row.scenario, row.metric, f"{row.n:,}", shown(row.mean, row.plain_half_width),
         "none" if row.plain_half_width is None else number(row.plain_half_width),
         shown(row.estimate, row.half_width), _between(row.ci_lower, row.ci_upper, row.half_width),
         "" if row.half_width is None else number(row.half_width),
         "" if row.variance_left is None else f"{row.variance_left:.2%}", row.note]
        for row in rows
    ]  # fmt: skip
    headers = ["scenario", "metric", "n", "mean", "±", "adjusted", "interval", "±", "variance left", ""]
    print_table(headers, cells, right=range(2, 9), optional=(6,), names=(0, 1), words=(9,))
    if rows:
        say_words(f"adjusted by a regression on what is known to have the mean {rows[0].controls}")


def _between(lower: float | None, upper: float | None, width: float | None) -> str:
    return "none" if lower is None or upper is None else f"[{shown(lower, width)}, {shown(upper, width)}]"


def _shares(lower: float | None, upper: float | None) -> str:
    return "none" if lower is None or upper is None else f"[{lower:.2%}, {upper:.2%}]"
