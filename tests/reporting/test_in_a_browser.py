"""The report in a real browser: wide, on a phone, in the dark and on paper, with names of 30 wide letters."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from looking import CONTRAST, browser, faults, opened

from replicast.runs import Run

MakeRun = Callable[..., Run]
NAMES = ("MWMWMWMWMW_MWMWMWMWMW_MWMWMWMW", "more_beds_and_also_more_nurses", "today_as_it_is_in_our_hospital")
METRICS = ("mean_waiting_time_of_patients1", "WWWWWWWWWW_MMMMMMMMMM_WWWWWWWW")
HEADINGS = "[...document.querySelectorAll('h1, h2, h3, h4, caption, summary')].map(one => one.textContent.trim())"


def returned(number: int, level: float) -> dict[str, Any] | None:
    if number == 4:
        return None
    draw = np.random.default_rng(number)
    return {METRICS[0]: level + draw.normal(), METRICS[1]: 1e6 * level + draw.exponential()}


def rows_over_time(_scenario: str, number: int) -> dict[str, Any]:
    draw = np.random.default_rng(number)
    return {"time": np.arange(40.0), "length_of_the_queue_at_the_desk": draw.poisson(5, 40).astype(float)}


@pytest.fixture
def address(make_run: MakeRun, tmp_path: Path) -> str:
    """Of a page with every part that a run of scenarios can have: failures, time series, responses, comparisons."""
    values = {name: [returned(number, place + 1.0) for number in range(1, 30)] for place, name in enumerate(NAMES)}
    values |= {f"{NAMES[1]},point-000{place}": [returned(n, place) for n in range(1, 6)] for place in range(1, 8)}
    parameters = {
        name: {"number_of_beds_in_every_ward_1": 2.0 * place, "rate_of_arrivals_at_the_clinic": 1.5 + place % 3}
        for place, name in enumerate(values)
    }
    made = make_run(values, parameters=parameters, planned=30, series=rows_over_time)
    return made.report(tmp_path / "page.html", ratios=["/".join(METRICS)]).as_uri()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_is_cut_too_small_or_wider_than_the_window(address: str, width: int) -> None:
    with browser() as chromium:
        assert faults(opened(chromium, address, width)) == []


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_every_text_stands_out_from_its_ground(address: str, dark: bool) -> None:
    with browser() as chromium:
        assert opened(chromium, address, 1280, dark=dark).evaluate(CONTRAST) == []


@pytest.mark.browser
def test_no_page_of_paper_ends_with_a_heading_and_no_number_is_lost(address: str) -> None:
    from pypdf import PdfReader

    with browser() as chromium:
        page = opened(chromium, address, 1280)
        headings = {" ".join(one.split()) for one in page.evaluate(HEADINGS)}
        printed = PdfReader(io.BytesIO(page.pdf(format="A4")))
    texts = [[line.strip() for line in one.extract_text().splitlines() if line.strip()] for one in printed.pages]
    assert len(texts) > 3
    assert [lines[-1] for lines in texts if lines[-1] in headings] == []
    assert {"Results", "Failures"} <= {line for lines in texts for line in lines}


@pytest.mark.browser
def test_a_fault_is_found(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text('<body><p style="font-size:9px;color:#ccc">small</p><div style="width:3000px">wide</div>')
    with browser() as chromium:
        shown = opened(chromium, page.as_uri(), 390)
        assert {fault.partition(":")[0] for fault in faults(shown)} == {"the page scrolls sideways", "small", "cut"}
        assert len(shown.evaluate(CONTRAST)) == 1
