"""SQL over one run in any store: `metrics`, `replications`, `scenarios`, `summary` and the model's tables.

Polars runs the query, over the tables that it names and no others; nothing can be changed by it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from replicast.core.errors import RequestError, nearest
from replicast.core.ports import Store
from replicast.stores.records import read_record

from .scenarios import scenarios_frame
from .summary import summarise_run
from .tables import RunTables

COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
FIRST_WORD = re.compile(r"[\s(]*([A-Za-z]+)")
READING = ("select", "with", "show", "explain", "values")
FILE_FUNCTION = re.compile(r"(read|scan)_\w+[\"`]?(\s|/\*.*?\*/|--[^\n]*\n)*\(", re.IGNORECASE | re.DOTALL)
"""Looked for in the text as it is, in literals and comments too: what hides one from us may not hide it from Polars."""


def query(store: Store, run: str, text: str) -> pl.DataFrame:
    """What the query returns. Raises RequestError where it cannot be understood, or would do more than read."""
    record = read_record(store, run)
    _check(text)
    tables = RunTables(store, record)
    known = frames_of(tables)
    context = pl.SQLContext(eager=True)
    for name, load in known.items():
        if name.lower() in text.lower():
            context.register(name, load())
    try:
        found = context.execute(text.strip().rstrip(";"))
    except pl.exceptions.PolarsError as error:
        raise RequestError(_explain(error, known)) from None
    return found if isinstance(found, pl.DataFrame) else found.collect()


def _check(text: str) -> None:
    bare = COMMENT.sub(" ", text)
    word = FIRST_WORD.match(bare)
    if word is None or word[1].lower() not in READING:
        given = f"'{word[1]}'" if word else "nothing"
        raise RequestError(f"a query begins with SELECT or WITH, not with {given}: it reads a run and changes nothing")
    if FILE_FUNCTION.search(text):
        raise RequestError("a query reads the tables of its run, and no files")


def _explain(error: Exception, known: dict[str, Callable[[], pl.DataFrame]]) -> str:
    lines = str(error).splitlines()
    message = lines[0] if lines else type(error).__name__
    missing = re.search(r"relation '([^']*)' was not found", message)
    if missing:
        listed = ", ".join(known)
        hint = nearest(missing[1], known).partition(" (known")[0]
        return f"the run has no table '{missing[1]}'{hint}; it has {listed}"
    return f"the query cannot be answered: {message}"


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
