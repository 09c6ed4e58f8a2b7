"""`make demo-aws`: the proof of concept's three phases, end to end on the emulator."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from servers import Mariadb

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.long
@pytest.mark.r
@pytest.mark.mariadb
@pytest.mark.timeout(600)
def test_every_phase_starts_from_repetitions_and_ends_with_a_table_and_its_aggregate(
    mariadb: Mariadb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEMO_DATABASE", database := mariadb.new_database())
    command = [sys.executable, str(REPOSITORY / "tools" / "demo_aws.py"), "--pause", "0.2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    one, two, three = re.split(r"\nPhase [23]: ", done.stdout)
    for told in (one, three, *([two] if "left out" not in two else [])):
        assert "Begin > Quota > Plan > AnythingMissing > Simulate > Begin > Quota > Plan" in told
        assert "Collate > WithinTolerance > Collated" in told
        numbers = [int(value) for value in re.findall(r"^ +\d+ +(\d+)$", told, re.MULTILINE)]
        assert len(numbers) == 10
        assert f"mean {sum(numbers) / 10:.1f} ±" in told
        assert "of n = 10, 0 failed" in told
    assert "no Docker engine answers" in two or "SUCCEEDED" in two
    assert "the functions run R of this machine" in three
    ((n, mean),) = mariadb.execute("SELECT n, mean FROM summary", database.rpartition("/")[2])
    assert (n, f"mean {mean:.1f}") == (10, re.search(r"mean [\d.]+", three)[0])  # type: ignore[index]


def test_the_examples_readme_maps_each_of_the_proof_of_concepts_functions() -> None:
    text = (REPOSITORY / "examples" / "lambda_step_compute" / "README.md").read_text()
    functions = ("generate batch number", "retrieve run ID", "mean rand numbers", "write to DB", "collect files",
                 "aggregate and store")  # fmt: skip
    assert [name for name in functions if name not in text] == []
