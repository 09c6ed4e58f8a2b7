"""The tables that the R package reads: a line that says what follows, then raw columns."""

from __future__ import annotations

import json
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]
INTEGER, LOGICAL, TEXT, DATE, DOUBLE = 2, 3, 4, 5, 1
MODEL = """
import datetime

def simulate(rng, replication):
    rows = [{'day': datetime.date(2024, 2, 29), 'name': None, 'y': 0.1}, {'day': None, 'name': 'ü', 'y': None}]
    return {'busy': replication > 1, 'n': replication, 'x': rng.random(), 't': rows}
"""


def read(file: Path) -> tuple[dict[str, Any], bytes]:
    head, _, content = file.read_bytes().partition(b"\n")
    magic, _, described = head.partition(b"\t")
    assert magic == b"replicast columns 1"
    return json.loads(described), content


@pytest.fixture
def folder(replicast: Cli, write_model: Callable[..., Path], tmp_path: Path) -> Path:
    assert replicast("run", write_model(MODEL), "-n", 2, "--seed", 3, "--name", "one").returncode == 0
    answer = replicast("collate", "one", "-o", "r", "--format", "rcolumns")
    assert answer.returncode == 0, answer.stderr
    return tmp_path / "r"


def test_metrics_keep_their_types_and_bits(folder: Path, replicast: Cli) -> None:
    described, content = read(folder / "metrics.rcolumns")
    assert described["columns"] == ["scenario", "replication", "busy", "n", "x"]
    assert described["kinds"] == [TEXT, INTEGER, LOGICAL, INTEGER, DOUBLE]
    x = sorted(struct.unpack("2d", content[-16:]))
    assert struct.unpack("6i", content[-40:-16]) == (1, 2, 0, 1, 1, 2)
    summary = json.loads(replicast("summary", "one", "--json").stdout)["summary"]
    stored = next(row for row in summary if row["metric"] == "x")
    assert x == [stored["min"], stored["max"]]


def test_missing_values_are_those_of_r(folder: Path) -> None:
    described, content = read(folder / "t.rcolumns")
    assert described["rows"] == 4
    assert described["kinds"] == [TEXT, INTEGER, DATE, TEXT, DOUBLE]
    one, na, *_ = struct.unpack("4d", content[-32:])
    assert one == 0.1
    assert struct.pack("d", na)[:4] == struct.pack("I", 1954)


def test_the_message_names_formats_for_people(replicast: Cli, folder: Path) -> None:
    refused = replicast("collate", "one", "-o", folder / "other", "--format", "xml")
    assert refused.returncode == 2
    assert "csv, parquet or xlsx" in refused.stderr
