"""How a run shows itself in a notebook: its state, its summary, and what failed, all escaped."""

from __future__ import annotations

from html import escape

from replicast.core.ports import Store
from replicast.core.record import RunRecord

from .rows import Rows, failures_frame
from .summary import summarise_run

MOST_ROWS, MOST_FAILURES = 30, 5
BANNER = "border-left: 4px solid #b3261e; padding: .2em .8em"


def run_as_html(store: Store, record: RunRecord, state: str, done: int, planned: int, failed: int) -> str:
    summary = summarise_run(store, record)
    frame = summary.frame().select("scenario", "metric", "n", "mean", "ci_lower", "ci_upper", "sd")
    more = f"<p>The first {MOST_ROWS} of {len(frame)} rows; all: <code>run.summary()</code></p>" * (
        len(frame) > MOST_ROWS
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in summary.notes)
    return (
        f"<p><strong>{escape(record.experiment.model.label)}</strong>, run <code>{escape(record.id)}</code>: "
        f"{escape(state)}, {done:,} of {planned:,} replications, seed {record.experiment.seed}</p>"
        + (_failures(store, record, failed) if failed else "")
        + (Rows(frame.head(MOST_ROWS))._repr_html_() + more if len(frame) else "")
        + (f"<ul>{notes}</ul>" if notes else "")
    )


def _failures(store: Store, record: RunRecord, failed: int) -> str:
    rows = failures_frame(store, record).head(MOST_FAILURES).iter_rows(named=True)
    lines = "".join(
        f"<li>{escape(row['scenario'])}, replication {row['replication']}: {escape(row['error_type'])}: "
        f"{escape(row['error'])}</li>" for row in rows
    )  # fmt: skip
    said = f"<strong>{failed:,} failed</strong>, see <code>run.failures()</code>"
    return f'<div style="{BANNER}" role="note">{said}<ul>{lines}</ul></div>'
