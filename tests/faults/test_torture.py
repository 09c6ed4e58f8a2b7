"""A short enumeration of faults over every kind of request; `make torture` is the long one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parent.parent.parent / "tools" / "torture.py"
SHORT = (
    "--kills",
    "6",
    "--kills-elsewhere",
    "3",
    "--changes",
    "5",
    "--errors",
    "5",
    "--stores",
    "folder,sqlite",
    "--pool-kills",
    "6",
)


@pytest.mark.long
def test_no_fault_of_a_store_gives_another_number_in_silence() -> None:
    ended = subprocess.run([sys.executable, "-P", str(TOOL), *SHORT], capture_output=True, text=True, check=False)
    rows = [line.strip("| ").split(" | ") for line in ended.stdout.splitlines()[2:]]
    assert ended.returncode == 0, ended.stderr
    assert [row[0] for row in rows] == ["folder"] * 4 + ["sqlite"] * 4
    assert [row[5] for row in rows] == ["0"] * 8
    assert sum(int(row[3]) for row in rows) >= 20, "hardly any run came back equal"
