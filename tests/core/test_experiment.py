"""What decides the numbers: it survives JSON unchanged, fits the model's types, and any difference is named."""

from __future__ import annotations

import enum
import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicast.core.errors import ModelError, ParameterError, RequestError
from replicast.core.experiment import (
    Collation,
    Experiment,
    ModelReference,
    Streams,
    check_streams,
    differences,
    model_reference_from_text,
    same_value,
)
from replicast.core.parameters import Parameter, Signature, Text, fit_parameters, parse_text
from replicast.core.scenarios import Scenario, check_scenarios, cross

PYTHON = ModelReference("python", "model.py")
R = ModelReference("r", "model.R")
plain_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def experiment(parameters: dict[str, Any] | None = None, **changes: Any) -> Experiment:
    arguments: dict[str, Any] = {"model": PYTHON, "scenarios": (Scenario("base", parameters or {}),), "seed": 42}
    return Experiment(**(arguments | changes))


def through_json(original: Experiment) -> Experiment:
    return Experiment.from_dict(json.loads(json.dumps(original.to_dict())))


class TestJson:
    @given(st.dictionaries(st.text(min_size=1, max_size=5), plain_values, max_size=4), st.integers(0, 2**200))
    def test_an_experiment_that_went_through_json_is_no_other(self, parameters: dict[str, Any], seed: int) -> None:
        original = experiment(parameters, seed=seed)
        assert differences(original, through_json(original)) == []
        assert through_json(original).seed == seed

    def test_every_part_of_it_comes_back(self) -> None:
        original = Experiment(
            ModelReference("command", command=("Rscript", "x.R", "{seed}")),
            (Scenario("a", {"x": 1}, 0), Scenario("b", {"x": 1.0}, 1)),
            -5,
            Streams("doRNG", common=False),
            keep_rds=True,
            collation=Collation("c.R", "merge", ("Rscript", "{out}")),
        )
        assert through_json(original) == original

    @given(st.lists(st.floats() | st.integers() | st.booleans() | st.none(), max_size=5))
    def test_values_that_python_gave_in_other_types_are_fitted_to_those_that_json_gives_back(
        self, values: list[Any]
    ) -> None:
        class Level(enum.IntEnum):
            LOW = 1

        given_values = {
            "tuple": tuple(values),
            "numpy": [np.float64(0.1), np.int32(5), np.bool_(True), np.str_("x"), np.array(7)],
            "level": Level.LOW,
            "nested": {"deep": (np.int64(2**60), [(1,)])},
        }
        original = experiment(fit_parameters(given_values, Signature(takes_any=True), "model.py"))
        check_scenarios(original.scenarios)
        assert differences(original, through_json(original)) == []


class TestDifferences:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"seed": 43}, "seed: was 42, is 43"),
            ({"model": ModelReference("python", "other.py")}, "model: was model.py, is other.py"),
            ({"model": ModelReference("python", "model.py", "f")}, "model: was model.py, is model.py:f"),
            ({"streams": Streams("own")}, "streams: was "),
            ({"streams": Streams(common=False)}, "streams: was "),
            ({"keep_rds": True}, "keep: was nothing, is rds"),
            ({"scenarios": (Scenario("base", {"beds": 13}),)}, "'beds' was 12, is 13"),
            ({"scenarios": (Scenario("base", {"beds": 12.0}),)}, "'beds' was 12, is 12.0"),
            ({"scenarios": (Scenario("base", {"beds": True}),)}, "'beds' was 12, is True"),
            ({"scenarios": (Scenario("base", {}),)}, "'beds' was 12, is not given"),
            ({"scenarios": (Scenario("base", {"beds": 12, "x": None}),)}, "'x' was not given, is None"),
            ({"scenarios": (Scenario("other", {"beds": 12}),)}, "scenario 'base': was there, is gone"),
        ],
    )
    def test_each_one_is_named(self, change: dict[str, Any], said: str) -> None:
        (found,) = differences(experiment({"beds": 12}), experiment({"beds": 12}, **change))
        assert said in found

    def test_a_scenario_that_is_only_added_is_none(self) -> None:
        old = experiment({"x": 1})
        new = experiment(scenarios=(Scenario("base", {"x": 1}, 0), Scenario("more", {"x": 2}, 1)))
        assert differences(old, new) == []

    def test_another_place_matters_only_where_scenarios_have_streams_of_their_own(self) -> None:
        def of(names: str, common: bool) -> Experiment:
            return experiment(
                scenarios=tuple(Scenario(n, {}, i) for i, n in enumerate(names)), streams=Streams(common=common)
            )

        assert differences(of("ab", True), of("ba", True)) == []
        assert len(differences(of("ab", False), of("ba", False))) == 2

    def test_another_collation_changes_no_number(self) -> None:
        assert differences(experiment(), experiment(collation=Collation("c.R"))) == []

    def test_nan_equals_nan_and_one_is_not_one_point_zero(self) -> None:
        assert same_value([math.nan], [math.nan])
        assert not same_value(1, 1.0)
        assert not same_value(True, 1)
        assert not same_value({"a": 1}, {"b": 1})
        assert not same_value([1], [1, 1])


