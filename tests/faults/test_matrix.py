"""A few cells of the matrix of places, stores and courses; `make matrix` has all of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parent.parent.parent / "tools" / "matrix.py"


@pytest.mark.long
def test_one_experiment_is_the_same_to_the_byte_wherever_it_is_carried_out_and_kept() -> None:
    few = ("--languages", "python", "--stores", "folder,sqlite", "--places", "serial,local:2",
           "--courses", "straight,interrupted")  # fmt: skip
    ended = subprocess.run([sys.executable, "-P", str(TOOL), *few], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "8 runs, 0 different or failed" in ended.stdout
    assert ended.stdout.count(" equal metrics=") == 8
