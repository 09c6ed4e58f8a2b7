"""A design's spreadsheet as the CSV file that says the same; what would be read as another value is refused by cell."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from replicast.core.errors import RequestError

if TYPE_CHECKING:
    import polars as pl

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


class HiddenSheet(Exception):
    """What would be read is not what people see."""


def sheet_as_csv(path: Path) -> str:
    """The rows of the first sheet as they would stand in a CSV file, so that types go by the model's defaults alike."""
    if not path.is_file():
        raise RequestError(f"there is no file '{path}' to read a design from")
    try:
        import polars as pl

        first = pl.read_excel(
            path, has_header=False, read_options={"n_rows": 1}, raise_if_empty=False, drop_empty_cols=False
        )
        frame = pl.read_excel(path, raise_if_empty=False, drop_empty_cols=False)
        doubts = list(doubtful_cells(path))
    except ModuleNotFoundError:
        raise RequestError(
            "a design in a spreadsheet needs fastexcel: python -m pip install 'replicast[xlsx]'; or save it as CSV"
        ) from None
    except HiddenSheet as hidden:
        raise RequestError(f"{path.name}: {hidden}") from None
    except Exception as error:  # the reader's errors have no class of their own
        raise RequestError(f"'{path}' cannot be read as a spreadsheet: {error}") from None
    if doubts:
        raise RequestError(f"{path.name}: {doubts[0]}")
    if not frame.width:
        return ""
    frame = _named_columns(frame, first.row(0) if len(first) else (), path.name)
    return _with_plain_dates(frame.filter(~pl.all_horizontal(pl.all().is_null()))).write_csv()


def _named_columns(frame: pl.DataFrame, header: Sequence[Any], name: str) -> pl.DataFrame:
    """Without columns that have neither a name nor values. Raises RequestError for a name missing or given twice."""
    names = [None if text is None else str(text).strip() or None for text in header]
    for place, text in enumerate(names):
        column = frame.columns[place]
        if text is None and frame[column].null_count() < len(frame):
            raise RequestError(f"{name}: column {place + 1} has values and no name in the first row")
        if text is not None and text in names[:place]:
            raise RequestError(f"{name} has two columns called '{text}'")
    return frame.select(frame[column] for column, text in zip(frame.columns, names, strict=False) if text is not None)


def _with_plain_dates(frame: pl.DataFrame) -> pl.DataFrame:
    """Days as 2026-11-25, and times of day behind them only where there are any: a sheet knows no mere days."""
    import polars as pl

    dated = [name for name, kind in frame.schema.items() if kind in (pl.Date, pl.Datetime)]
    return frame.with_columns(pl.Series(name, [_as_text(v) for v in frame[name]], pl.String) for name in dated)


def _as_text(value: date | None) -> str | None:
    return None if value is None else value.isoformat().removesuffix("T00:00:00")


def doubtful_cells(path: Path) -> Iterator[str]:
    """Sentences about cells of the first sheet that show something else than what a reader of values is given."""
    with zipfile.ZipFile(path) as book, book.open(_first_sheet(book)) as sheet:
        for _, element in ElementTree.iterparse(sheet):
            place, value = element.get("r"), element.findtext(f"{MAIN}v")
            if element.tag == f"{MAIN}mergeCell":
                yield f"cells {element.get('ref')} are merged, of which one alone has the value: part them"
            elif element.tag == f"{MAIN}c" and element.get("t") == "e":
                yield f"cell {place} is an error, {value}"
            elif element.find(f"{MAIN}f") is not None and element.get("t") != "str" and not value:
                yield f"cell {place} is a formula without its value: open the file in a spreadsheet program, save it"
            if element.tag == f"{MAIN}row":
                element.clear()


def _first_sheet(book: zipfile.ZipFile) -> str:
    """The name, in the archive, of the sheet that stands first."""
    sheets = ElementTree.fromstring(book.read("xl/workbook.xml")).find(f"{MAIN}sheets")
    if sheets is not None and sheets[0].get("state", "visible") != "visible":
        raise HiddenSheet(
            f"its first sheet, '{sheets[0].get('name')}', is hidden: show it or move it behind the design"
        )
    wanted = sheets[0].get(RELATION) if sheets is not None else None
    for relation in ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels")):
        if relation.get("Id") == wanted:
            target = str(relation.get("Target"))
            return target.removeprefix("/") if target.startswith("/") else f"xl/{target}"
    raise ValueError("it names no first sheet")
