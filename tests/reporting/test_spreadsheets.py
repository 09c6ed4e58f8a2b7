"""Tables as spreadsheets, and designs from them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import openpyxl
import polars as pl
import pytest

from replicast.asking.designs import find_points
from replicast.core.errors import RequestError
from replicast.reporting.spreadsheets import write_spreadsheet
from replicast.runs import Run

MakeRun = Callable[..., Run]


def test_a_run_is_collated_to_spreadsheets(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run({"base": [{"wait": 1.5, "served": 3}, {"wait": float("nan"), "served": 2**60}]})
    found = run.collate(tmp_path / "out", file_format="xlsx")
    rows = list(openpyxl.load_workbook(found.files["metrics"]).active.iter_rows(values_only=True))
    assert rows == [
        ("scenario", "replication", "wait", "served"),
        ("base", 1, 1.5, 3),
        ("base", 2, "nan", str(2**60)),
    ]
    assert found.files["summary"].suffix == ".xlsx"


def test_the_same_rows_are_the_same_bytes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, None], "t": [datetime(2026, 1, 1, 9), None], "ok": [True, False]})
    for name, frames in (("one", [frame]), ("two", [frame[:1], frame[1:]])):
        assert write_spreadsheet(frames, dict(frame.schema), tmp_path / name) == 2
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_design_is_read_from_a_spreadsheet(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["scenario", "beds", "rate"], ["base", 10, 1.5], ["more", 12, 1.5], [None, None, None]):
        book.active.append(row)
    book.save(tmp_path / "design.xlsx")
    (tmp_path / "design.csv").write_text("scenario,beds,rate\nbase,10,1.5\nmore,12,1.5\n")
    assert find_points("design.xlsx", tmp_path) == find_points("design.csv", tmp_path)


def test_what_is_no_spreadsheet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.xlsx").write_text("no sheet")
    for name, says in (("d.xlsx", "cannot be read as a spreadsheet"), ("none.xlsx", "there is no file")):
        with pytest.raises(RequestError, match=says):
            find_points(name, tmp_path)
