"""experiment.toml: whatever it says is either taken as it stands or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from replicast.asking.settings import INNER_KEYS, TOP_KEYS, default_store, inside_worker, read_experiment_file
from replicast.core.errors import RequestError

WHOLE = """
model = "model.R"
replications = 100
seed = 42
keep = "rds"
timeout = 1.5
retries = 2
tolerate = "5%"
precision = "wait=5%"
max = 1000
store = "runs"
name = "trial"
workers = 4
[parameters]
warm_up = 28
[scenarios.base]
[scenarios.more_beds]
beds = 12
[grid]
arrival_rate = [5.0, 6.0]
[collate]
command = ["Rscript", "combine.R", "{artefacts}", "{out}"]
[streams]
kind = "future"
common = false
"""


@pytest.fixture
def read(tmp_path: Path) -> Callable[[str], Any]:
    def call(text: str) -> Any:
        path = tmp_path / "experiment.toml"
        path.write_text(text, encoding="utf-8")
        return read_experiment_file(path)

    return call


def test_everything_that_it_says_is_taken(read: Callable[[str], Any], tmp_path: Path) -> None:
    file = read(WHOLE)
    assert file.folder == tmp_path.resolve()
    assert (file.get("model"), file.get("seed"), file.get("timeout"), file.get("tolerate")) == (
        "model.R",
        42,
        1.5,
        "5%",
    )
    assert file.get("scenarios") == {"base": {}, "more_beds": {"beds": 12}}
    assert file.get("grid") == {"arrival_rate": [5.0, 6.0]}
    assert file.get("streams") == {"kind": "future", "common": False}
    assert file.get("absent") is None
    assert file.get("absent", 5) == 5


def test_an_empty_file_says_nothing(read: Callable[[str], Any]) -> None:
    assert read("").values == {}


def test_a_byte_order_mark_of_windows_is_passed_over(read: Callable[[str], Any]) -> None:
    assert read("\ufeffseed = 1\n").get("seed") == 1


def test_numbers_keep_their_type(read: Callable[[str], Any]) -> None:
    parameters = read("[parameters]\nn = 1\nx = 1.0\nbig = 9007199254740993\nnan = nan\n").get("parameters")
    assert [type(parameters[name]) for name in ("n", "x", "big", "nan")] == [int, float, int, float]
    assert parameters["big"] == 2**53 + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("replication = 5", "there is no key 'replication' .did you mean 'replications'"),
        ("Seed = 5", "there is no key 'Seed' .did you mean 'seed'"),
        ("[parameter]\nx = 1", "there is no key 'parameter' .did you mean 'parameters'"),
        ("[streams]\nkinds = 'own'", "there is no key 'streams.kinds' .did you mean 'kind'"),
        ("[collate]\ncmd = []", "there is no key 'collate.cmd' "),
        ("zzzz = 1", "there is no key 'zzzz' .known: "),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_right_one(read: Callable[[str], Any], text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        read(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("replications = '5'", "'replications' takes an integer, and '5' is not"),
        ("replications = 5.0", "'replications' takes an integer, and 5.0 is not"),
        ("seed = true", "'seed' takes an integer, and True is not"),
        ("timeout = true", "'timeout' takes an integer or a number, and True is not"),
        ("timeout = '5s'", "'timeout' takes an integer or a number, and '5s' is not"),
        ("tolerate = 0.05", "'tolerate' takes text or an integer, and 0.05 is not"),
        ("model = 5", "'model' takes text, and 5 is not"),
        ("command = 'Rscript x.R'", "'command' takes a list, and 'Rscript x.R' is not"),
        ("parameters = 5", "'parameters' takes a table, and 5 is not"),
        ("scenarios = []", "'scenarios' takes a table, and "),
        ("[scenarios]\nbase = 5", "scenarios.base takes parameters, and 5 is not a table of them"),
        ("streams = 'own'", "'streams' takes a table, and 'own' is not"),
        ("[streams]\ncommon = 1", "'streams.common' takes true or false, and 1 is not"),
        ("[streams]\nkind = true", "'streams.kind' takes text, and True is not"),
        ("keep = true", "'keep' takes text, and True is not"),
        ("model = 'm.py'\ncommand = ['x']", "give either 'model' or 'command', not both"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_what_it_takes(
    read: Callable[[str], Any], text: str, said: str
) -> None:
    with pytest.raises(RequestError, match=said):
        read(text)


@pytest.mark.parametrize("key", TOP_KEYS)
def test_no_key_takes_a_date(read: Callable[[str], Any], key: str) -> None:
    with pytest.raises(RequestError, match=f"'{key}' takes "):
        read(f"{key} = 2020-01-01")


@pytest.mark.parametrize(("table", "key"), [(table, key) for table, keys in INNER_KEYS.items() for key in keys])
def test_no_key_within_a_table_takes_a_date(read: Callable[[str], Any], table: str, key: str) -> None:
    with pytest.raises(RequestError, match=rf"'{table}\.{key}' takes "):
        read(f"[{table}]\n{key} = 2020-01-01")


@pytest.mark.parametrize("text", ["seed = ", "seed 5", "[x", "seed = 1\nseed = 2", "a = 'x"])
def test_a_file_that_is_no_toml_is_refused_with_the_place(read: Callable[[str], Any], text: str) -> None:
    with pytest.raises(RequestError, match=r"is not valid TOML: .*at (line|end)"):
        read(text)


def test_a_file_that_is_not_there_or_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="there is no file"):
        read_experiment_file(tmp_path / "none.toml")
    with pytest.raises(RequestError, match="cannot be read"):
        read_experiment_file(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"name = 'caf\xe9'")
    with pytest.raises(RequestError, match="cannot be read"):
        read_experiment_file(tmp_path / "latin.toml")


def test_the_environment_names_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPLICAST_STORE", raising=False)
    assert default_store() == "runs"
    monkeypatch.setenv("REPLICAST_STORE", "")
    assert default_store() == "runs"
    monkeypatch.setenv("REPLICAST_STORE", "s3://bucket/x")
    assert default_store() == "s3://bucket/x"


def test_a_process_knows_whether_it_simulates_for_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPLICAST_IN_WORKER", raising=False)
    assert not inside_worker()
    monkeypatch.setenv("REPLICAST_IN_WORKER", "1")
    assert inside_worker()
