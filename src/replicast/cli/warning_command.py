"""`warnings`: what replications warned of."""

from __future__ import annotations

import argparse
from itertools import islice

from .opening import open_run
from .screen import print_json, say_words, show_data, show_words


def warnings(chosen: argparse.Namespace) -> int:
    handle = open_run(chosen)
    rows = handle.warnings()
    if chosen.json:
        print_json(rows.to_dicts())
    elif chosen.csv:
        show_data(rows.pl().write_csv())
    elif not len(rows):
        say_words(f"no replication of run {handle.id} warned")
    else:
        _print(rows.to_dicts(), chosen.top)
    return 0


def _print(rows: list[dict[str, object]], top: int | None) -> None:
    for row in islice(rows, top):
        number, texts = int(str(row["count"])), str(row["warnings"]).split("\n")
        times = "" if number == 1 else f" ({number:,} warnings)"
        show_words(f"scenario '{row['scenario']}', replication {row['replication']}{times}:")
        for text in texts:
            show_words(f"    {text}", indent=" " * 6)
        if number > len(texts):
            show_words("    …")
    if top and len(rows) > top:
        say_words(f"the first {top:,} of {len(rows):,} replications that warned")
