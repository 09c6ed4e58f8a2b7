"""The local page over a store: who may see it, what it shows, and a run in progress in a real browser."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from looking import CHROMIUM, CONTRAST, browser, faults, opened

from replicast import run
from replicast.cli.ui_command import _listen
from replicast.live.app import make_app
from replicast.stores import open_store

Write = Callable[..., Path]
TOKEN, HOST = "a-token", "127.0.0.1:8000"
SLOW = "import time\ndef simulate(rng, mean=1.0):\n    time.sleep(0.05)\n    return {'wait': rng.exponential(mean)}\n"
MARKED = """
def simulate(rng, replication, mean=1.0):
    if replication == 3:
        raise ValueError("<script>alert(1)</script>")
    return {"<b>wait</b>": rng.exponential(mean), "rows": [{"x": replication}]}
"""


LONG_NAMES = """
def simulate(rng, replication, mean=1.0):
    if replication == 3:
        raise ValueError("a message of many words that is wider than any window of these, and still goes on a bit")
    leaves = bool(rng.random() < 0.5)
    return {"mean_waiting_time_of_patients1": rng.exponential(mean), "share_of_patients_who_leave_30": leaves}
"""


class Client:
    """Asks the page as a browser does: with the cookies that it was given."""

    def __init__(self, app: Any) -> None:
        self.app, self.cookies = app, httpx.Cookies()

    def request(self, method: str, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}", cookies=self.cookies) as asker:
                answer = await asker.request(method, path, headers=headers)
                self.cookies = asker.cookies
                return answer

        return asyncio.run(ask())

    def get(self, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
        return self.request("GET", path, headers)


@pytest.fixture
def store(tmp_path: Path, write_model: Write) -> str:
    model, place = write_model(MARKED), str(tmp_path / "runs")
    for name in ("first", "second"):
        scenarios = {"a&b": {"mean": 1.0}, "c": {"mean": 2.0}}
        run(model, 6, seed=1, scenarios=scenarios, store=place, name=name, on="serial", tolerate=9)
    return place


@pytest.fixture
def client(store: str) -> Client:
    return Client(make_app(open_store(store), TOKEN, frozenset({HOST})))


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        (f"?token={TOKEN}", {}, 200),
        ("", {}, 403),
        ("?token=another", {}, 403),
        (f"?token={TOKEN}", {"Host": "evil.example"}, 403),
        (f"?token={TOKEN}", {"Host": "127.0.0.1:8001"}, 403),
        (f"?token={TOKEN}", {"Origin": "http://evil.example"}, 403),
        (f"?token={TOKEN}", {"Origin": "null"}, 403),
        (f"?token={TOKEN}", {"Sec-Fetch-Site": "cross-site"}, 403),
        (f"?token={TOKEN}", {"Origin": f"http://{HOST}"}, 200),
    ],
)
def test_only_this_machine_with_the_token_is_answered(
    client: Client, query: str, headers: dict[str, str], status: int
) -> None:
    answer = client.get(f"/{query}", headers=headers)
    assert answer.status_code == status
    assert "first" in answer.text or status == 403
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(client: Client, method: str) -> None:
    assert client.request(method, f"/?token={TOKEN}").status_code == 403


def test_the_token_is_kept_in_a_cookie_that_no_script_reads(client: Client) -> None:
    cookie = client.get(f"/?token={TOKEN}").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert client.get("/run/first").status_code == 200


def test_a_page_shows_results_failures_and_how_to_replay_them_all_escaped(client: Client, store: str) -> None:
    shown = client.get(f"/run/first?token={TOKEN}").text
    for text in ("&lt;b&gt;wait&lt;/b&gt;", "a&amp;b", "&lt;script&gt;alert(1)", "12 of 12"):
        assert text in shown
    assert "<script>alert" not in shown
    assert "<b>wait" not in shown
    assert f"replicast replay first 3 --scenario &#39;a&amp;b&#39; --store {store}" in shown


def test_tables_are_downloaded_as_csv(client: Client) -> None:
    client.get(f"/?token={TOKEN}")
    answer = client.get("/run/first/table/rows")
    assert answer.text.splitlines()[:2] == ["scenario,replication,x", "a&b,1,1"]
    assert answer.headers["content-disposition"] == 'attachment; filename="first-rows.csv"'
    assert client.get("/run/first/table/summary").text.startswith("scenario,metric,planned")
    assert client.get("/run/none").status_code == 404
    assert client.get("/run/first/table/none").status_code == 404


def test_runs_are_found_by_words_and_state_and_two_are_compared(client: Client, store: str) -> None:
    from replicast.stores.labels import change_tags

    change_tags(open_store(store), "second", ["paper"])
    client.get(f"/?token={TOKEN}")
    found = client.get("/?q=paper").text
    assert "/run/second" in found
    assert "/run/first" not in found
    assert "No run fits" in client.get("/?state=running").text
    beside = client.get("/compare?first=first&second=second").text
    assert beside.count("(n = 5)") == 4


def test_a_damaged_run_is_a_line_and_takes_no_other_along(client: Client, store: str) -> None:
    Path(store, "first", "run.json").write_text("{")
    shown = client.get(f"/?token={TOKEN}").text
    assert "damaged" in shown
    assert "/run/second" in shown


@pytest.fixture
def page_address(tmp_path: Path) -> Iterator[str]:
    with subprocess.Popen(
        [sys.executable, "-m", "replicast", "ui", "runs", "--json"], cwd=tmp_path, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        yield str(json.loads("".join(lines))["url"])
        process.send_signal(signal.SIGINT)


def test_the_address_answers_from_when_it_is_printed() -> None:
    """Whoever opens it at once waits, and is not refused."""
    listener = _listen(0)
    with listener, socket.create_connection(listener.getsockname(), timeout=5):
        pass


@contextmanager
def ended_with(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ends a process with what uses it, also where that fails."""
    try:
        yield
    finally:
        process.kill()


