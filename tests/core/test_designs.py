"""Designs: rows of a CSV file and points over ranges, as scenarios."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from replicast.asking.designs import find_points, sample_points
from replicast.core.designs import cross_points, points_of_csv, points_of_rows
from replicast.core.errors import RequestError
from replicast.core.parameters import Text
from replicast.core.planning import cut, missing
from replicast.core.scenarios import cross

RANGES = {"beds": [5, 20], "rate": [0.5, 2.0]}


def test_a_row_is_a_scenario_and_a_column_a_parameter_whose_type_the_model_decides() -> None:
    points = points_of_csv("scenario,beds,ward\nsmall,5,A\nlarge,12,B\n", "design.csv")
    assert points == {"small": {"beds": "5", "ward": "A"}, "large": {"beds": "12", "ward": "B"}}
    assert all(isinstance(value, Text) for point in points.values() for value in point.values())


def test_an_empty_cell_leaves_the_default_and_an_empty_line_is_no_row() -> None:
    assert points_of_csv("beds,rate\n5,\n\n,0.5\n", "d") == {"point-0001": {"beds": "5"}, "point-0002": {"rate": "0.5"}}


def test_a_file_as_a_spreadsheet_saves_it_is_read() -> None:
    assert points_of_csv('\ufeff"beds", "ward"\r\n5,"A, left"\r\n', "d") == {
        "point-0001": {"beds": "5", "ward": "A, left"}
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("beds\n", "has no rows"),
        ("beds;rate\n5;1\n", "semicolons"),
        ('"",beds\n"1",5\n', "row.names = FALSE"),
        ("beds,beds\n5,6\n", "two columns are called 'beds'"),
        ("beds,rate\n5\n", "line 2: 1 cells under 2 columns"),
        ("scenario,beds\na,5\na,6\n", "two rows are called 'a'"),
        ("scenario,beds\n,5\n", "row 1 has no name"),
    ],
)
def test_a_table_that_cannot_be_meant_so_is_refused(text: str, said: str) -> None:
    with pytest.raises(RequestError, match=said.replace("(", r"\(").replace(")", r"\)")):
        points_of_csv(text, "design.csv")


def test_points_are_crossed_with_named_scenarios_and_with_the_grid() -> None:
    points = points_of_rows([{"beds": 5}, {"beds": 6}], "the design")
    named = cross_points(points, {"warm_up": 28}, {"base": {}, "busy": {"rate": 2.0}})
    crossed = cross({"warm_up": 28}, named, {"doctors": [1, 2]})
    assert [scenario.name for scenario in crossed[:3]] == [
        "base,point-0001,doctors=1",
        "base,point-0001,doctors=2",
        "base,point-0002,doctors=1",
    ]
    assert crossed[-1].parameters == {"warm_up": 28, "rate": 2.0, "beds": 6, "doctors": 2}


@pytest.mark.parametrize(("parameters", "scenarios"), [({"beds": 3}, {}), ({}, {"base": {}, "more": {"beds": 3}})])
def test_a_parameter_has_its_value_from_the_design_or_from_elsewhere(
    parameters: dict[str, Any], scenarios: dict[str, dict[str, Any]]
) -> None:
    with pytest.raises(RequestError, match="'beds' is in the design"):
        cross_points({"p": {"beds": 5}}, parameters, scenarios)


def test_a_latin_hypercube_has_one_point_in_each_slice_of_each_range() -> None:
    points = sample_points("latin_hypercube", 32, RANGES, seed=7)
    slices = Counter(int((point["rate"] - 0.5) / 1.5 * 32) for point in points.values())
    assert slices == Counter(range(32))
    assert Counter(point["beds"] for point in points.values()) == Counter(dict.fromkeys(range(5, 21), 2))


def test_between_integers_a_parameter_is_an_integer_and_else_a_double() -> None:
    for point in sample_points("sobol", 64, RANGES).values():
        assert type(point["beds"]) is int
        assert 5 <= point["beds"] <= 20
        assert type(point["rate"]) is float
        assert 0.5 <= point["rate"] < 2.0


def test_a_sobol_design_begins_with_the_shorter_one_and_is_balanced() -> None:
    shorter, longer = sample_points("sobol", 64, RANGES), sample_points("sobol", 128, RANGES)
    assert list(longer.items())[:64] == list(shorter.items())
    assert Counter(point["beds"] for point in shorter.values()) == Counter(dict.fromkeys(range(5, 21), 4))


def test_the_seed_decides_the_points() -> None:
    first = sample_points("latin_hypercube", 8, RANGES, seed=1)
    assert first == sample_points("latin_hypercube", 8, RANGES, seed=1)
    assert first != sample_points("latin_hypercube", 8, RANGES, seed=2)


@pytest.mark.parametrize(
    ("design", "said"),
    [
        ({"sobol": 100, "ranges": RANGES}, "64 or 128"),
        ({"sobol": 0, "ranges": RANGES}, "1 to 100000"),
        ({"sobol": 8}, "needs"),
        ({"sobol": 8, "latin_hypercube": 8, "ranges": RANGES}, "takes one of"),
        ({"ranges": RANGES}, "it has none"),
        ({"sobol": 8, "ranges": {"beds": [20, 5]}}, "LOWEST, HIGHEST"),
        ({"sobol": 8, "ranges": {"beds": 5}}, "LOWEST, HIGHEST"),
        ({"sobol": 8, "ranges": {"beds": [0, float("inf")]}}, "LOWEST, HIGHEST"),
        ({"sobol": 8, "ranges": RANGES, "seed": -1}, "not negative"),
        ({"csv": "d.csv", "seed": 3}, "neither ranges nor a seed"),
        ({"sobl": 8}, "did you mean 'sobol'"),
        ("nowhere.csv", "there is no file"),
        (7, "not a int"),
    ],
)
def test_a_design_that_cannot_be_had_is_refused_with_the_reason(tmp_path: Any, design: Any, said: str) -> None:
    with pytest.raises(RequestError, match=said):
        find_points(design, tmp_path)


def test_hundreds_of_scenarios_progress_together() -> None:
    names = [f"point-{i:04d}" for i in range(1, 301)]
    pieces = cut(missing(dict.fromkeys(names, 3), {names[0]: [(1, 1)]}), 1)
    assert len(pieces) == 899
    assert [piece.scenario for piece in pieces[:300]] == names
    assert [piece.scenario for piece in pieces[300:600]] == names
    assert {(piece.first, piece.last) for piece in pieces[300:599]} == {(2, 2), (3, 3)}
