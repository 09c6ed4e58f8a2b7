"""What the Python interface says of models that fail, do not load, or cannot travel."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import replicast

Write = Callable[..., Path]
FAILING = "def simulate(replication):\n    raise ValueError(f'no bed {replication}')\n"
SOME = "def simulate(replication):\n    if replication == 2: raise ValueError('no')\n    return replication * 1.5\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_model_that_always_fails_warns_with_count_traceback_and_the_way_back(write_model: Write) -> None:
    with pytest.warns(replicast.FailureWarning) as caught:
        done = replicast.run(write_model(FAILING), n=5, seed=1)
    (warning,) = caught
    text = str(warning.message)
    assert text.startswith("5 of 5 replications of model.py failed; replication 1 with ValueError: no bed 1\nTraceback")
    assert "raise ValueError(f'no bed {replication}')" in text
    assert text.endswith(f"again, here: run.replay(1), or replicast replay {done.id} 1")
    assert warning.filename == __file__


def test_of_a_function_that_no_file_defines_no_command_is_named_that_would_be_refused(tmp_path: Path) -> None:
    def nowhere() -> float:
        raise ValueError("no bed")

    with pytest.warns(replicast.FailureWarning) as caught:
        done = replicast.run(nowhere, n=2, seed=1)
    assert str(caught[0].message).endswith("again, here: run.replay(1)")
    page = done.report(tmp_path / "r.md").read_text(encoding="utf-8")
    assert "run.replay(1, function=nowhere)" in page
    assert "run.verify(function=nowhere)" in page
    assert "replicast replay" not in page
    assert "replicast verify" not in page


def test_it_can_be_raised_or_left(write_model: Write) -> None:
    path = write_model(FAILING)
    with pytest.raises(replicast.ReplicationsFailed, match="5 of 5 replications") as caught:
        replicast.run(path, n=5, seed=1, on_failure="raise")
    assert caught.value.run.status().failed == 5
    assert isinstance(caught.value, replicast.ReplicastError)
    assert replicast.run(path, n=5, seed=1, on_failure="ignore").status().failed == 5
    with pytest.raises(replicast.RequestError, match="on_failure takes 'raise' or 'warn' or 'ignore', and 'stop' is"):
        replicast.run(path, n=5, on_failure="stop")  # type: ignore[arg-type]


def test_some_failures_are_raised_where_they_are_more_than_tolerated(write_model: Write) -> None:
    path = write_model(SOME)
    assert replicast.run(path, n=5, seed=1).status().failed == 1
    assert replicast.run(path, n=5, seed=1, tolerate=1, on_failure="raise").status().failed == 1
    with pytest.raises(replicast.ReplicationsFailed, match="replication 2 with ValueError: no"):
        replicast.run(path, n=5, seed=1, on_failure="raise")


def test_one_scenario_that_always_fails_is_named(write_model: Write) -> None:
    path = write_model("def simulate(rng, beds=1):\n    return rng.random() / beds\n")
    with pytest.warns(
        replicast.FailureWarning, match="replication 1 of scenario 'none' with ZeroDivisionError"
    ) as said:
        replicast.run(path, n=3, seed=1, scenarios={"some": {"beds": 2}, "none": {"beds": 0}})
    assert "run.replay(1, scenario='none')" in str(said[0].message)


def test_what_a_function_cannot_take_along_is_named() -> None:
    lock, factor = threading.Lock(), 2.0

    def simulate(rng: Any) -> float:
        with lock:
            return factor * float(rng.random())

    with pytest.raises(replicast.RequestError, match="'lock', which it refers to, cannot be copied") as caught:
        replicast.run(simulate, n=3)
    assert "inside the function" in str(caught.value)


@pytest.mark.parametrize("model", [42, 1.5, ["model.py"], b"model.py"])
def test_what_is_no_model_is_named(model: Any) -> None:
    with pytest.raises(replicast.RequestError, match=f"and {re.escape(repr(model))} .* is none of these"):
        replicast.run(model, n=3)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"tolerate": "lots"}, "^tolerate takes a share such as 5%"),
        ({"look_ahead": 3}, "^look_ahead is how long precision must stay met"),
        ({"maximum": 30}, "^maximum is the most that precision or select may take; without them, give n$"),
        ({"timeout": -1}, "^timeout takes seconds above 0"),
        ({"memory": "no"}, "^memory takes"),
        ({"select": "x"}, "^select chooses among scenarios, and there is one: give scenarios"),
    ],
)
def test_errors_name_python_s_arguments(write_model: Write, options: dict[str, Any], said: str) -> None:
    with pytest.raises(replicast.RequestError, match=said):
        replicast.run(write_model(SOME), n=5, **options)


def test_the_command_line_names_its_own(write_model: Write, replicast: Callable[..., Any]) -> None:
    assert "--tolerate takes a share" in replicast("run", write_model(SOME), "--tolerate", "lots").stderr


LOADING = {
    "from . import s\ndef simulate(rng): return 1\n": "name it 'project.model' in place of the file, as in: replicast",
    "import argparse\np = argparse.ArgumentParser(); p.add_argument('--beds', required=True)\nBEDS = p.parse_args()\n"
    "def simulate(rng): return 1\n": "reads its command line while it is imported",
    "import sys\nsys.exit('done')\ndef simulate(rng): return 1\n": "ends its process while it is imported",
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), LOADING.items())
def test_a_model_that_does_not_load_is_told_the_cure(write_model: Write, text: str, said: str) -> None:
    with pytest.raises(replicast.ModelError, match=re.escape(said)):
        replicast.run(write_model(text), n=3)


def test_the_cure_for_relative_imports_works(write_model: Write, tmp_path: Path) -> None:
    write_model("from .shared import X\ndef simulate(rng): return X + rng.random()\n")
    (tmp_path / "project" / "shared.py").write_text("X = 5.0\n")
    (tmp_path / "project" / "__init__.py").write_text("")
    assert replicast.run("project.model", n=3, seed=1).summary().rows[0].mean > 5  # type: ignore[operator]


@pytest.mark.parametrize("place", ["local", "serial"])
def test_a_model_finds_no_command_line_of_ours(write_model: Write, place: str) -> None:
    path = write_model(
        "import argparse, sys\n"
        "p = argparse.ArgumentParser(); p.add_argument('--beds', type=int, default=3)\n"
        "BEDS = p.parse_args().beds\n"
        "def simulate(rng): return {'beds': BEDS + 0 * rng.random(), 'arguments': len(sys.argv)}\n"
    )
    done = replicast.run(path, n=3, seed=1, on=place)
    assert done.metrics().pl().row(0)[2:] == (3.0, 1)


def test_nested_results_by_ward_are_told_how_to_be_flat(write_model: Write) -> None:
    path = write_model("def simulate(rng): return {'icu': {'wait': rng.random(), 'patients': [{'a': 1}]}}\n")
    done = replicast.run(path, n=2, seed=1, on_failure="ignore")
    message = done.failures().to_dicts()[0]["error"]
    assert "name what is in it one level up, as in {'icu.wait': 1.5, 'icu.patients': [...]}" in message
