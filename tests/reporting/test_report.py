"""The report: what it says of a run, that it needs nothing but itself, and that a browser shows it whole."""

from __future__ import annotations

import re
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from replicast.asking.settings import read_experiment_file
from replicast.core.digits import shown
from replicast.core.record import Options
from replicast.reporting.as_toml import experiment_as_toml
from replicast.reporting.blocks import Document, Part
from replicast.reporting.charts import bin_edges, running_mean
from replicast.reporting.page import page
from replicast.reporting.report import report_page
from replicast.reporting.report_failures import MOST_EACH, failures
from replicast.runs import Run

MakeRun = Callable[..., Run]
VOID = {"meta", "link", "br", "img", "input", "hr"}
SVG = "{http://www.w3.org/2000/svg}"


class Reading(HTMLParser):
    """Checks that elements are nested, and gathers identities, links, and the texts of tables and headings."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.identities: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.attributes.append((tag, found))
        if found.get("id"):
            self.identities.append(str(found["id"]))
        self.links += [str(found[name]) for name in ("href", "src") if found.get(name)]
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def waits(level: float, n: int = 40, seed: int = 3) -> list[dict[str, float | int | None] | None]:
    rng = np.random.default_rng(seed)
    return [{"wait": level + float(x), "served": int(level * 10 + x)} for x in rng.normal(0, 1, n)]


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    more = waits(8.0, seed=4)
    more[4] = None
    parameters = {"base": {"beds": 5}, "<b>more<b> & 'more'": {"beds": 7, "ward": '"A" <left>'}}
    return make_run(dict(zip(parameters, [waits(10.0), more], strict=True)), parameters=parameters)


def page_of(run: Run, **options: Any) -> str:
    return report_page(run.store, run.record, **options)


def test_the_page_is_well_formed_and_fetches_nothing(run: Run) -> None:
    page = page_of(run)
    reading = Reading(page)
    assert all(link.startswith("#") for link in reading.links)
    assert {link[1:] for link in reading.links} <= set(reading.identities)
    assert len(set(reading.identities)) == len(reading.identities)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in reading.attributes}
    assert "url(" not in page
    assert "@import" not in page


def test_names_and_messages_of_the_model_are_shown_as_they_are_and_never_run(run: Run) -> None:
    page = page_of(run)
    assert "<b>" not in page
    assert "&lt;b&gt;more&lt;b&gt; &amp; &#39;more&#39;" in page
    assert "division by &lt;zero&gt;" in page
    assert '"A" <left>' in Reading(page).cells


def test_every_picture_has_a_title_a_description_and_a_table_of_the_same_numbers(run: Run) -> None:
    page = page_of(run)
    pictures = [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]
    assert len(pictures) == 2 * (1 + 1 + 2) + 2
    for picture in pictures:
        assert picture.get("role") == "img"
        assert (picture.findtext(f"{SVG}title") or "").strip()
        assert len(picture.findtext(f"{SVG}desc") or "") > 10
    assert page.count('<th scope="row">') > 10
    assert page.count("<caption>") == page.count("<table>")


def test_the_summary_the_comparison_and_the_failures_are_those_of_the_run(run: Run) -> None:
    cells = Reading(page_of(run)).cells
    row = run.summary().rows[0]
    assert shown(row.mean, row.half_width) in cells
    assert "39 of 40 ¹" in cells
    assert "lower" in cells
    assert "ZeroDivisionError" in page_of(run)


def test_what_a_reader_must_know_first_stands_before_the_first_number(make_run: MakeRun) -> None:
    failed = waits(10.0)
    failed[0] = None
    run = make_run({"base": failed, "same": [{"wait": 1.0, "served": 1}] * 40}, planned=45, copies=True,
                   options=Options(precision="wait=0.1%", maximum=50))  # fmt: skip
    head = page_of(run).split('<section id="results">')[0]
    assert "10 replications are missing" in head
    assert "1 replication failed" in head
    assert "all are copies of one" in head
    assert "was not met in: base, same" in head


def test_a_run_of_one_scenario_or_of_nothing_has_a_page_too(make_run: MakeRun) -> None:
    page = page_of(make_run({"base": waits(10.0)}))
    Reading(page)
    assert 'id="comparison"' not in page


def test_a_run_without_any_result_says_so(make_run: MakeRun) -> None:
    page = page_of(make_run({"base": [None, None]}))
    Reading(page)
    assert "No replication has returned a metric" in page


def test_metrics_without_a_finite_value_and_with_one_value_are_drawn_or_said(make_run: MakeRun) -> None:
    values = [{"none": float("nan"), "constant": 3.0, "one": 1.0 if i == 0 else None, "wide": 1e300 * i}
              for i in range(6)]  # fmt: skip
    page = page_of(make_run({"base": values, "more": values}))
    Reading(page)
    assert "It has no finite value." in page
    pictures = " ".join(re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    assert not re.search(r'"[^"]*(nan|inf)[^"]*"', pictures)


def test_the_same_run_gives_the_same_page(run: Run) -> None:
    assert page_of(run) == page_of(run)


def test_many_scenarios_are_all_in_the_tables_and_the_first_of_them_in_the_pictures(make_run: MakeRun) -> None:
    names = [f"point-{i:04d}" for i in range(1, 101)]
    page = page_of(make_run({name: waits(10.0, 3) for name in names}, parameters={n: {"x": 1.5} for n in names}))
    assert "The first 40 of 100 scenarios; all are in the tables." in page
    assert Reading(page).cells.count("point-0100") >= 5
    assert len(page) < 1_500_000


def test_a_design_over_ranges_shows_each_metric_over_each_parameter(make_run: MakeRun) -> None:
    points = {f"point-{i:04d}": {"beds": i, "rate": i / 2, "ward": "A", "open": i > 3} for i in range(1, 21)}
    page = page_of(make_run({name: waits(float(p["beds"]), 3) for name, p in points.items()}, parameters=points))
    for title in ("wait over beds", "wait over rate", "served over beds", "served over rate"):
        assert f"<title>{title}</title>" in page
    assert "over ward" not in page
    assert "over open" not in page


def test_the_experiment_in_the_page_is_the_one_that_ran(run: Run, tmp_path: Path) -> None:
    text = experiment_as_toml(run.record)
    (tmp_path / "experiment.toml").write_text(text)
    read = read_experiment_file(tmp_path / "experiment.toml")
    assert read.get("seed") == 42
    assert read.get("replications") == 40
    assert read.get("scenarios") == {s.name: dict(s.parameters) for s in run.record.experiment.scenarios}
    assert list(tomllib.loads(text)["scenarios"]) == [s.name for s in run.record.experiment.scenarios]


def test_parameters_of_any_type_survive_the_way_through_toml(make_run: MakeRun) -> None:
    odd = {
        "a b": 1.5,
        "flag": True,
        "n": 3,
        "list": [1, 2.5, "x"],
        "table": {"k": [1]},
        "text": 'é "\\ \n\t',
        "big": 1e300,
    }
    run = make_run({"odd, one": [{"x": 1.0}]}, parameters={"odd, one": {**odd, "nothing": None}})
    text = experiment_as_toml(run.record)
    assert tomllib.loads(text)["scenarios"]["odd, one"] == odd
    assert '# "nothing" = null' in text


def test_a_running_mean_ends_at_the_textbooks_mean_and_interval() -> None:
    values = np.array([1.53, np.nan, 1.66, 1.24, 2.34, 2.00, 1.69, 2.69, 2.86, 1.70, 2.60])
    running = running_mean(values, 0.9)
    assert running.means[-1] == pytest.approx(2.031)
    assert running.half_widths[-1] == pytest.approx((2.353283 - 1.708717) / 2, abs=1e-6)
    assert np.isnan(running.half_widths[0])
    assert running.numbers.tolist() == list(range(1, 12))


def test_bins_hold_all_values_and_whole_numbers_have_one_each() -> None:
    assert bin_edges([np.array([0.0, 1.0, 3.0])]).tolist() == [-0.5, 0.5, 1.5, 2.5, 3.5]
    skewed = np.random.default_rng(1).exponential(1, 500)
    edges = bin_edges([skewed])
    assert np.histogram(skewed, edges)[0].sum() == 500
    assert 5 <= len(edges) - 1 <= 40


def test_failures_are_grouped_by_what_went_wrong_each_with_its_own_replay_command() -> None:
    def failed(number: int, kind: str) -> dict[str, str]:
        return {"scenario": "it's <b>", "replication": str(number), "error_kind": "error", "error_type": kind,
                "error": "<no>", "traceback": f"line of {kind}", "log": ""}  # fmt: skip

    many = [failed(number, "ValueError") for number in range(1, 1001)]
    blocks = list(failures("r1", [failed(1001, "KeyError"), *many], several_scenarios=True))
    shown = page(Document("t", "t", [], [], [Part("failures", "Failures", blocks)], ""))
    assert shown.index("ValueError, the first 20 of 1,000") < shown.index("KeyError, 1")
    assert shown.count("<details>") == 2
    assert "line of KeyError" in shown
    assert shown.count("replicast replay r1") == MOST_EACH + 1
    assert "replicast replay r1 1001 --scenario 'it'\"'\"'s <b>'" in Reading(shown).cells
    assert "<b>" not in shown
