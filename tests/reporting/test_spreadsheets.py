"""Tables as spreadsheets, and designs from them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path

import openpyxl
import polars as pl
import pytest

import replicast
from replicast.asking.designs import find_points
from replicast.core.errors import RequestError, RunChanged
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


def test_what_a_spreadsheet_notes_of_its_scenarios_is_kept_and_no_parameter(
    write_model: Callable[..., Path], tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    for row in (["scenario", "beds", "note"], ["today", 10, "as counted in May"], ["more", 12, None]):
        book.active.append(row)
    book.save(tmp_path / "design.xlsx")
    model, store = write_model("def simulate(rng, beds=1):\n    return beds + rng.random()\n"), str(tmp_path / "runs")
    run = replicast.run(str(model), n=2, seed=1, design=tmp_path / "design.xlsx", store=store)
    assert [(s.note, dict(s.parameters)) for s in run.record.experiment.scenarios] == [
        ("as counted in May", {"beds": 10}), ("", {"beds": 12}),
    ]  # fmt: skip
    assert Run(store).record == run.record
    found = run.collate(tmp_path / "out", file_format="xlsx")
    rows = list(openpyxl.load_workbook(found.files["scenarios"]).active.iter_rows(values_only=True))
    assert rows == [("scenario", "beds", "note"), ("today", 10, "as counted in May"), ("more", 12, None)]
    assert "as counted in May" in run.report(tmp_path / "page.md").read_text()
    own = write_model("def simulate(rng, beds=1, note=''):\n    return {'length': len(note)}\n", "own.py")
    taken = replicast.run(str(own), n=1, design=tmp_path / "design.xlsx", store=store)
    assert taken.metrics().pl()["length"].to_list() == [17, 0]


def test_a_note_may_change_and_a_parameter_may_not(
    write_model: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = str(write_model("def simulate(rng, beds=1):\n    return beds + rng.random()\n"))
    for note in ("first", "second"):
        Path("design.csv").write_text(f"scenario,beds,note\ntoday,10,{note}\n")
        run = replicast.run(model, n=2, seed=1, design="design.csv", name="one")
        assert run.record.experiment.scenarios[0].note == note
    Path("design.csv").write_text("scenario,beds,note\ntoday,11,second\n")
    with pytest.raises(RunChanged, match="parameter 'beds' was 10, is 11"):
        replicast.run(model, n=2, seed=1, design="design.csv", name="one")


def test_what_is_no_spreadsheet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.xlsx").write_text("no sheet")
    for name, says in (("d.xlsx", "cannot be read as a spreadsheet"), ("none.xlsx", "there is no file")):
        with pytest.raises(RequestError, match=says):
            find_points(name, tmp_path)


def write_sheet(path: Path, rows: list[list[object]], merged: str = "") -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    if merged:
        book.active.merge_cells(merged)
    book.create_sheet("notes").append(["=1+1"])
    book.save(path)
    return path


def test_days_and_times_of_a_spreadsheet_are_read_as_they_are_written(tmp_path: Path) -> None:
    rows: list[list[object]] = [["scenario", "day"], ["a", date(2024, 2, 29)], ["b", datetime(2024, 3, 1, 8, 30)]]
    points = find_points(write_sheet(tmp_path / "d.xlsx", rows), tmp_path)
    assert [dict(values) for values in points.values()] == [{"day": "2024-02-29"}, {"day": "2024-03-01T08:30:00"}]


@pytest.mark.parametrize(
    ("rows", "merged", "says"),
    [
        ([["scenario", "a"], ["p", "=1+1"]], "", "B2 is a formula without its value"),
        ([["scenario", "a"], ["p", 1], ["q", None]], "B2:B3", "B2:B3 are merged"),
        ([["scenario", "a"], ["p", "#N/A"]], "", "B2 is an error, #N/A"),
        ([["scenario", None, "a"], ["p", 1, 2]], "", "column 2 has values and no name"),
        ([["scenario", "a", "a"], ["p", 1, 2]], "", "two columns called 'a'"),
        ([], "", "no rows|is empty"),
    ],
)
def test_cells_that_would_be_read_as_something_else_are_refused(
    rows: list[list[object]], merged: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(RequestError, match=says):
        find_points(write_sheet(tmp_path / "d.xlsx", rows, merged), tmp_path)


def test_a_column_without_name_and_values_is_passed_over(tmp_path: Path) -> None:
    rows: list[list[object]] = [["scenario", None, "a"], ["p", None, 2]]
    points = find_points(write_sheet(tmp_path / "d.xlsx", rows), tmp_path)
    assert [dict(values) for values in points.values()] == [{"a": "2"}]


@pytest.mark.long
@pytest.mark.office
def test_libreoffice_opens_a_spreadsheet_and_sees_its_values(make_run: MakeRun, tmp_path: Path) -> None:
    office = shutil.which("soffice") or ""
    run = make_run(
        {"base": [{"wait": 1.5, "ward": 3}, {"wait": 0.25, "ward": 4}], "more ü": [{"wait": -1.0, "ward": 5}]}
    )
    sheet = run.collate(tmp_path / "out", file_format="xlsx").files["metrics"]
    subprocess.run(
        [office, "--headless", f"-env:UserInstallation=file://{tmp_path / 'profile'}", "--convert-to",
         "csv:Text - txt - csv (StarCalc):44,34,76", "--outdir", str(tmp_path), str(sheet)],
        check=True, capture_output=True, timeout=120, env=os.environ | {"HOME": str(tmp_path)},
    )  # fmt: skip
    assert (tmp_path / "metrics.csv").read_text(encoding="utf-8").split() == [
        "scenario,replication,wait,ward", "base,1,1.5,3", "base,2,0.25,4", "more", "ü,1,-1,5",
    ]  # fmt: skip


def test_a_hidden_first_sheet_is_not_the_design(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["beds"])
    book.active.sheet_state = "hidden"
    book.create_sheet("seen").append(["beds"])
    book.active = 1
    book.save(tmp_path / "design.xlsx")
    with pytest.raises(RequestError, match="first sheet, 'Sheet', is hidden"):
        find_points("design.xlsx", tmp_path)
