"""Warm-up of a stored run: a start that was put into the series is found, and what it did to the mean."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from replicast.core.errors import RequestError
from replicast.reporting.welch_plot import describe, spark_line, welch_page, welch_picture
from replicast.runs import Run

MakeRun = Callable[..., Run]
STEADY, START = 10.0, 40
"""Values settle at STEADY after START of 200 steps, from 0 upwards."""


def settling(scenario: str, replication: int) -> Mapping[str, Any]:
    rng = np.random.default_rng(replication)
    t = np.arange(200)
    start = START if scenario == "base" else 0
    level = np.where(t < start, STEADY * t / max(start, 1), STEADY)
    return {"t": t.astype(float), "v": level + rng.normal(0, 0.5, 200), "desk": np.where(t % 2 == 0, 1, 2)}


@pytest.fixture
def run(make_run: MakeRun) -> Run:
    ten = [{"metric": float(i)} for i in range(10)]
    return make_run({"base": ten, "warm": ten}, series=settling)


def test_the_start_is_found_over_time(run: Run) -> None:
    found = run.warm_up("series", "v", "t")
    base, warm = found.found
    assert 30 <= base.time <= 45
    assert warm.time <= 10
    assert not base.truncation.warning
    assert len(base.series.replications) == 10
    assert found.notes[-1].startswith("scenarios that are to be compared leave out the same")


def test_the_start_is_found_in_the_order_of_rows(run: Run) -> None:
    (base,) = run.warm_up("series", "v", scenarios=["base"]).found
    assert 30 <= base.truncation.columns <= 45
    assert base.time == base.truncation.columns


def test_leaving_it_out_moves_the_mean_to_where_it_settles(run: Run) -> None:
    moved = run.warm_up("series", "v", scenarios=["base"]).found[0].effect
    assert moved.whole.mean == pytest.approx(STEADY - STEADY / 2 * START / 200, abs=0.2)
    assert moved.truncated.mean == pytest.approx(STEADY, abs=0.15)
    interval = moved.change.interval()
    assert interval is not None
    assert interval[0] > 0.7


def test_only_the_rows_asked_for_are_looked_at(run: Run) -> None:
    (base,) = run.warm_up("series", "v", scenarios=["base"], where={"desk": "1"}).found
    assert base.truncation.length == 100


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"table": "serie", "value": "v"}, "no table 'serie'"),
        ({"table": "series", "value": "w"}, "no column 'w'"),
        ({"table": "series", "value": "v", "time": "tt"}, "no column 'tt'"),
        ({"table": "series", "value": "v", "scenarios": ["bas"]}, "did you mean 'base'"),
        ({"table": "series", "value": "v", "where": {"desk": "9"}}, "no rows of scenario 'base' where desk is 9"),
        ({"table": "series", "value": "v", "held": True}, "which column is the time"),
        ({"table": "series", "value": "scenario"}, "holds no numbers"),
        ({"table": "series", "value": "v", "time": "t", "steps": 20}, "from 50 steps on"),
        ({"table": "series", "value": "v", "window": 90}, "between 0 and 50"),
    ],
)
def test_what_cannot_be_judged_is_refused_with_the_reason(run: Run, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(RequestError, match=said):
        run.warm_up(**asked)


def test_the_picture_is_well_formed_and_says_what_it_shows(run: Run) -> None:
    found = run.warm_up("series", "v", "t")
    picture = ElementTree.fromstring(welch_picture(found))
    plots = picture.findall("{http://www.w3.org/2000/svg}svg")
    assert len(plots) == 2
    described = plots[0].find("{http://www.w3.org/2000/svg}desc")
    assert described is not None
    assert described.text == describe(found.found[0], "v", "t")
    assert "leaves out t before" in str(described.text)
    page = welch_page(found, run.id)
    assert page.count("<svg") == 2
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_line_of_text_has_its_bar_where_the_warm_up_ends(run: Run) -> None:
    base, warm = run.warm_up("series", "v", "t").found
    assert len(spark_line(base)) == 61
    assert spark_line(base).index("│") == round(base.share * 60)
    assert spark_line(warm).count("│") <= 1
