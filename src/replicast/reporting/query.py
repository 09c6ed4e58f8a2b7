"""SQL over one run in any store: `metrics`, `replications`, `scenarios`, `summary` and the model's tables.

Polars runs the query, over the tables that it names and no others; nothing can be changed by it.
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from replicast.core.errors import RequestError
from replicast.core.ports import Store
from replicast.stores.records import read_record

from .allowance import allowed
from .scenarios import scenarios_frame
from .summary import summarise_run
from .tables import RunTables


def query(store: Store, run: str, text: str) -> pl.DataFrame:
    """What the query returns. Raises RequestError where it cannot be understood, or would do more than read."""
    record = read_record(store, run)
    known = frames_of(RunTables(store, record))
    asked = allowed(text, known)
    if asked.lists:
        return pl.DataFrame({"name": list(known)})
    context = pl.SQLContext(eager=True)
    for name in asked.tables:
        context.register(name, known[name]())
    try:
        found = context.execute(asked.text)
    except pl.exceptions.PolarsError as error:
        lines = str(error).splitlines()
        message = lines[0] if lines else type(error).__name__
        raise RequestError(f"the query cannot be answered: {message}") from None
    return found if isinstance(found, pl.DataFrame) else found.collect()


def frames_of(tables: RunTables) -> dict[str, Callable[[], pl.DataFrame]]:
    """Each table that a query may name, and what reads it."""
    frames: dict[str, Callable[[], pl.DataFrame]] = {
        "replications": lambda: _ledger(tables),
        "scenarios": lambda: scenarios_frame(tables.record.experiment),
        "summary": lambda: summarise_run(tables.store, tables.record, tables).frame(),
    }
    for name in tables.names:
        frames[name] = lambda name=name: tables.frame(name)  # type: ignore[misc]
    return frames


def _ledger(tables: RunTables) -> pl.DataFrame:
    names = [scenario.name for scenario in tables.record.experiment.scenarios]
    chunks = [pl.DataFrame(chunk) for name in names for chunk in tables.store.ledger(tables.record.id, name)]
    if not chunks:
        return pl.DataFrame(schema={"scenario": pl.String, "replication": pl.Int64, "state": pl.String})
    return pl.concat(chunks)
