"""`replicast warnings`: which replications warned, how often, and of what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from replicast import run
from replicast.cli import main

MODEL = """
import warnings

def simulate(rng, replication):
    for i in range(12 if replication == 4 else replication == 2):
        warnings.warn(f"stock is low {i}")
    return rng.random()
"""


@pytest.fixture
def warned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.py").write_text(MODEL)
    run("model.py", 5, seed=1, on="serial", name="w")
    return tmp_path


@pytest.mark.usefixtures("warned")
def test_warnings_are_listed_by_replication(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["warnings", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["replication"], row["count"]) for row in rows] == [(2, 1), (4, 12)]
    assert len(rows[1]["warnings"].split("\n")) == 10
    assert main(["warnings", "w", "--top", "1"]) == 0
    shown = capsys.readouterr()
    assert "replication 2:\n    UserWarning: stock is low 0" in shown.out
    assert "replication 4" not in shown.out
    assert "the first 1 of 2 replications that warned" in shown.err
    assert main(["warnings", "w", "--csv"]) == 0
    assert capsys.readouterr().out.startswith("scenario,replication,count,warnings\n")
