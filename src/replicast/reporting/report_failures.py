"""The report's failures and warnings: grouped by what went wrong, each with a command that does it again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from .blocks import Block, Code, Folded, Grid, Paragraph
from .findings import MOST_WARNINGS, Work

MOST_GROUPS, MOST_EACH = 20, 20
Failure = Mapping[str, str]


def failures(run: str, failed: Sequence[Failure], *, several_scenarios: bool, function: str = "") -> Iterator[Block]:
    """Nothing where nothing failed. Big runs show the first of each kind, and how many there are."""
    groups: dict[str, list[Failure]] = {}
    for one in failed:
        groups.setdefault(_kind(one), []).append(one)
    for name, own in sorted(groups.items(), key=lambda group: -len(group[1]))[:MOST_GROUPS]:
        yield from _group(run, name, own, several_scenarios=several_scenarios, function=function)
    if len(groups) > MOST_GROUPS:
        yield Paragraph(f"The {MOST_GROUPS} most frequent of {len(groups)} kinds; all: replicast failures {run}")


def _kind(one: Failure) -> str:
    return one["error_type"] if one["error_kind"] == "error" else f"{one['error_kind']}: {one['error_type']}"


def _group(
    run: str, name: str, own: Sequence[Failure], *, several_scenarios: bool, function: str = ""
) -> Iterator[Block]:
    rows = [[one["scenario"], str(one["replication"]), one["error"],
             replay(run, one["scenario"], one["replication"], several_scenarios, function)]
            for one in own[:MOST_EACH]]  # fmt: skip
    more = f", the first {MOST_EACH} of {len(own):,}" if len(own) > MOST_EACH else f", {len(own):,}"
    yield Grid(f"{name}{more}", ["scenario", "replication", "message", "again, here"], rows, words=(2, 3))
    if trace := own[0]["traceback"].strip() or own[0]["log"].strip():
        title = f"The model's own traceback of replication {own[0]['replication']} of {own[0]['scenario']}"
        yield Folded(title, [Code(trace)])


def replay(run: str, scenario: str, replication: int | str, several_scenarios: bool, function: str = "") -> str:
    """The command; in Python for a run of a `function` that no file defines."""
    if function:
        return f"run.replay({replication}{f', {scenario!r}' if several_scenarios else ''}, function={function})"
    words = ["replicast", "replay", run, str(replication)]
    return shlex.join([*words, "--scenario", scenario] if several_scenarios else words)


def warnings(run: str, work: Work, *, several_scenarios: bool, function: str = "") -> Iterator[Block]:
    """What replications warned of, the most frequent first; nothing where none did."""
    if not work.warned:
        return
    yield Paragraph(
        f"{work.warned:,} of {work.replications:,} replications warned. The first ten warnings of each are kept."
    )
    listed = sorted(work.warnings.items(), key=lambda one: -one[1][0])
    rows = [[text, f"{times:,}", f"{number} of {scenario}", replay(run, scenario, number, several_scenarios, function)]
            for text, (times, scenario, number) in listed[:MOST_WARNINGS]]  # fmt: skip
    more = f", the first {MOST_WARNINGS} of {len(listed)}" if len(listed) > MOST_WARNINGS else ""
    headers = ["warning", "replications", "first in", "again, here"]
    yield Grid(f"What they warned of{more}", headers, rows, words=(2, 3))