def fitted(value: Any, default: Any, kind: str) -> Any:
    signature = Signature((Parameter("x", default=default, type=kind),))
    return fit_parameters({"x": value}, signature, "model.py")["x"]


class TestFitting:
    @pytest.mark.parametrize(
        ("text", "kind", "value"),
        [
            ("12", "integer", 12),
            ("12.0", "integer", 12),
            ("1e3", "integer", 1000),
            ("12", "double", 12.0),
            ("-0.0", "double", -0.0),
            ("inf", "double", math.inf),
            ("true", "boolean", True),
            ("FALSE", "boolean", False),
            ("1", "boolean", True),
            ("0", "boolean", False),
            ("12", "string", "12"),
            ("null", "string", "null"),
            ("true", "string", "true"),
            ("", "string", ""),
            ("null", "integer", None),
            ("[1;2.5;x]", "list", [1, 2.5, "x"]),
            ("1,2", "list", [1, 2]),
            ("12", "null", 12),
            ("abc", "other", "abc"),
        ],
    )
    def test_text_reaches_the_model_in_the_type_of_its_default(self, text: str, kind: str, value: Any) -> None:
        found = fitted(Text(text), None, kind)
        assert same_value(found, value)
        assert type(found) is type(value)

    @pytest.mark.parametrize(
        ("value", "kind", "fit"),
        [(12.0, "integer", 12), (12, "double", 12.0), (np.int64(3), "integer", 3), (np.float32(0.5), "double", 0.5)],
    )
    def test_a_whole_double_is_an_integer_and_an_integer_a_double(self, value: Any, kind: str, fit: Any) -> None:
        found = fitted(value, None, kind)
        assert found == fit
        assert type(found) is type(fit)

    @pytest.mark.parametrize(
        ("value", "kind", "expected"),
        [
            (Text("12.5"), "integer", "an integer"),
            (Text("twelve"), "integer", "an integer"),
            (Text("many"), "double", "a number"),
            (Text("yes"), "boolean", "true or false"),
            (Text("2"), "boolean", "true or false"),
            (12.5, "integer", "an integer"),
            (math.inf, "integer", "an integer"),
            (math.nan, "integer", "an integer"),
            (True, "integer", "an integer"),
            (True, "double", "a number"),
            (10**400, "double", "a number"),
            ("12", "integer", "an integer"),
            (12, "string", "text"),
            (1, "boolean", "true or false"),
            ([1], "integer", "an integer"),
        ],
    )
    def test_what_does_not_fit_is_refused_with_its_name_and_value(self, value: Any, kind: str, expected: str) -> None:
        with pytest.raises(ParameterError, match="parameter 'x' of model.py takes " + expected):
            fitted(value, None, kind)

    def test_a_very_long_number_is_no_traceback(self) -> None:
        with pytest.raises(ParameterError, match="takes a number"):
            fitted(Text("9" * 400), 1.0, "double")

    def test_an_unknown_parameter_is_refused_naming_the_nearest(self) -> None:
        signature = Signature((Parameter("beds"), Parameter("doctors")))
        with pytest.raises(ParameterError, match=r"model.py has no parameter 'bed' .did you mean 'beds'?"):
            fit_parameters({"bed": 1}, signature, "model.py")
        with pytest.raises(ParameterError, match=r"no parameter 'x' \(it has no parameters\)"):
            fit_parameters({"x": 1}, Signature(), "model.py")

    def test_a_model_that_takes_any_takes_any(self) -> None:
        signature = Signature((Parameter("beds", type="integer"),), takes_any=True)
        assert fit_parameters({"beds": Text("3"), "z": Text("4")}, signature, "m") == {"beds": 3, "z": 4}

    def test_a_required_parameter_that_is_not_given_is_named(self) -> None:
        with pytest.raises(ParameterError, match="needs a value for 'beds': give it with --param beds=VALUE"):
            fit_parameters({}, Signature((Parameter("beds", required=True),)), "model.py")

    @pytest.mark.parametrize("name", ["replication", "params", "seed", "rng"])
    def test_what_replicast_fills_cannot_be_given(self, name: str) -> None:
        with pytest.raises(ParameterError, match=f"'{name}' is filled by replicast"):
            fit_parameters({name: 1}, Signature((Parameter("beds"),)), "model.py")

    def test_what_replicast_fills_is_not_lost_in_a_model_that_takes_any(self) -> None:
        with pytest.raises(ParameterError, match="'seed' is filled by replicast"):
            fit_parameters({"seed": 1}, Signature(takes_any=True, uses=("seed",)), "model.py")
        assert fit_parameters({"seed": 1}, Signature(takes_any=True, uses=("seed", "params")), "m") == {"seed": 1}
        assert fit_parameters({"seed": 1}, Signature(takes_any=True, uses=("rng",)), "m") == {"seed": 1}

    @given(st.text())
    def test_any_text_means_something(self, text: str) -> None:
        assert isinstance(parse_text(text), (bool, int, float, str, type(None)))


