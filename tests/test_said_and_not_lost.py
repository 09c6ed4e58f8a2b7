"""What is not kept, warned of or interrupted is said where a user sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast
from replicast.core.progress import Conclusion, Ending

Write = Callable[..., Path]


@pytest.fixture
def notes_of(write_model: Write, tmp_path: Path) -> Callable[..., list[str]]:
    def perform(text: str, file: str = "model.py", **options: Any) -> list[str]:
        made = replicast.run(
            str(write_model(text, file)), n=6, seed=1, store=str(tmp_path / "runs"), workers=1, watch=None, **options
        )
        return made.summary().notes

    return perform


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("def simulate(rng):\n    open('plot.png', 'w').write('x')\n    return rng.random()\n", "model.py"),
        pytest.param(
            "simulate <- function() { cat('x', file = 'plot.png'); runif(1) }\n", "model.R", marks=pytest.mark.r
        ),
    ],
    ids=["python", "r"],
)
def test_files_left_in_the_working_folder_are_named_as_not_kept(notes_of: Any, text: str, file: str) -> None:
    said = "the model writes files into its working folder, where they are not kept: 'plot.png'"
    assert notes_of(text, file).count(said) == 1


def test_replications_that_warned_are_counted_and_the_first_warning_is_shown(notes_of: Any) -> None:
    text = (
        "import warnings\n"
        "def simulate(replication, rng):\n"
        "    if replication in (2, 4): warnings.warn(f'capacity is low in {replication}')\n"
        "    return rng.random()\n"
    )
    assert "2 of 6 replications warned, the first: UserWarning: capacity is low in 2" in notes_of(text)
    assert not any("warned" in note for note in notes_of("def simulate(rng):\n    return rng.random()\n"))


@pytest.mark.r
def test_a_closure_over_dots_and_missing_arguments_is_kept_whole(notes_of: Any) -> None:
    text = "simulate <- function() { f <- function(a, ...) function() list(...); list(x = runif(1), f = f()) }\n"
    assert not any("failed" in note for note in notes_of(text, "model.R", keep="rds"))


def test_an_interruption_is_a_keyboard_interrupt_that_names_the_run() -> None:
    error = replicast.Interrupted(Conclusion(Ending.INTERRUPTED, {}, 3, 0, 3), "20261125T000000-abcdef")
    assert isinstance(error, KeyboardInterrupt)
    assert not isinstance(error, Exception)
    assert "replicast resume 20261125T000000-abcdef" in str(error)


def test_a_store_below_the_home_folder_makes_no_folder_called_tilde(
    write_model: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    made = replicast.run(str(write_model("def simulate(rng):\n    return rng.random()\n")), n=2, store="~/runs")
    assert (tmp_path / "home" / "runs" / made.id).is_dir()
    assert not (tmp_path / "~").exists()
