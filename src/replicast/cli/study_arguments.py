"""The options of commands that study estimates: `performance`, `steady`, `sensitivity`."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def add_studies(
    add: Callable[[str, str, str], argparse.ArgumentParser], shared: Callable[[argparse.ArgumentParser], None]
) -> None:
    """`shared` adds RUN, --store and --confidence."""
    performance = add("performance", "study_commands:performance", "say how well a Monte Carlo study's estimators do")
    shared(performance)
    performance.add_argument("--estimate", required=True, metavar="M", help="the metric or column with the estimate")
    performance.add_argument("--true", required=True, metavar="X", help="a number, or a parameter's or column's name")
    performance.add_argument("--se", metavar="M", help="with its standard error: also model SE, coverage and power")
    performance.add_argument("--df", metavar="M", help="with its degrees of freedom: intervals are Student's")
    performance.add_argument("--by", metavar="C", help="a column of a table that tells methods apart")
    performance.add_argument("--table", metavar="T", help="the table that has these columns (default: found)")
    performance.add_argument(
        "--mcse", metavar="MEASURE=X", help="how many replications a Monte Carlo error takes: coverage=0.5%%"
    )
    performance.add_argument("--csv", action="store_true", help="print the measures as CSV")
    sensitivity = add(
        "sensitivity",
        "study_commands:sensitivity",
        "say how far metrics depend on each parameter, and how far on chance",
    )
    shared(sensitivity)
    sensitivity.add_argument("--metric", action="append", default=[], metavar="M", help="only this metric (repeatable)")
    sensitivity.add_argument("--draws", type=int, default=500, metavar="N", help="of the bootstrap (default: 500)")
    sensitivity.add_argument("--csv", action="store_true", help="print the indices as CSV")
    steady = add("steady", "study_commands:steady", "estimate a steady-state mean from one long replication")
    shared(steady)
    steady.add_argument("--table", required=True, metavar="T", help="a table that the model returned")
    steady.add_argument("--value", required=True, metavar="V", help="its column, in the order of its rows")
    steady.add_argument("--scenario", action="append", default=[], metavar="NAME", help="default: each (repeatable)")
    steady.add_argument("--where", action="append", default=[], metavar="C=V", help="only rows with that (repeatable)")
    steady.add_argument("--batches", type=int, default=20, metavar="K", help="that the run is cut into (default: 20)")
    steady.add_argument("--leave-out", type=int, metavar="N", help="values at the start (default: MSER-5 says)")
    steady.add_argument("--csv", action="store_true", help="print the answer as CSV")
