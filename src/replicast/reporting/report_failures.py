"""The report's failures: grouped by what went wrong, each group with one traceback, each with its replay command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from . import html

MOST_GROUPS, MOST_EACH = 20, 20
Failure = Mapping[str, str]


def failures_section(run: str, failures: Sequence[Failure], *, several_scenarios: bool) -> str:
    """Nothing where nothing failed. Big runs show the first of each kind, and how many there are."""
    groups: dict[str, list[Failure]] = {}
    for one in failures:
        groups.setdefault(f"{one['kind']}: {one['type']}" if one["kind"] != "error" else one["type"], []).append(one)
    shown = sorted(groups.items(), key=lambda group: -len(group[1]))[:MOST_GROUPS]
    pieces = [_group(run, name, own, several_scenarios=several_scenarios) for name, own in shown]
    if len(groups) > MOST_GROUPS:
        pieces.append(
            html.paragraph(f"The {MOST_GROUPS} most frequent of {len(groups)} kinds; all: replicast failures {run}")
        )
    return "\n".join(pieces)


def _group(run: str, name: str, own: Sequence[Failure], *, several_scenarios: bool) -> str:
    rows = [[one["scenario"], str(one["replication"]), one["message"], _replay(run, one, several_scenarios)]
            for one in own[:MOST_EACH]]  # fmt: skip
    more = f", the first {MOST_EACH} of {len(own):,}" if len(own) > MOST_EACH else f", {len(own):,}"
    headers = ["scenario", "replication", "message", "again, here"]
    listed = html.table(f"{name}{more}", headers, rows, words=(2, 3))
    trace = own[0]["traceback"].strip() or own[0]["log"].strip()
    title = f"The model's own traceback of replication {own[0]['replication']} of {own[0]['scenario']}"
    return listed + (html.folded(title, html.code(trace)) if trace else "")


def _replay(run: str, one: Failure, several_scenarios: bool) -> str:
    words = ["replicast", "replay", run, str(one["replication"])]
    return shlex.join([*words, "--scenario", one["scenario"]] if several_scenarios else words)
