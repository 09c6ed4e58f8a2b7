"""Windows is refused at once, in one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import replicast
from replicast.cli import main


def test_windows_is_refused_in_one_line_with_the_way_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert main(["list"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    page = said.split()[-1]
    assert (Path(__file__).parents[2] / page).exists()
    with pytest.raises(replicast.RequestError, match="WSL"):
        replicast.run(lambda: 1, n=1, store=str(tmp_path))
