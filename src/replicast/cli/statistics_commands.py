"""Commands that say what a run's numbers mean: `compare`, `warmup` and `report`."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from replicast.core.digits import shown
from replicast.core.errors import RequestError

from .opening import open_run
from .screen import Toned, number, print_json, print_table, say, say_note, say_words, show, show_data, show_words

if TYPE_CHECKING:
    from replicast.core.comparison import ComparisonRow
    from replicast.core.statistics import SummaryRow
    from replicast.reporting.comparing import Comparison, Ranking
    from replicast.reporting.warming import WarmUp, WarmUps


def compare(chosen: argparse.Namespace) -> int:
    better = dict(_better(text) for text in chosen.better)
    handle = open_run(chosen)
    found, rankings = handle.compare_and_rank(
        better, baseline=chosen.baseline, metrics=chosen.metric or None,
        confidence=chosen.confidence, adjustment=chosen.adjust, family=chosen.family,
    )  # fmt: skip
    if chosen.json:
        print_json(_comparison_document(found, rankings, chosen))
        return 0
    if chosen.csv:
        show_data(found.pl().write_csv())
        return 0
    _print_comparison(found, chosen)
    for ranking in rankings:
        _print_ranking(ranking, chosen.confidence)
    notes = dict.fromkeys([*found.notes, *(note for ranking in rankings for note in ranking.notes)])
    for note in notes:
        say_note(note)
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
        "family": chosen.family,
        "paired": found.paired,
        "comparison": found.to_dicts(),
        "rankings": [{"metric": r.metric, "better": r.better, "scenarios": r.to_dicts()} for r in rankings],
        "notes": list(dict.fromkeys([*found.notes, *(note for r in rankings for note in r.notes)])),
    }


def _print_comparison(found: Comparison, chosen: argparse.Namespace) -> None:
    from replicast.reporting.comparing import describe_method

    if not found.differences:
        say_words("no replication has returned a metric in both scenarios")
        return
    headers = [
        "metric",
        "scenario",
        "n",
        "mean",
        "baseline",
        "difference",
        "interval",
        "correlation",
        "verdict",
        "note",
    ]
    cells = [_comparison_cells(row) for row in found.differences]
    print_table(headers, cells, right=range(2, 8), optional=(7, 4, 3, 2), names=(0, 1), words=(9,), top=chosen.top)
    say_words(describe_method(found, chosen.confidence, chosen.adjust))


def _comparison_cells(row: ComparisonRow) -> list[str]:
    width = None if row.ci_lower is None or row.ci_upper is None else 0.5 * (row.ci_upper - row.ci_lower)
    interval = "none" if width is None else f"[{shown(row.ci_lower, width)}, {shown(row.ci_upper, width)}]"
    n = f"{row.n:,}" if row.method == "paired" else f"{row.n_scenario:,} and {row.n_baseline:,}"
    return [
        row.metric, row.scenario, n, number(row.mean_scenario), number(row.mean_baseline),
        shown(row.difference, width),
        interval, "" if row.correlation is None else f"{row.correlation:.2f}",
        Toned(row.claim, "good" if row.verdict in ("lower", "higher") else "quiet"), row.remark,
    ]  # fmt: skip


def _print_ranking(ranking: Ranking, confidence: float) -> None:
    best = [row.scenario for row in ranking.ranked if row.kept]
    which = f"'{best[0]}' is the best" if len(best) == 1 else f"the best is one of these {len(best)}"
    said = f"{ranking.metric}, {ranking.better} is better: with {100 * confidence:.6g} % confidence, {which}"
    show()
    show_words(said)
    rows = [
        [str(row.rank), row.scenario, f"{row.n:,}", number(row.mean), "may be the best" if row.kept
         else f"worse than {row.beaten_by}"]
        for row in ranking.ranked
    ]  # fmt: skip
    print_table(["rank", "scenario", "n", "mean", ""], rows, right=(0, 2, 3), names=(0, 1))


def warmup(chosen: argparse.Namespace) -> int:
    output = _picture_path(chosen.output)
    handle = open_run(chosen)
    found = handle.warm_up(
        table=chosen.table, value=chosen.value, time=chosen.time, scenarios=chosen.scenario,
        where=dict(column_value(text) for text in chosen.where), held=chosen.held, steps=chosen.steps,
        window=chosen.window, confidence=chosen.confidence,
    )  # fmt: skip
    if output is not None:
        _write_picture(output, found, handle.id)
    if chosen.json:
        print_json({"table": found.table, "time": found.time or None, "value": found.value,
                    "warm_up": [_warm_up_document(one) for one in found.found], "notes": found.notes})  # fmt: skip
    else:
        _print_warm_ups(found)
        for note in found.notes:
            say_note(note)
        if output is not None:
            say(f"Welch's plot: {output}")
    return 0


def column_value(text: str) -> tuple[str, str]:
    column, separator, value = text.partition("=")
    if not separator or not column:
        raise RequestError(f"--where takes COLUMN=VALUE, and '{text}' is not of that form")
    return column, value


def _picture_path(given: str | None) -> Path | None:
    if given is None:
        return None
    path = Path(given)
    if path.suffix.lower() not in (".html", ".svg"):
        raise RequestError(f"a plot is written as .html or .svg, and '{given}' is neither")
    return path


def _write_picture(path: Path, found: WarmUps, run: str) -> None:
    from replicast.reporting.files import write_text
    from replicast.reporting.welch_plot import welch_page, welch_picture

    write_text(path, welch_picture(found) if path.suffix.lower() == ".svg" else welch_page(found, run))


def _warm_up_document(one: WarmUp) -> dict[str, Any]:
    change = one.effect.change
    interval = change.interval(one.effect.whole.confidence)
    return {
        "scenario": one.scenario,
        "replications": len(one.series.replications),
        "leave_out": one.time,
        "steps": one.truncation.columns,
        "of_steps": one.truncation.length,
        "share": one.share,
        "warning": one.truncation.warning,
        "mean": dataclasses.asdict(one.effect.whole),
        "mean_without_warm_up": dataclasses.asdict(one.effect.truncated),
        "change": change.difference,
        "change_ci": list(interval) if interval else None,
    }


def _print_warm_ups(found: WarmUps) -> None:
    from replicast.reporting.welch_plot import describe, spark_line

    width = min(60, shutil.get_terminal_size().columns - 3)
    for one in found.found:
        show_words(f"{one.scenario}: {describe(one, found.value, found.time)}")
        show(f"  {spark_line(one, width)}")
        whole, rest, change = one.effect.whole, one.effect.truncated, one.effect.change
        show_words(f"  mean of {found.value}: {_with_interval(whole)} with it, {_with_interval(rest)} without it")
        interval = change.interval(whole.confidence)
        if interval and one.truncation.columns:
            show_words(f"  that moves it by {number(change.difference)} [{number(interval[0])}, {number(interval[1])}]")


def _with_interval(row: SummaryRow) -> str:
    return number(row.mean) + (f" ± {number(row.half_width)}" if row.half_width is not None else "")


def _performance(text: str) -> dict[str, str]:
    """Of `b=0.5,se=se,by=method`: the estimate and its true value, and options of `performance`."""
    first, *more = text.split(",")
    estimate, separator, true = first.partition("=")
    options = dict(part.partition("=")[::2] for part in more)
    unknown = next((name for name in options if name not in ("se", "df", "by", "table")), None)
    if not separator or not true or unknown is not None or not all(options.values()):
        raise RequestError(
            f"--performance takes ESTIMATE=TRUE[,se=M][,df=M][,by=C][,table=T], and '{text}' is not that"
        )
    return {"estimate": estimate, "true": true} | options


def report(chosen: argparse.Namespace) -> int:
    if chosen.output and Path(chosen.output).expanduser().is_dir():
        raise RequestError(f"-o takes a file, and '{chosen.output}' is a folder")
    handle = open_run(chosen)
    control = None
    if chosen.control:
        from replicast.core.controls import parse_controls

        control = parse_controls(chosen.control)
    path = handle.report(
        chosen.output or f"{handle.id}.{chosen.format or 'html'}", baseline=chosen.baseline,
        confidence=chosen.confidence, file_format=chosen.format, figures=chosen.figures,
        figure_format=chosen.figure_format, control=control, ratios=chosen.ratio, pooled=chosen.pooled,
        performance=_performance(chosen.performance) if chosen.performance else None, steady=chosen.steady,
        family=chosen.family,
    )  # fmt: skip
    if chosen.json:
        drawn = {"figures": str(chosen.figures)} if chosen.figures else {}
        print_json({"run": handle.id, "report": str(path), **drawn})
    else:
        show(path)
    return 0