@pytest.mark.long
@pytest.mark.browser
def test_a_run_in_progress_fills_in_a_real_browser(tmp_path: Path, write_model: Write, page_address: str) -> None:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    command = [
        sys.executable,
        "-m",
        "replicast",
        "run",
        str(write_model(SLOW)),
        "-n",
        "100000",
        "--name",
        "live",
        "--quiet",
    ]
    with (
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running,
        ended_with(running),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[str] = []
        wrong: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(page_address)
        while not page.get_by_role("link", name="live").count():
            page.reload()
        page.get_by_role("link", name="live", exact=True).click()
        page.locator("#results svg").first.wait_for(timeout=60_000)
        before = page.inner_text("#said")
        while page.inner_text("#said") == before:  # the page's policy lets nobody evaluate a condition in it
            page.wait_for_timeout(100)
        assert page.inner_text("#state") == "running"
        running.kill()
        page.reload()
        assert "wait" in page.inner_text("#results")
        browser.close()
    host = page_address.split("/?")[0]
    assert [url for url in asked if not url.startswith((host, "data:"))] == []
    assert wrong == []


@pytest.mark.browser
def test_no_page_is_cut_too_small_or_wider_than_the_window(
    tmp_path: Path, write_model: Write, page_address: str
) -> None:
    """With names of 30 letters and failures, light and dark."""
    model, names = write_model(LONG_NAMES), ("a_run_that_has_30_letters_1234", "another_run_of_30_letters_1234")
    scenarios = {"today_as_it_is_in_our_hospital": {"mean": 1.0}, "more_beds_and_also_more_nurses": {"mean": 2.0}}
    for name in names:
        run(model, 6, seed=1, scenarios=scenarios, store=str(tmp_path / "runs"), name=name, on="serial", tolerate=9)
    host = page_address.split("/?")[0]
    pages = ["/", f"/run/{names[0]}", f"/compare?first={names[0]}&second={names[1]}"]
    with browser() as chromium:
        for width in (1280, 390):
            for dark in (False, True):
                page = opened(chromium, page_address, width, dark=dark)
                for path in pages:
                    assert page.goto(host + path).status == 200
                    assert faults(page) == [], f"{path} at {width}"
                    assert page.evaluate(CONTRAST) == [], f"{path}, dark: {dark}"
                page.close()
