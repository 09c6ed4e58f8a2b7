"""Commands that say what a run's numbers mean: `compare`, `warmup`, `report`, and the further tables of `summary`."""

from __future__ import annotations

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from replicast.core.errors import RequestError

from .look_commands import open_run
from .screen import number, print_json, print_table, say

if TYPE_CHECKING:
    from replicast.core.comparison import ComparisonRow
    from replicast.reporting.comparing import Comparison, Ranking


def compare(chosen: argparse.Namespace) -> int:
    better = dict(_better(text) for text in chosen.better)
    handle = open_run(chosen)
    found, rankings = handle.compare_and_rank(
        better, baseline=chosen.baseline, metrics=chosen.metric or None,
        confidence=chosen.confidence, adjustment=chosen.adjust,
    )  # fmt: skip
    if chosen.json:
        print_json(_comparison_document(found, rankings, chosen))
        return 0
    if chosen.csv:
        print(found.pl().write_csv(), end="")
        return 0
    _print_comparison(found, chosen)
    for ranking in rankings:
        _print_ranking(ranking, chosen.confidence)
    notes = dict.fromkeys([*found.notes, *(note for ranking in rankings for note in ranking.notes)])
    for note in notes:
        say(f"note: {note}")
    return 0


def _better(text: str) -> tuple[str, str]:
    metric, separator, which = text.rpartition("=")
    if not separator or which not in ("lower", "higher"):
        raise RequestError(f"--better takes METRIC=lower or METRIC=higher, and '{text}' is neither")
    return metric, which


def _comparison_document(found: Comparison, rankings: list[Ranking], chosen: argparse.Namespace) -> dict[str, Any]:
    return {
        "baseline": found.baseline,
        "confidence": chosen.confidence,
        "adjustment": chosen.adjust,
        "paired": found.paired,
        "comparison": found.to_dicts(),
        "rankings": [{"metric": r.metric, "better": r.better, "scenarios": r.to_dicts()} for r in rankings],
        "notes": list(dict.fromkeys([*found.notes, *(note for r in rankings for note in r.notes)])),
    }


def _print_comparison(found: Comparison, chosen: argparse.Namespace) -> None:
    from replicast.reporting.comparing import describe_method

    if not found.differences:
        say("no replication has returned a metric in both scenarios yet")
        return
    headers = ["metric", "scenario", "n", "mean", "baseline", "difference", "interval", "correlation", "verdict"]
    print_table(headers, [_comparison_cells(row) for row in found.differences], right=range(2, 8))
    say(describe_method(found, chosen.confidence, chosen.adjust))


def _comparison_cells(row: ComparisonRow) -> list[str]:
    interval = "none" if row.ci_lower is None else f"[{number(row.ci_lower)}, {number(row.ci_upper)}]"
    n = f"{row.n:,}" if row.method == "paired" else f"{row.n_scenario:,} and {row.n_baseline:,}"
    return [
        row.metric, row.scenario, n, number(row.mean_scenario), number(row.mean_baseline), number(row.difference),
        interval, "" if row.correlation is None else f"{row.correlation:.2f}",
        row.verdict + (f" ({row.note})" if row.note else ""),
    ]  # fmt: skip


def _print_ranking(ranking: Ranking, confidence: float) -> None:
    best = [row.scenario for row in ranking.ranked if row.kept]
    print(f"\n{ranking.metric}, {ranking.better} is better: with {100 * confidence:.6g} % confidence, "
          + (f"'{best[0]}' is the best" if len(best) == 1 else f"the best is one of these {len(best)}"))  # fmt: skip
    rows = [
        [str(row.rank), row.scenario, f"{row.n:,}", number(row.mean), "may be the best" if row.kept
         else f"worse than {row.beaten_by}"]
        for row in ranking.ranked
    ]  # fmt: skip
    print_table(["rank", "scenario", "n", "mean", ""], rows, right=(0, 2, 3))


def estimates(handle: Any, summary: Any, chosen: argparse.Namespace) -> dict[str, list[Any]]:
    """The further tables that options of `summary` ask for, by name."""
    from replicast.reporting.estimating import needed_rows, parse_probabilities, proportion_rows, quantile_rows

    found: dict[str, list[Any]] = {}
    if chosen.needed is not None:
        found["needed"] = needed_rows(summary.rows, chosen.needed)
    if chosen.quantiles is not None:
        probabilities = parse_probabilities(chosen.quantiles)
        found["quantiles"] = quantile_rows(handle.values(), probabilities, chosen.confidence)
    if chosen.proportions:
        found["proportions"] = proportion_rows(handle.values(), chosen.confidence)
    return found


def print_estimates(handle: Any, found: dict[str, list[Any]], *, as_csv: bool) -> None:
    printers = {"needed": _print_needed, "quantiles": _print_quantiles, "proportions": _print_proportions}
    for place, (name, rows) in enumerate(found.items()):
        if place:
            print()
        if as_csv:
            _print_csv(rows)
        else:
            printers[name](handle, rows)


def _print_csv(rows: list[Any]) -> None:
    import polars as pl

    print(pl.DataFrame([dataclasses.asdict(row) for row in rows], infer_schema_length=None).write_csv(), end="")


def _print_needed(handle: Any, rows: list[Any]) -> None:
    from replicast.reporting.estimating import replications_to_ask_for

    cells = [
        [row.scenario, row.metric, f"{row.n:,}", number(row.mean),
         "none" if row.half_width is None else f"±{number(row.half_width)}", f"±{row.target}",
         "?" if row.needed is None else f"{row.needed:,}",
         row.note if row.more is None else "has enough" if row.more == 0 else f"{row.more:,} more"]
        for row in rows
    ]  # fmt: skip
    print_table(["scenario", "metric", "n", "mean", "half-width", "wanted", "needed", ""], cells, right=range(2, 7))
    say("needed: a forecast, as if mean and sd stayed as they are; a share is of the true mean, which is stricter")
    asked = replications_to_ask_for(rows)
    if asked is not None:
        say(f"all of them: replicast resume {handle.id} -n {asked}")


def _print_quantiles(_handle: Any, rows: list[Any]) -> None:
    cells = [
        [row.scenario, row.metric, f"{100 * row.p:.6g} %", f"{row.n:,}", number(row.estimate),
         "none" if row.ci_lower is None else f"[{number(row.ci_lower)}, {number(row.ci_upper)}]",
         row.note if row.coverage is None else f"{100 * row.coverage:.2f} %, "
         f"values {row.lower_rank} and {row.upper_rank} in order"]
        for row in rows
    ]  # fmt: skip
    print_table(["scenario", "metric", "quantile", "n", "estimate", "interval", "covers"], cells, right=range(2, 6))


def _print_proportions(_handle: Any, rows: list[Any]) -> None:
    if not rows:
        say("no metric is 0 or 1 in every replication, so there is no proportion")
        return
    cells = [
        [row.scenario, row.metric, f"{row.ones:,} of {row.n:,}", f"{row.share:.2%}",
         _shares(row.wilson_lower, row.wilson_upper), _shares(row.exact_lower, row.exact_upper), row.note]
        for row in rows
    ]  # fmt: skip
    print_table(["scenario", "metric", "ones", "share", "Wilson", "exact", ""], cells, right=range(2, 6))


def _shares(lower: float | None, upper: float | None) -> str:
    return "none" if lower is None or upper is None else f"[{lower:.2%}, {upper:.2%}]"
