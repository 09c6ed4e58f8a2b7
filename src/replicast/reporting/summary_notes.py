"""What must be said beside the numbers of a summary."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from replicast.core.commands import command
from replicast.core.doubts import Doubt
from replicast.core.ports import Coverage
from replicast.core.record import RunRecord
from replicast.core.statistics import SummaryRow
from replicast.stores.reading import replications_of

from .tables import METRICS, RunTables

MOST_NAMED = 6
"""Metrics that one note names, and scenarios of which the same is said one by one."""


def notes_on(row: SummaryRow, *, copies: bool, counts: bool = False, unit: str = "replications") -> Iterator[str]:
    """On one row: values that are not finite, do not vary, only count, or are beyond what a double holds."""
    if row.non_finite:
        which = "1 value is" if row.non_finite == 1 else f"{row.non_finite} values are"
        rest = f"the mean is of the other {row.n}" if row.n else "there is no other, and no mean"
        yield f"{row.scenario}: {which} missing, NaN or infinite in '{row.metric}': {rest}"
    if counts:
        yield f"{row.scenario}: '{row.metric}' only counts the replications: its mean and interval say nothing"
    if copies or row.n < 2 or row.ci_lower is not None:
        return
    if row.sd == 0:
        yield f"{row.scenario}: '{row.metric}' was the same in all {row.n} {unit}: no interval"
    else:
        yield f"{row.scenario}: the spread of '{row.metric}' is beyond the largest double: no interval"


def gathered(notes: Sequence[str], scenarios: Sequence[str]) -> list[str]:
    """The notes; what is said in the same words of many scenarios is said once, at the first of them."""
    said: dict[str, list[str]] = {}
    parts = [note.partition(": ") for note in notes]
    known = set(scenarios)
    for scenario, _, rest in parts:
        if scenario in known:
            said.setdefault(rest, []).append(scenario)
    found: dict[str, None] = {}
    for note, (scenario, _, rest) in zip(notes, parts, strict=True):
        alike = said.get(rest, []) if scenario in known else []
        found[note if len(alike) <= MOST_NAMED else f"{len(alike)} scenarios, as in {alike[0]}: {rest}"] = None
    return list(found)


def estimand_notes(tables: RunTables) -> Iterator[str]:
    """On metrics that are the means of a table's column: the mean of means is not the mean of all rows."""
    known = set(tables.metric_names())
    for table in (name for name in tables.names if name not in ("metrics", tables.source.table)):
        named = {
            column: [m for m in (column, f"mean_{column}", f"{column}_mean", f"{table}.{column}") if m in known]
            for column in tables.columns(table)
        }
        for column in tables.numeric_columns(table) if any(named.values()) else []:
            for metric in named[column]:
                yield (
                    f"'{metric}' is summarised as a mean of replications' own values; the mean of all rows of "
                    f"{table} is another number where replications have unequally many: "
                    f"{command('summary', tables.record.id, tables.store.label, '--pooled', f'{table}.{column}:mean')}"
                )


def no_metric_notes(tables: RunTables) -> Iterator[str]:
    """On a run whose replications returned tables alone, of which a summary says nothing; how to have one."""
    columns = {table: tables.numeric_columns(table) for table in tables.names if table != METRICS}
    numeric = [table for table in columns if columns[table]]
    if not columns:
        return
    note = (
        f"no replication returned a metric, only tables ({', '.join(columns)}): "
        "a number that is returned by its name is a metric"
    )
    if numeric:
        table = next((one for one in numeric if _one_row_each(tables, one)), numeric[0])
        note += f"; of the rows of a column: summary --pooled {table}.{columns[table][0]}:mean"
    yield note


def _one_row_each(tables: RunTables, table: str) -> bool:
    """Whether each of the first replications has one row of the table."""
    for part in tables.parts(table, None):
        return len(np.unique(replications_of(part))) == part.num_rows
    return False


def beyond_notes(record: RunRecord, coverage: Coverage) -> Iterator[str]:
    """On replications that are stored and counted nowhere: they came after the run's rule had enough."""
    beyond = sum(
        last - max(first - 1, planned)
        for scenario, planned in record.planned.items()
        for first, last in coverage.done(scenario)
        if last > planned
    )
    if beyond:
        were = "replication was" if beyond == 1 else "replications were"
        yield f"{beyond:,} more {were} under way when the run had enough: kept, and left out of every table"


def doubtful_notes(doubts: Mapping[str, Mapping[str, Doubt]], confidence: float, tables: RunTables) -> Iterator[str]:
    """On metrics, by scenario, whose t intervals may cover less often than they say, and what to do about it."""
    medians = command("summary", tables.record.id, tables.store.label, "--quantiles", "0.5")
    worst = {
        metric: max(own, key=lambda scenario: (own[scenario].enough, own[scenario].share or 0.0))
        for metric, own in doubts.items()
    }
    found = {metric: (scenario, doubts[metric][scenario]) for metric, scenario in worst.items()}
    level, median = f"{100 * confidence:.6g} %", f"or look at the median: {medians}"
    for metric, (scenario, doubt) in found.items():
        if doubt.skewness is None:
            yield (
                f"{_where(scenario, doubts[metric])}one replication makes up {doubt.share or 0.0:.0%} of the variance "
                f"of '{metric}' (heavy tails): its interval may cover the mean less often than {level}; run more "
                f"replications {median}"
            )
    skewed = {metric: own for metric, own in found.items() if own[1].skewness is not None}
    if len(skewed) == 1:
        ((metric, (scenario, doubt)),) = skewed.items()
        yield (
            f"{_where(scenario, doubts[metric])}'{metric}' is skewed (skewness {doubt.skewness:.1f}): an interval of "
            f"{doubt.n} such values covers the mean less often than {level}; run {doubt.enough:,} or more {median}"
        )
    elif skewed:
        listed = [
            f"'{metric}' (skewness {doubt.skewness:.1f} in {scenario}: run {doubt.enough:,} or more)"
            for metric, (scenario, doubt) in sorted(skewed.items(), key=lambda item: -item[1][1].enough)
        ]
        more = f" and {len(listed) - MOST_NAMED} more" if len(listed) > MOST_NAMED else ""
        yield (
            f"intervals of so few skewed values cover the mean less often than {level}: "
            f"{', '.join(listed[:MOST_NAMED])}{more}; {median}"
        )


def _where(scenario: str, doubts: Mapping[str, Doubt]) -> str:
    return f"{scenario}: " if len(doubts) == 1 else f"{len(doubts)} scenarios, {scenario} most: "
