"""Commands that look at a run and change none of its results."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

from replicast.core.commands import command as hint
from replicast.core.errors import RequestError, RunNotFound, StoreError
from replicast.core.record import as_people_write

from .opening import open_run
from .screen import Toned, print_json, print_summary, print_table, say, say_note, say_words, show, show_data, show_words
from .trust import is_trusted, maker_of
from .values import check_output

WATCH_SECONDS = 1.0
STATE_TONES = {"done": "good", "running": "", "incomplete": "doubt", "cancelled": "doubt"}


def status(chosen: argparse.Namespace) -> int:
    handle = open_run(chosen)
    found = handle.status()
    while chosen.watch and found.state == "running":
        if not chosen.json:
            line = f"{found.done:,} of {found.planned:,}, {found.failed:,} failed"
            sys.stderr.write(f"\r\x1b[2K{line}" if sys.stderr.isatty() else line + "\n")
            sys.stderr.flush()
        time.sleep(WATCH_SECONDS)
        found = handle.status()
    if chosen.watch and sys.stderr.isatty():
        say()
    from replicast.stores.labels import labels_of

    labels = labels_of(handle.store, handle.id)
    if chosen.json:
        print_json(dataclasses.asdict(found) | dataclasses.asdict(labels))
        return 0
    share = f" ({found.done / found.planned:.0%})" if found.planned else ""
    show(f"run       {found.id}")
    show(f"state     {found.state}" + (f" ({found.at_work['who']})" if found.at_work else ""))
    show(f"done      {found.done:,} of {found.planned:,}{share}, {found.failed:,} failed")
    show(f"model     {found.model}, {found.scenarios} scenario{'s' * (found.scenarios != 1)}, seed {found.seed}")
    show(f"created   {as_people_write(found.created)}")
    if labels.tags:
        show(f"tags      {' '.join(labels.tags)}")
    if labels.note:
        show(f"note      {labels.note}")
    if found.state in ("incomplete", "cancelled"):
        say(f"go on with: {hint('resume', found.id, handle.store.label)}")
    return 0


def list_runs(chosen: argparse.Namespace) -> int:
    from replicast.asking.settings import default_store
    from replicast.runs import Run
    from replicast.stores import open_named_store
    from replicast.stores.glance import at_a_glance
    from replicast.stores.labels import labels_of

    store = at_a_glance(open_named_store(chosen.store or default_store()))
    found, labels = [], {}
    for name in store.runs():
        labels[name] = labels_of(store, name)
        if not set(chosen.tag) <= set(labels[name].tags):
            continue
        try:
            found.append(Run(store, name).status())
        except (StoreError, RequestError) as error:
            say_words(f"left out: {error}")
    found.sort(key=lambda one: (one.created, one.id))
    found = found[-chosen.top :] if chosen.top else found
    if chosen.json:
        print_json([dataclasses.asdict(one) | dataclasses.asdict(labels[one.id]) for one in found])
        return 0
    if not found:
        tagged = f" with the tag '{', '.join(chosen.tag)}'" if chosen.tag else ""
        say_words(f"there is no run{tagged} in '{store.label}'")
        return 0
    rows = [
        [one.id, Toned(one.state, STATE_TONES.get(one.state, "doubt")), f"{one.done:,}/{one.planned:,}",
         Toned(f"{one.failed:,}", "bad") if one.failed else "0", one.model,
         as_people_write(one.created), " ".join(labels[one.id].tags), labels[one.id].note]
        for one in found
    ]  # fmt: skip
    headers = ["run", "state", "done", "failed", "model", "created", "tags", "note"]
    print_table(headers, rows, right=(2, 3), optional=(5, 4), names=(0,), words=(6, 7))
    return 0


def cancel(chosen: argparse.Namespace) -> int:
    handle = open_run(chosen)
    found = handle.status()
    at_work = found.at_work
    if found.state != "done":
        handle.cancel()
    if chosen.json:
        print_json({"run": handle.id, "cancelled": found.state != "done", "was_running": at_work is not None})
    elif found.state == "done":
        say_words(f"run {handle.id} is finished: there is nothing to cancel")
    else:
        say_words(f"run {handle.id} is asked to stop; what is stored stays" if at_work else
                  f"nobody is at work on run {handle.id}; it is marked as cancelled")  # fmt: skip
    return 0


def _run_after_proportions(chosen: argparse.Namespace) -> None:
    """`--proportions RUN`, of which the parser takes RUN for a metric: it is one where the latest run has none so."""
    name = chosen.proportions
    if not name or "," in name or chosen.run != "latest":
        return
    latest = open_run(chosen)
    if name in latest.metrics().pl().columns:
        return
    try:
        named = open_run(argparse.Namespace(store=chosen.store, run=name))
    except RunNotFound:
        return
    chosen.run, chosen.proportions = named.id, ""


def summary(chosen: argparse.Namespace) -> int:
    _run_after_proportions(chosen)
    handle = open_run(chosen)
    found = handle.summary(confidence=chosen.confidence)
    further = _further_tables(handle, found, chosen)
    controlled, notes = list[Any](), list(found.notes)
    if handle.record.options.control and not further and found.rows:
        from .estimate_tables import own_controlled

        controlled, why = own_controlled(handle, chosen.confidence)
        notes += [why] if why else []
    if chosen.json:
        distinct = {name: copies.distinct for name, copies in found.distinct.items()}
        scenarios = {s.name: dict(s.parameters) for s in handle.record.experiment.scenarios}
        listed = further | ({"controlled": controlled} if controlled else {})
        tables = {name: [dataclasses.asdict(row) for row in rows] for name, rows in listed.items()}
        print_json({"summary": found.to_dicts(), "scenarios": scenarios, "distinct": distinct, **tables,
                    "notes": notes})  # fmt: skip
        return 0
    if further:
        from .estimate_tables import print_estimates

        print_estimates(handle, further, as_csv=chosen.csv)
    elif chosen.csv:
        show_data(found.frame().write_csv())
    elif found.rows:
        print_summary(found, confidence=chosen.confidence, top=chosen.top)
        if controlled:
            from .estimate_tables import print_controlled

            print_controlled(controlled)
    else:
        say("no replication has returned a metric")
    for note in notes:
        say_note(note)
    return 0


def _further_tables(handle: Any, found: Any, chosen: argparse.Namespace) -> dict[str, list[Any]]:
    asked = (chosen.needed, chosen.quantiles, chosen.proportions)
    if all(one is None for one in asked) and not (chosen.ratio or chosen.pooled or chosen.control):
        return {}
    from .estimate_tables import estimates

    return estimates(handle, found, chosen)


def collate(chosen: argparse.Namespace) -> int:
    def report(name: str, rows: int) -> None:
        if not chosen.json:
            say(f"  {name}: {rows:,} rows")

    check_output(chosen)
    handle = open_run(chosen)
    file_format, own = _format(chosen), _own_collation(handle, chosen)
    collated = handle.collate(
        Path(chosen.output),
        file_format=file_format,
        only=chosen.table,
        report=report,
        **({} if own else {"own": False}),
    )
    if chosen.json:
        files = {name: str(path) for name, path in collated.files.items()}
        print_json({"run": handle.id, "files": files, "rows": collated.rows, "notes": collated.notes})
        return 0
    for path in collated.files.values():
        show(path)
    for note in collated.notes:
        say_note(note)
    return 0


def _format(chosen: argparse.Namespace) -> str:
    if chosen.spreadsheet_safe and chosen.format != "csv":
        raise RequestError(f"--spreadsheet-safe is for CSV; --format {chosen.format} keeps texts apart from formulas")
    return "safe-csv" if chosen.spreadsheet_safe else str(chosen.format)


def _own_collation(handle: Any, chosen: argparse.Namespace) -> bool:
    """Whether the model's own collation may run here; the standard tables are written without any of its code."""
    from replicast.reporting.collating import has_own_collation

    if not has_own_collation(handle.record) or is_trusted(handle.record, chosen):
        return True
    say_note(f"the model's own collation was not run, since run {handle.id} was made by {maker_of(handle.record)}: "
             "look at its code, and say --trust")  # fmt: skip
    return False


def failures(chosen: argparse.Namespace) -> int:
    handle = open_run(chosen)
    rows = handle.failures()
    if chosen.json:
        print_json(rows.to_dicts())
        return 0
    if chosen.csv:
        show_data(rows.pl().write_csv())
        return 0
    if not len(rows):
        say_words(f"no replication of run {handle.id} failed")
    for row in islice(rows, chosen.top):
        tries = f" (after {row['attempt']} attempts)" if row["attempt"] > 1 else ""
        where = f"scenario '{row['scenario']}', replication {row['replication']}"
        show_words(f"{where}: {row['error_type']}: {row['error']}{tries}")
        for text in (row["traceback"], row["log"]):
            if text.strip():
                show("    " + text.rstrip().replace("\n", "\n    "))
    if chosen.top and len(rows) > chosen.top:
        say_words(f"the first {chosen.top:,} of {len(rows):,} failures")
    return 0
