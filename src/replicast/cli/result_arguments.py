"""The options of commands that say what came out: `compare`, `report`, `warmup`."""

from __future__ import annotations

import argparse
from collections.abc import Callable

Adds = Callable[[argparse.ArgumentParser], None]
AddCommand = Callable[[str, str, str], argparse.ArgumentParser]
AddControl = Callable[[argparse.ArgumentParser, str], None]


def add_results(add: AddCommand, run: Adds, confidence: Adds, top: Adds, control: AddControl) -> None:
    """The others add RUN with --store, --confidence, --top and --control."""
    _add_compare(add, run, confidence, top)
    _add_report(add, run, confidence, control)
    _add_warmup(add, run, confidence)


def _add_compare(add: AddCommand, run: Adds, confidence: Adds, top: Adds) -> None:
    compare = add("compare", "statistics_commands:compare", "say how scenarios differ from one of them")
    run(compare)
    compare.add_argument("--baseline", metavar="SCENARIO", help="default: the first scenario")
    compare.add_argument("--metric", action="append", default=[], metavar="M", help="only this metric (repeatable)")
    confidence(compare)
    compare.add_argument(
        "--adjust", default="bonferroni", metavar="HOW", help="for many comparisons: bonferroni (default), holm or none"
    )
    compare.add_argument(
        "--better", action="append", default=[], metavar="METRIC=lower|higher", help="also: which scenarios may be best"
    )
    top(compare)
    compare.add_argument(
        "--family", default="all", metavar="WHICH", help="what is held together: all (default), scenarios of each "
        "metric, or metrics of each scenario",
    )  # fmt: skip
    compare.add_argument("--csv", action="store_true", help="print the comparison as CSV")


def _add_report(add: AddCommand, run: Adds, confidence: Adds, control: AddControl) -> None:
    report = add("report", "statistics_commands:report", "write a run's results to one page that needs no network")
    run(report)
    report.add_argument("-o", "--output", metavar="FILE", help="F.html or F.md (default: RUN.html in this folder)")
    report.add_argument("--format", metavar="HOW", help="html or md (default: as FILE ends), Markdown with SVG figures")
    report.add_argument("--figures", metavar="DIR", help="also write each figure to a file of its own")
    report.add_argument("--figure-format", default="svg", metavar="HOW", help="svg (default) or png")
    control(report, "also means adjusted by a metric whose true mean is known (repeatable)")
    report.add_argument(
        "--ratio", action="append", default=[], metavar="A/B", help="also a ratio of means (repeatable)"
    )
    report.add_argument(
        "--pooled", action="append", default=[], metavar="TABLE.COLUMN:p95", help="also of all rows (repeatable)"
    )
    report.add_argument(
        "--performance",
        metavar="ESTIMATE=TRUE[,se=M][,by=C]",
        help="also how well a Monte Carlo study's estimator does",
    )
    report.add_argument("--steady", metavar="TABLE.COLUMN", help="also the steady-state mean of long replications")
    report.add_argument("--baseline", metavar="SCENARIO", help="to compare with (default: the first scenario)")
    report.add_argument(
        "--family", default="all", metavar="WHICH", help="as of compare: all (default), scenarios, metrics"
    )
    confidence(report)


def _add_warmup(add: AddCommand, run: Adds, confidence: Adds) -> None:
    warmup = add("warmup", "statistics_commands:warmup", "say how much of the start of a run's tables to leave out")
    run(warmup)
    warmup.add_argument("--table", required=True, metavar="T", help="a table that the model returned")
    warmup.add_argument("--value", required=True, metavar="V", help="its column that warms up")
    warmup.add_argument("--time", metavar="C", help="its column of time (default: rows in their order)")
    warmup.add_argument("--scenario", action="append", default=[], metavar="NAME", help="default: each (repeatable)")
    warmup.add_argument("--where", action="append", default=[], metavar="C=V", help="only rows with that (repeatable)")
    warmup.add_argument(
        "--held", action="store_true", help="a value holds until the next one, as a queue's length does"
    )
    warmup.add_argument("--steps", type=int, default=200, metavar="N", help="of time (default: 200)")
    warmup.add_argument(
        "--window", type=int, metavar="W", help="of the moving average, in steps (default: a twentieth)"
    )
    warmup.add_argument("-o", "--output", metavar="FILE", help="also Welch's plot, as .html or .svg")
    confidence(warmup)
