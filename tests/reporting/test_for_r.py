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
    assert magic == b"replicast columns 2"
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


WARDS = """
simulate <- function(replication) {
  ward <- factor(c('b', NA, 'a'), levels = c('b', 'a', 'never'))
  size <- factor(c('small', 'large', 'large'), levels = c('small', 'large'), ordered = TRUE)
  varying <- factor(if (replication == 2) c('x', 'y', 'x') else c('x', 'x', 'x'))
  many <- factor(1:3, levels = 1:2000)
  texts <- if (replication == 2) 'other' else factor('b', levels = 'b')
  list(t = data.frame(ward, size, varying, many, texts))
}
"""


@pytest.mark.r
@pytest.mark.parametrize("store", ["runs", "sqlite:///one.db"])
def test_a_column_with_the_same_levels_in_all_replications_is_a_factor(
    replicast: Cli, write_model: Callable[..., Path], tmp_path: Path, store: str
) -> None:
    ran = replicast("run", write_model(WARDS, "model.R"), "-n", 3, "--workers", 2, "--name", "f", "--store", store)
    assert ran.returncode == 0, ran.stderr
    assert replicast("collate", "f", "-o", "r", "--format", "rcolumns", "--store", store).returncode == 0
    described, content = read(tmp_path / "r" / "t.rcolumns")
    kinds = dict(zip(described["columns"], described["factors"], strict=True))
    assert kinds == {"scenario": "", "replication": "", "ward": "factor", "size": "ordered",
                     "varying": "", "many": "", "texts": ""}  # fmt: skip
    labels = b"b\0a\0never\0"
    assert struct.pack("2i", len(labels), 3) + labels + struct.pack("3i", 1, -(2**31), 2) in content


@pytest.mark.r
def test_levels_that_cannot_be_read_are_named(replicast: Cli, write_model: Callable[..., Path], tmp_path: Path) -> None:
    assert replicast("run", write_model(WARDS, "model.R"), "-n", 1, "--name", "f").returncode == 0
    for document in (tmp_path / "runs" / "f" / "levels").iterdir():
        document.write_bytes(document.read_bytes()[:-3])
    answer = replicast("collate", "f", "-o", "r", "--format", "rcolumns")
    assert answer.returncode == 3
    assert "'levels/" in answer.stderr and "Traceback" not in answer.stderr
