"""`warnings`: what replications warned of."""

from __future__ import annotations

import argparse
import sys
from itertools import islice

from .opening import open_run
from .screen import folded, print_json, say


def warnings(chosen: argparse.Namespace) -> int:
    handle = open_run(chosen)
    rows = handle.warnings()
    if chosen.json:
        print_json(rows.to_dicts())
    elif chosen.csv:
        print(rows.pl().write_csv(), end="")
    elif not len(rows):
        say(f"no replication of run {handle.id} warned")
    else:
        _print(rows.to_dicts(), chosen.top)
    return 0


def _print(rows: list[dict[str, object]], top: int | None) -> None:
    for row in islice(rows, top):
        number, texts = int(str(row["count"])), str(row["warnings"]).split("\n")
        times = "" if number == 1 else f" ({number:,} warnings)"
        print(folded(f"scenario '{row['scenario']}', replication {row['replication']}{times}:", sys.stdout))
        for text in texts:
            print(folded(f"    {text}", sys.stdout))
        if number > len(texts):
            print("    …")
    if top and len(rows) > top:
        say(f"the first {top:,} of {len(rows):,} replications that warned")
