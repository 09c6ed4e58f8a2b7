"""What the report says beside its tables: methods, warnings, responses, correlation, series; and as Markdown."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest

from replicast.conducting.stretches import Stretch, note_stretch, stretches_of
from replicast.core.errors import RequestError
from replicast.core.record import Options
from replicast.core.statistics import SummaryRow
from replicast.reporting.blocks import pictures_of
from replicast.reporting.charts import Interval, interval_plot
from replicast.reporting.drawing import alone
from replicast.reporting.findings import find
from replicast.reporting.markdown import plain
from replicast.reporting.report import report, report_page
from replicast.reporting.report_design import correlation_matrix, swings_of
from replicast.reporting.report_files import as_png
from replicast.reporting.report_methods import hours, methods_text
from replicast.reporting.report_results import gathered
from replicast.reporting.response_plot import colours_by, varied_parameters
from replicast.runs import Run
from replicast.stores.objects import ObjectStore

MakeRun = Callable[..., Run]
GRID: Mapping[str, Mapping[str, Any]] = {
    f"rate={rate},beds={beds}": {"rate": rate, "beds": beds, "ward": "A"} for rate in (1.0, 2.0, 4.0) for beds in (5, 9)
}


def made(level: float, n: int = 30, seed: int = 3) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    return [{"wait": level + x, "again": 2 * (level + x), "other": float(y)} for x, y in rng.normal(0, 1, (n, 2))]


@pytest.fixture
def design(make_run: MakeRun) -> Run:
    values = {name: made(10 * p["rate"] - 2 * p["beds"]) for name, p in GRID.items()}
    return make_run(values, parameters=GRID, versions={"replicast": "0.2.0", "python": "3.12.1", "simpy": "4.1.1"})


def test_the_methods_say_what_stress_des_asks_for(design: Run) -> None:
    note_stretch(design.store, design.id, Stretch("2026-11-23T10:00:00+00:00", 90.0, "local", "vm", 2, 180))
    text = methods_text(find(design.store, design.record))
    for said in ("30 independent replications of each of 6 scenarios", "180 were run", "seed 42", "PCG64",
                 "simpy 4.1.1", "Python 3.12.1", "paired t over common random numbers", "95 % confidence",
                 "90 s of wall time"):  # fmt: skip
        assert said in text


def test_stretches_of_a_run_are_kept_in_order_and_a_spoiled_one_is_passed_over(tmp_path: Path) -> None:
    store = ObjectStore(str(tmp_path / "runs"))
    later = Stretch("2026-11-24T10:00:00+00:00", 2.0, "local", "b", 8, 5)
    first = Stretch("2026-11-23T10:00:00+00:00", 1.5, "slurm", "a", 4, 5)
    for one in (later, first):
        note_stretch(store, "r", one)
    store.write("r", "carried-out/0.json", b"{")
    assert stretches_of(store, "r") == [first, later]


@pytest.mark.parametrize(("seconds", "text"), [(1.5, "1.5 s"), (90.0, "90 s"), (3600.0, "60 min"), (7200.0, "2 h")])
def test_durations_are_said_for_the_eye(seconds: float, text: str) -> None:
    assert hours(seconds) == text


def test_a_tornado_finds_the_change_that_a_plane_was_made_with(design: Run) -> None:
    rows = [row for row in design.summary().rows if row.metric == "wait"]
    swings, share = swings_of(design.record.experiment, rows)
    assert [(swing.parameter, round(swing.change, 9)) for swing in swings] == [("rate", 30.0), ("beds", -8.0)]
    assert share == pytest.approx(1.0)


def test_parameters_that_follow_from_one_another_have_no_tornado(make_run: MakeRun) -> None:
    parameters = {f"s{i}": {"a": i, "b": 2 * i} for i in range(6)}
    run = make_run({name: made(float(i)) for i, name in enumerate(parameters)}, parameters=parameters)
    rows = [row for row in run.summary().rows if row.metric == "wait"]
    assert swings_of(run.record.experiment, rows) == ([], 0.0)


def test_responses_are_coloured_by_the_other_parameter_that_matters_most(design: Run) -> None:
    page = report_page(design.store, design.record)
    assert "wait over rate, by beds" in page
    assert page.count('class="dot c0"') > 3 < page.count('class="dot c1"')
    assert "What moves wait most" in page
    assert list(varied_parameters(design.record.experiment)) == ["rate", "beds"]


def test_colours_are_of_values_or_where_they_are_many_of_ranges() -> None:
    assert colours_by({"a": 3, "b": 1, "c": 3}) == ({"a": 1, "b": 0, "c": 1}, ["1", "3"])
    colours, named = colours_by({f"s{i}": float(i) for i in range(61)})
    assert (colours["s0"], colours["s9"], colours["s10"], colours["s60"], named[0]) == (0, 0, 1, 5, "0 to 10")
    assert colours_by({f"s{i}": f"name {i}" for i in range(7)}) == ({}, [])


def test_correlation_is_within_scenarios_and_not_between_their_means(design: Run) -> None:
    names, matrix = correlation_matrix(find(design.store, design.record).values)
    assert names == ["wait", "again", "other"]
    assert matrix[0, 1] == pytest.approx(1.0)
    values = np.array([[row["wait"], row["other"]] for row in made(0.0)])
    assert matrix[0, 2] == pytest.approx(np.corrcoef(values.T)[0, 1])


def test_correlation_leaves_out_what_does_not_vary_and_pairs_that_are_too_few(make_run: MakeRun) -> None:
    rows = [{"a": float(i), "b": float(i) if i < 3 else None, "same": 1.0} for i in range(10)]
    names, matrix = correlation_matrix(find(run.store, run.record).values if (run := make_run({"s": rows})) else None)
    assert names == ["a", "b"]
    assert np.isnan(matrix[0, 1])


def test_a_table_over_time_is_drawn_with_welchs_plot_each_resource_by_itself(make_run: MakeRun) -> None:
    def series(_: str, i: int) -> Mapping[str, Any]:
        rng = np.random.default_rng(i)
        return {"time": np.arange(200.0) % 100, "queue": rng.poisson(3, 200).astype(float),
                "resource": pyarrow.array(["nurse"] * 100 + ["bed"] * 100), "capacity": np.full(200, 2)}  # fmt: skip

    page = report_page(*(lambda run: (run.store, run.record))(make_run({"s": made(1.0, 8)}, series=series)))
    for title in ("Welch's plot of queue of nurse in s", "queue of bed over time in s"):
        assert f"<title>{title.replace(chr(39), '&#x27;')}</title>" in page
    assert "over capacity" not in page


def test_warnings_are_counted_by_what_they_say(make_run: MakeRun) -> None:
    run = make_run({"s": made(1.0, 4)})
    from replicast.core.replication import Outcome

    run.store.save(run.id, [
        Outcome("s", 5 + i, 0.1, metrics={"wait": 1.0 + i}, draws=9 + i, warnings=("low <stock>", f"only {i}"),
                warning_count=2)
        for i in range(3)
    ])  # fmt: skip
    page = report_page(run.store, run.record)
    assert "3 of 7 replications warned" in page
    assert re.search(r"low &lt;stock&gt;</th><td>3</td>", page)
    assert f"replicast replay {run.id} 5</td>" in page


def test_notes_that_say_the_same_of_several_scenarios_are_said_once() -> None:
    names = [f"s{i}" for i in range(8)]
    assert gathered([f"{name}: left out" for name in names], names) == ["all 8 scenarios: left out"]
    some = gathered([*(f"{name}: left out" for name in names[:4]), "s7: else", "of all: one"], names)
    assert some == ["4 scenarios (s0, s1, …): left out", "s7: else", "of all: one"]


def test_markdown_says_the_same_and_its_figures_are_files(design: Run, tmp_path: Path) -> None:
    path = design.report(tmp_path / "r.md")
    text = path.read_text(encoding="utf-8")
    linked = re.findall(r"\]\(<(.*?)>\)", text)
    assert linked
    assert len(set(linked)) == len(linked)
    assert sorted(linked) == sorted(one.relative_to(tmp_path).as_posix() for one in tmp_path.rglob("*.svg"))
    document = report(design.store, design.record)
    assert all(f"## {part.title}" in text for part in document.parts)
    tables = [line for line in text.splitlines() if line.startswith("| ")]
    assert any("rate=1.0,beds=5" in line and "wait" in line for line in tables)


def test_markdown_shows_marks_of_its_own_language_as_they_are() -> None:
    assert plain("a|b *c* <d>\n# e") == r"a\|b \*c\* \<d\> \# e"


def test_figures_stand_alone(design: Run, tmp_path: Path) -> None:
    design.report(tmp_path / "r.html", figures=tmp_path / "figures")
    files = sorted((tmp_path / "figures").glob("*.svg"))
    assert len(files) == len(pictures_of(report(design.store, design.record).parts))
    for file in files:
        text = file.read_text(encoding="utf-8")
        ElementTree.fromstring(text)
        assert "var(" not in text


def test_a_figure_as_png_has_twice_the_pixels_of_the_page() -> None:
    pytest.importorskip("resvg_py", reason="resvg-py is not installed (extra png)")
    content = as_png(alone(interval_plot([Interval("a", 1.0, 0.5, 1.5)], "title", "axis")))
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(content[16:20], "big") == 1800


def test_a_format_that_is_none_is_refused(design: Run, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="'pdf' is neither"):
        design.report(tmp_path / "r", file_format="pdf")
    with pytest.raises(RequestError, match="'jpg' is neither"):
        design.report(tmp_path / "r.html", figures=tmp_path / "f", figure_format="jpg")
    assert list(tmp_path.glob("r*")) == [tmp_path / "runs"]


def test_marks_tell_their_values_to_a_pointer(design: Run) -> None:
    picture = next(one.svg for one in pictures_of(report(design.store, design.record).parts) if "means" in one.name)
    rows: list[SummaryRow] = [row for row in design.summary().rows if row.metric == "wait"]
    tips = [found.text or "" for found in ElementTree.fromstring(alone(picture)).iter() if found.tag.endswith("title")]
    assert all(any(tip.startswith(f"{row.scenario}: ") for tip in tips) for row in rows)


def test_seventy_two_scenarios_of_eight_metrics_are_a_page_under_two_megabytes(make_run: MakeRun) -> None:
    points = {f"a scenario of thirty letters {i:02d}": {"x": i % 9, "y": i // 9} for i in range(72)}
    rng = np.random.default_rng(1)
    values = {name: [{f"metric_{k}": float(v) for k, v in enumerate(row)} for row in rng.normal(size=(20, 8))]
              for name in points}  # fmt: skip
    assert len(report_page(*(lambda run: (run.store, run.record))(make_run(values, parameters=points)))) < 2_000_000


def page_of(run: Run, folder: Path) -> str:
    run.report(folder / "page.html")
    return (folder / "page.html").read_text()


def full(count: int, n: int = 20) -> list[dict[str, Any]]:
    return [{"full": i < count, "wait": float(i % 7)} for i in range(n)]


def test_the_methods_name_the_intervals_and_tests_that_were_used(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run({"base": full(3), "more": full(15)})
    text = methods_text(find(run.store, run.record))
    assert "by Student's t distribution, and by Wilson's score method for proportions (full)" in text
    assert "paired t over common random numbers, by McNemar's exact test where all values are 0 or 1," in text
    assert "score for metrics that are true or false" in page_of(run, tmp_path)


def test_the_methods_of_proportions_alone_name_no_t(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run({name: [{"full": i < count} for i in range(20)] for name, count in (("base", 3), ("more", 15))})
    text = methods_text(find(run.store, run.record))
    assert "by Wilson's score method (proportions)" in text
    assert "compared with base by McNemar's exact test" in text
    assert "Student" not in text + page_of(run, tmp_path)


def test_the_methods_do_not_say_that_a_precision_was_met_that_was_not(make_run: MakeRun) -> None:
    run = make_run({"base": made(1.0), "more": made(100.0)}, options=Options(precision="wait=1%", maximum=30))
    text = methods_text(find(run.store, run.record))
    assert "until the precision" not in text
    assert "by the precision wait=1%, which 1 of 2 scenarios reached" in text
