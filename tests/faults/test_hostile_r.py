"""R models whose programs write where R answers us: each costs its own replication, and no number is another one."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

import replicast

Write = Callable[..., Path]
GARBAGE = {
    "text": b"garbage" * 4,
    "one byte": b"x",
    "zeros": bytes(72),
    "another's outcome": struct.pack("9d", 1, 3, 0, 0, 0, 0, 0, 0, 0),
    "a table of exabytes": struct.pack("9d", 1, 5, 0, 0, 0, 1e18, 0, 0, 0),
    "a block of too many": struct.pack("9d", 7, 5, 100, 1, 0, 0, 0, 0, 0),
}
MODEL = """
simulate <- function(replication, garbage) {{
  x <- runif(1)
  if (replication == 5) system(sprintf("for f in 3 4 5 6 7 8 9 10; do (cat %s >&$f) 2>/dev/null; done", garbage))
  x
}}
"""


@pytest.mark.r
@pytest.mark.long
@pytest.mark.parametrize("on", ["serial", "local"])
@pytest.mark.parametrize("what", GARBAGE)
def test_what_a_program_of_the_model_writes_into_our_pipe_is_no_answer(
    write_model: Write, tmp_path: Path, on: str, what: str
) -> None:
    (tmp_path / "garbage").write_bytes(GARBAGE[what])
    path = write_model(MODEL.format(), "model.R")
    options = {"seed": 1, "store": tmp_path / "runs", "params": {"garbage": str(tmp_path / "garbage")}}
    finished = replicast.run(path, 12, on=on, workers=1, tolerate=1, **options)
    assert {row["replication"]: row["type"] for row in finished.failures()} == {5: "Garbled"}
    (tmp_path / "garbage").write_bytes(b"")
    whole = replicast.run(path, 12, on="serial", **options)
    values = {row["replication"]: row["value"] for row in whole.metrics()}
    del values[5]
    assert {row["replication"]: row["value"] for row in finished.metrics()} == values
