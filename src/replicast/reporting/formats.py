"""The formats that tables are collated to, and what their files are called."""

from __future__ import annotations

from collections.abc import Iterable

from replicast.core.errors import RequestError

R_FORMAT = "rcolumns"
"""How the R package reads tables: exact, and no format for people (see for_r.py)."""

SAFE_CSV = "safe-csv"
"""CSV in which no text is taken for a formula by a spreadsheet."""

FORMATS = ("csv", "parquet", "xlsx", R_FORMAT, SAFE_CSV)


def check_format(file_format: str) -> None:
    if file_format not in FORMATS:
        raise RequestError(f"collate writes csv, parquet or xlsx, not '{file_format}'")


def ending(file_format: str) -> str:
    """What the names of its files end in."""
    return "csv" if file_format == SAFE_CSV else file_format


def file_name(table: str) -> str:
    """A table's name as a file's name."""
    return "".join(c if c.isalnum() or c in "-_. " else "_" for c in table).strip(". ") or "table"


def file_names(tables: Iterable[str]) -> dict[str, str]:
    """A name of its own for each table's file, also where names differ in nothing that a file's name can show."""
    ours = ("metrics", "summary")
    taken, names = set(ours), {}
    for table in tables:
        name = wanted = file_name(table)
        number = 1
        while name.casefold() in taken and not (table in ours and name == table):
            number += 1
            name = f"{wanted}_{number}"
        taken.add(name.casefold())
        names[table] = name
    return names
