"""How soon `replicast ui` shows a store of many runs: from pressing Enter, and from opening a page once it serves.

    python benchmarks/many_runs.py [STORE]... [--runs N] [--rounds K]

Each store (default: a folder) should be empty; it is filled with N runs (default 200) of two scenarios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

import psutil

import replicast

MODEL = "def simulate(rng, mean=1.0):\n    return {'wait': rng.exponential(mean), 'stay': rng.exponential(2 * mean)}\n"
SCENARIOS = {"base": {}, "busier": {"mean": 2.0}}
LOOKS = ["Enter to the list", "the list again", "a run's page"]


def fill(model: Path, store: str, runs: int) -> None:
    for number in range(runs):
        replicast.run(model, 10, seed=number, scenarios=SCENARIOS, store=store, name=name(number), on="serial")


def name(number: int) -> str:
    return f"run-{number:04}"


def looked(store: str, runs: int) -> list[tuple[float, float]]:
    """Of each of LOOKS, seconds and the page's own processor seconds. The list must have every run in it."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "replicast", "ui", store, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            host, _, token = json.loads("".join(process.stdout.readline() for _ in range(4)))["url"].partition("/?")
            browser = build_opener(HTTPCookieProcessor())
            shown = page(browser, f"{host}/?{token}")
            taken = [(time.perf_counter() - start, processor_seconds(process))]
            lacking = [number for number in range(runs) if f"/run/{name(number)}" not in shown]
            if lacking:
                raise SystemExit(f"the list lacks {len(lacking)} of {runs} runs")
            for path in ("/", f"/run/{name(runs - 1)}"):
                began, before = time.perf_counter(), processor_seconds(process)
                page(browser, host + path)
                taken.append((time.perf_counter() - began, processor_seconds(process) - before))
            return taken
        finally:
            process.terminate()


def page(browser: OpenerDirector, address: str) -> str:
    return str(browser.open(address).read().decode())


def processor_seconds(process: subprocess.Popen[str]) -> float:
    spent = psutil.Process(process.pid).cpu_times()
    return float(spent.user + spent.system)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("stores", nargs="*", metavar="STORE")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "model.py"
        model.write_text(MODEL, encoding="utf-8")
        for store in asked.stores or [str(Path(folder) / "runs")]:
            fill(model, store, asked.runs)
            taken = list(zip(*(looked(store, asked.runs) for _ in range(asked.rounds)), strict=True))
            kind = store.partition("://")[0] if "://" in store else "a folder"
            print(
                f"{f'{asked.runs} runs in {kind}, {asked.rounds} rounds':40}{'best s':>8}{'median s':>10}{'CPU s':>8}"
            )
            for look, pairs in zip(LOOKS, taken, strict=True):
                seconds, own = zip(*pairs, strict=True)
                print(f"{look:40}{min(seconds):8.2f}{statistics.median(seconds):10.2f}{min(own):8.2f}", flush=True)


if __name__ == "__main__":
    main()
