"""`copy` and `sql`: a run from one store to another, and questions in SQL."""

from __future__ import annotations

import argparse
import dataclasses

from replicast.core.spoken import counted

from .opening import open_run
from .screen import print_json, print_table, say, show, show_data


def copy(chosen: argparse.Namespace) -> int:
    from replicast.asking.finding import find_run
    from replicast.stores import open_named_store
    from replicast.stores.copying import copy_run

    source, target = open_named_store(chosen.source), open_named_store(chosen.target)
    report = copy_run(source, target, find_run(source, chosen.run).id)
    if chosen.json:
        print_json(dataclasses.asdict(report))
        return 0
    show(report.content_hash)
    replications, failures = counted(report.replications, "replication"), counted(report.failed, "failure")
    say(f"run {report.run}: {replications}, {failures} and {counted(report.documents, 'document')} are in "
        f"'{target.label}', and equal to those in '{source.label}'")  # fmt: skip
    return 0


def sql(chosen: argparse.Namespace) -> int:
    found = open_run(chosen).sql(chosen.query).pl()
    if chosen.json:
        print_json(found.to_dicts())
    elif chosen.csv:
        show_data(found.write_csv())
    else:
        cells = [["" if value is None else str(value) for value in row] for row in found.rows()]
        numeric = [i for i, kind in enumerate(found.dtypes) if kind.is_numeric()]
        print_table(found.columns, cells, right=numeric, top=chosen.top)
    return 0
