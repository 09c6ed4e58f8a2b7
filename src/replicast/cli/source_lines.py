"""What is said of a run's source: what of the project was left out of it."""

from __future__ import annotations

from collections.abc import Iterator

from replicast.performing.copies import Source

MOST_NAMED = 8


def source_lines(source: Source) -> Iterator[str]:
    """A line for each reason why files were left out, and how to have them taken in."""
    by_reason: dict[str, list[str]] = {}
    for name, why in source.left_out.items():
        by_reason.setdefault(why, []).append(name.encode(errors="backslashreplace").decode())
    for why, names in by_reason.items():
        more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
        yield f"note: left out of the run's copy, as {why}: {', '.join(names[:MOST_NAMED])}{more}"
    if by_reason:
        yield "note: a model that reads these takes them in with [source] include in experiment.toml"
    yield from (f"note: {note}" for note in source.notes)


def edited_line(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
    listed = ", ".join(names[:MOST_NAMED]) + more
    return f"note: edited in the project since, which changes nothing here, as the run's own copy runs: {listed}"