class TestScenarios:
    def test_without_any_there_is_one_called_base(self) -> None:
        assert cross({"x": 1}, {}, {}) == (Scenario("base", {"x": 1}, 0),)

    def test_a_grid_is_crossed_with_the_scenarios_in_the_order_given(self) -> None:
        made = cross({"p": 0}, {"few": {"beds": 1}, "many": {"beds": 9}}, {"rate": [5.0, 6.0], "on": [True]})
        assert [(s.name, dict(s.parameters), s.index) for s in made] == [
            ("few,rate=5.0,on=true", {"p": 0, "beds": 1, "rate": 5.0, "on": True}, 0),
            ("few,rate=6.0,on=true", {"p": 0, "beds": 1, "rate": 6.0, "on": True}, 1),
            ("many,rate=5.0,on=true", {"p": 0, "beds": 9, "rate": 5.0, "on": True}, 2),
            ("many,rate=6.0,on=true", {"p": 0, "beds": 9, "rate": 6.0, "on": True}, 3),
        ]

    def test_a_scenario_has_the_last_word_over_common_parameters(self) -> None:
        (scenario,) = cross({"beds": 1}, {"many": {"beds": 9}}, {})
        assert scenario.parameters == {"beds": 9}

    def test_numbers_of_numpy_make_a_grid(self) -> None:
        assert [s.name for s in cross({}, {}, {"x": np.arange(3)})] == ["x=0", "x=1", "x=2"]
        assert [s.name for s in cross({}, {}, {"x": np.linspace(0, 1, 3)})] == ["x=0.0", "x=0.5", "x=1.0"]
        assert [s.name for s in cross({}, {}, {"x": range(2)})] == ["x=0", "x=1"]

    @given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.integers(0, 3))
    def test_a_full_factorial_has_every_combination_once(self, sizes: list[int], named: int) -> None:
        grid = {f"g{i}": list(range(size)) for i, size in enumerate(sizes)}
        made = cross({}, {f"s{i}": {"i": i} for i in range(named)}, grid)
        points = {(s.parameters.get("i"), *(s.parameters[f"g{i}"] for i in range(len(sizes)))) for s in made}
        assert len(made) == len(points) == len({s.name for s in made}) == math.prod(sizes) * max(named, 1)
        assert [s.index for s in made] == list(range(len(made)))

    @pytest.mark.parametrize("values", ["abc", 5, [], None, {1: 2}])
    def test_a_grid_takes_lists(self, values: Any) -> None:
        with pytest.raises(RequestError, match=r"grid.x takes a list of values"):
            cross({}, {}, {"x": values})

    def test_a_value_stands_in_a_grid_once(self) -> None:
        with pytest.raises(RequestError, match="would be called 'x=1'"):
            cross({}, {}, {"x": [1, 2, 1]})
        with pytest.raises(RequestError, match="would be called 'x=1'"):
            cross({}, {}, {"x": [1, "1"]})

    @pytest.mark.parametrize("elsewhere", [({"x": 1}, {}), ({}, {"a": {"x": 1}})])
    def test_a_parameter_of_the_grid_has_no_other_value(self, elsewhere: tuple[dict[str, Any], dict[str, Any]]) -> None:
        with pytest.raises(RequestError, match="'x' is in the grid and is also given a value elsewhere"):
            cross(*elsewhere, {"x": [1]})

    @pytest.mark.parametrize(
        "name", ["a=b", "ü,é", "x.y", "..x", "a%2Fb", "...", "#1", "医院", " ", "a:b*?", "x" * 200]
    )
    def test_a_name_may_be_nearly_anything(self, name: str) -> None:
        check_scenarios([Scenario(name, {})])

    @pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\nb", "\0", "x" * 201, "\udcff"])
    def test_a_name_that_could_leave_its_folder_is_refused(self, name: str) -> None:
        with pytest.raises(RequestError, match="cannot be called"):
            check_scenarios([Scenario(name, {})])

    @pytest.mark.parametrize("name", ["é" * 41, "医" * 27, "=" * 81])
    def test_a_name_too_long_for_a_folder_is_refused_before_anything_runs(self, name: str) -> None:
        check_scenarios([Scenario(name[:-1], {})])
        with pytest.raises(RequestError, match="too long for a folder"):
            check_scenarios([Scenario(name, {})])

    @pytest.mark.parametrize("value", [object(), {1: 2}, {"a": {3}}, [b"x"], 1j, "\udcff", {"k": ["\ud800"]}])
    def test_a_value_that_json_cannot_hold_is_refused(self, value: Any) -> None:
        with pytest.raises(ParameterError, match="parameter 'x' is a"):
            check_scenarios([Scenario("base", {"x": value})])

    def test_an_unknown_scenario_is_refused_naming_the_nearest(self) -> None:
        with pytest.raises(RequestError, match=r"no scenario is called 'bse' .did you mean 'base'?"):
            experiment().scenario("bse")


class TestStreams:
    def test_an_unknown_kind_of_streams_is_refused_naming_the_nearest(self) -> None:
        with pytest.raises(RequestError, match=r"no kind of streams is called 'paralel' .did you mean 'parallel'?"):
            check_streams("paralel")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("model.py", ("model.py", "simulate")),
        ("model.R:run.model", ("model.R", "run.model")),
        ("a/b c/model.py:Ward.simulate", ("a/b c/model.py", "Ward.simulate")),
        ("package.module:f", ("package.module", "f")),
        ("C:\\models\\model.py", ("C:\\models\\model.py", "simulate")),
        ("C:/models/model.py:f", ("C:/models/model.py", "f")),
    ],
)
def test_a_model_is_named_by_file_or_module_and_function(text: str, parts: tuple[str, str]) -> None:
    assert model_reference_from_text(text) == parts


@pytest.mark.parametrize("text", ["model.py:", "model.py:1f", "model.py:f()", "model.py:a b"])
def test_what_is_no_name_of_a_function_is_refused(text: str) -> None:
    with pytest.raises(ModelError, match="is not the name of a function"):
        model_reference_from_text(text)
