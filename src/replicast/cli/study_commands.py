"""`performance`, `sensitivity` and `steady`: what a study, a design and one long run say beside means."""

from __future__ import annotations

import argparse
from typing import Any

from replicast.core.digits import shown

from .opening import open_run
from .screen import number, print_json, print_table, say_note, say_words, show_data
from .statistics_commands import column_value


def performance(chosen: argparse.Namespace) -> int:
    rows = open_run(chosen).performance(
        chosen.estimate, chosen.true, chosen.confidence, se=chosen.se, df=chosen.df, by=chosen.by, table=chosen.table,
        mcse=chosen.mcse,
    )  # fmt: skip
    if _printed(rows, chosen, "performance"):
        return 0
    cells = [
        [row.scenario, row.by, row.measure.replace("_", " "), f"{row.n:,}", shown(row.estimate, row.mcse),
         number(row.mcse), "" if row.needed is None else f"{row.needed:,}"]
        for row in rows.objects
    ]  # fmt: skip
    headers = ["scenario", chosen.by or "", "measure", "n", "estimate", "MCSE", "needed"]
    print_table(headers, cells, right=range(3, 7))
    say_words("MCSE: Monte Carlo standard error of each measure; relative error is that of the model SE, in percent")
    missing = {(row.scenario, row.by): row.missing for row in rows.objects if row.missing}
    for (scenario, by), count in missing.items():
        say_note(f"{' '.join(filter(None, (scenario, by)))}: {count} estimates or errors are missing or not finite: "
                 "left out, and they may not be like the rest")  # fmt: skip
    for note in dict.fromkeys(row.note for row in rows.objects if row.note):
        say_note(f"{note} (--by)")
    if not rows.objects:
        say_note("there are no two estimates yet")
    return 0


MEASURES = {"S1": "S1", "ST": "ST", "mu": "μ", "mu_star": "μ*", "sigma": "σ"}


def sensitivity(chosen: argparse.Namespace) -> int:
    rows = open_run(chosen).sensitivity(chosen.metric, chosen.confidence, chosen.draws)
    if _printed(rows, chosen, "sensitivity"):
        return 0
    if not rows.objects:
        say_note("no replication has returned a metric")
        return 0
    several = any(row.scenario for row in rows.objects)
    cells = [
        [*([row.scenario] if several else []), row.metric, row.parameter, MEASURES.get(row.measure, ""),
         shown(row.estimate, row.half_width), "" if row.half_width is None else number(row.half_width),
         "" if row.noise_half_width is None else number(row.noise_half_width)]
        for row in rows.objects
    ]  # fmt: skip
    headers = [*(["scenario"] if several else []), "metric", "parameter", "index", "estimate", "±", "± of noise"]
    first = len(headers) - 3
    print_table(headers, cells, right=range(first, len(headers)), names=range(first - 1))
    level = f"{100 * chosen.confidence:.6g} %"
    say_words(
        f"±: half of a {level} interval over points and replications; ± of noise: what replications alone give of it "
        "(a point's value is its mean over replications)"
    )
    for note in dict.fromkeys(f"{row.metric}: {row.note}" for row in rows.objects if row.note):
        say_note(note)
    return 0


def steady(chosen: argparse.Namespace) -> int:
    rows = open_run(chosen).steady(
        chosen.table, chosen.value, chosen.confidence, scenarios=chosen.scenario,
        where=dict(column_value(text) for text in chosen.where), batches=chosen.batches, left_out=chosen.leave_out,
    )  # fmt: skip
    if _printed(rows, chosen, "steady"):
        return 0
    cells = [
        [row.scenario, f"{row.replication:,}", f"{row.left_out:,}", f"{row.n:,}", f"{row.batches} of {row.size:,}",
         shown(row.mean, row.half_width), _width(row.half_width), _width(row.overlapping_half_width),
         f"{row.lag_one:.2f}", f"{row.lag_one_p:.2f}"]
        for row in rows.objects
    ]  # fmt: skip
    headers = ["scenario", "replication", "left out", "values", "batches", "mean", "batch means", "overlapping",
               "lag 1", "p"]  # fmt: skip
    print_table(headers, cells, right=range(1, 10))
    for row in rows.objects:
        if row.note:
            say_note(f"{row.scenario}, replication {row.replication}: {row.note}")
    return 0


def _width(half_width: float | None) -> str:
    return "none" if half_width is None else f"±{number(half_width)}"


def _printed(rows: Any, chosen: argparse.Namespace, name: str) -> bool:
    """As JSON or CSV, where that was asked for."""
    if chosen.json:
        print_json({name: rows.to_dicts()})
    elif chosen.csv:
        show_data(rows.pl().write_csv())
    return bool(chosen.json or chosen.csv)
