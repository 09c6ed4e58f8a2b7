"""Parameters reach a model as its defaults are, or are refused before anything runs; so does `seed32`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import replicast
from replicast.core.errors import ParameterError
from replicast.core.parameters import Parameter, Text, fit_value
from replicast.models.python_defaults import like_default, type_of_default
from replicast.performing.copies import pickled

MODEL = """
import dataclasses, datetime
import numpy as np

@dataclasses.dataclass
class Ward:
    beds: int = 3
    rate: float = 1.0

@dataclasses.dataclass
class Config:
    ward: Ward = dataclasses.field(default_factory=Ward)
    name: str = "x"

def simulate(
    seed, seed32, config=Config(), pair=(1, 2), day=datetime.date(2026, 1, 1), waits=np.array([1.0]), beds=np.int64(3)
):
    assert isinstance(pair, tuple) and isinstance(config.ward, Ward) and isinstance(waits, np.ndarray)
    assert seed32 == seed % 2**32
    waits += 1.0
    return {
        "beds": config.ward.beds, "rate": config.ward.rate, "pair": sum(pair), "day": day.toordinal(),
        "waits": float(waits.sum()), "more": beds, "seed": seed,
    }
"""

IN_R = """
simulate <- function(
  seed, seed32, day = as.Date("2026-01-01"), rates = c(a = 1, b = 2), plan = data.frame(t = 1:2, beds = c(3, 4)),
  settings = list(x = 1)
) {
  stopifnot(inherits(day, "Date"), is.data.frame(plan), seed == seed32, is.list(settings))
  c(day = as.numeric(day), a = rates[["a"]], beds = sum(plan$beds), x = settings$x, u = runif(1))
}
"""


@pytest.fixture
def row(write_model: Callable[..., Path], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def first(text: str, file: str = "model.py", **params: Any) -> dict[str, Any]:
        made = replicast.run(
            str(write_model(text, file)), n=2, seed=1, workers=1, store=str(tmp_path / "runs"), params=params
        )
        assert made.failures().to_dicts() == []
        return made.metrics().to_dicts()[0]

    return first


def test_values_of_json_reach_a_python_model_as_its_defaults_are(row: Any) -> None:
    found = row(MODEL, config={"ward": {"beds": 9, "rate": 2}}, pair=[4, 5], day="2026-01-05", waits=[2, 3], beds=4)
    assert (found["beds"], found["rate"], found["pair"], found["more"]) == (9, 2.0, 9, 4)
    assert (found["day"], found["waits"]) == (739621, 7.0)
    assert row(MODEL)["waits"] == 2.0, "each replication has an array of its own"


@pytest.mark.r
def test_values_of_json_reach_an_r_model_as_its_defaults_are(row: Any) -> None:
    plan = [{"t": 1, "beds": 10}, {"t": 2, "beds": 12}]
    found = row(IN_R, "model.R", day="2026-01-05", rates=[4.0, 5.0], plan=plan, settings={"x": 7.0})
    assert {name: found[name] for name in ("day", "a", "beds", "x")} == {"day": 20458, "a": 4, "beds": 22, "x": 7}


@pytest.mark.parametrize(
    ("kind", "given", "became"),
    [
        ("list", Text("[1, 2.5]"), [1, 2.5]),
        ("list", Text("1,2"), [1, 2]),
        ("date", Text("2026-02-01"), "2026-02-01"),
        ("time", Text("2026-02-01T10:00"), "2026-02-01T10:00:00"),
        ("frame", Text('{"t": [1, 2], "beds": [3, 4]}'), {"t": [1, 2], "beds": [3, 4]}),
        ("named", Text('{"a": 1}'), {"a": 1}),
        ("other", Text('{"a": [1]}'), {"a": [1]}),
        ("string", Text('{"a": [1]}'), '{"a": [1]}'),
    ],
)
def test_a_text_of_the_command_line_means_what_its_default_is(kind: str, given: Any, became: Any) -> None:
    assert fit_value(given, Parameter("x", type=kind), "m") == became


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        ("date", "soon"), ("date", 3), ("time", "2026-13-01T00:00"), ("frame", {"t": [1], "beds": [1, 2]}),
        ("frame", 3), ("list", Text('{"a": 1')), ("integer", None), ("double", None), ("boolean", None),
        ("object", 3), ("object", {"bed": 3}), ("object", {"beds": "many"}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_runs(kind: str, given: Any) -> None:
    with pytest.raises(ParameterError):
        fit_value(given, Parameter("x", type=kind, default={"beds": 3}), "m")


def test_none_reaches_a_number_that_is_annotated_to_take_it() -> None:
    assert fit_value(None, Parameter("x", type="integer", optional=True), "m") is None


def test_numpy_scalars_are_the_numbers_that_they_hold() -> None:
    assert [type_of_default(one) for one in (np.int64(3), np.float32(1), np.bool_(True))] == [
        "integer", "double", "boolean"
    ]  # fmt: skip
    assert isinstance(like_default(4, np.int64(3)), np.int64)


def test_a_cached_function_of_the_running_script_travels_by_value() -> None:
    cloudpickle = pytest.importorskip("cloudpickle")
    space: dict[str, Any] = {"__name__": "__main__"}
    exec("def twice(x):\n    return 2 * x\n", space)
    cached = functools.lru_cache(maxsize=7)(space["twice"])
    again = cloudpickle.loads(pickled(cached, cloudpickle))
    assert (again(4), again.cache_parameters()["maxsize"]) == (8, 7)


def test_a_library_that_takes_32_bits_is_answered_with_seed32(write_model: Callable[..., Path], tmp_path: Path) -> None:
    path = write_model("import numpy\ndef simulate(seed):\n    numpy.random.RandomState(seed)\n    return 1.0\n")
    made = replicast.run(str(path), n=1, seed=1, store=str(tmp_path / "runs"))
    assert "`seed32` instead" in made.failures().to_dicts()[0]["error"]


@pytest.mark.r
@pytest.mark.parametrize("value", ['["a","b"]', "c(1", "a,b", '[1,[2,"x"]]', "text"])
def test_texts_for_a_vector_of_numbers_in_r_are_refused_before_the_run(
    write_model: Callable[..., Path], value: str
) -> None:
    path = write_model("simulate <- function(rates = c(1, 2), named = c(a = 1, b = 2)) sum(rates)\n", "model.R")
    for name in ("rates", "named"):
        with pytest.raises(replicast.RequestError, match=f"parameter '{name}' of model.R takes a list of numbers"):
            replicast.run(path, n=1, params={name: Text(value)})


OWN_KEYS = {
    "model.py": "def simulate(rng): return {'replication': rng.random(), 'x': rng.random(), 'in': {'scenario': 2}}\n",
    "model.R": "simulate <- function() list(replication = sample(99, 1), x = runif(1))\n",
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.r if ".R" in name else ()) for name in OWN_KEYS])
def test_a_metric_called_as_a_key_gives_way_with_a_note(
    write_model: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    done = replicast.run(write_model(OWN_KEYS[name], name), n=3, seed=1, store=tmp_path)
    assert done.metrics().pl().columns[:3] == ["scenario", "replication", "x"]
    (note,) = [note for note in done.summary().notes if "own metric" in note]
    assert note == "the model's own metric 'replication' is left out: results are known by a column of that name"
