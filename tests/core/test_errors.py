"""Errors mean exit statuses, and name what was probably meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicast.core.errors import (
    ExecutorError,
    ModelError,
    ParameterError,
    ReplicastError,
    RequestError,
    RunChanged,
    RunNotFound,
    StoreError,
    nearest,
)


@pytest.mark.parametrize("kind", [RequestError, ModelError, ParameterError, RunNotFound, RunChanged])
def test_a_wrong_request_ends_with_status_2(kind: type[ReplicastError]) -> None:
    assert issubclass(kind, RequestError)
    assert kind("no").exit_code == 2


@pytest.mark.parametrize("kind", [ExecutorError, StoreError])
def test_a_broken_executor_or_store_ends_with_status_3(kind: type[ReplicastError]) -> None:
    assert kind("no").exit_code == 3
    assert not issubclass(kind, RequestError)


def test_a_model_error_holds_its_traceback_beside_its_message() -> None:
    error = ModelError("model.py has a syntax error", "line 1\n  oops(\n")
    assert str(error) == "model.py has a syntax error"
    assert error.detail == "line 1\n  oops(\n"
    assert ModelError("no such file").detail == ""


def test_the_nearest_name_is_named() -> None:
    assert nearest("bed", ["beds", "doctors"]) == " (did you mean 'beds'?)"
    assert nearest("Doctor", ["beds", "doctors"]) == " (did you mean 'doctors'?)"


def test_where_none_is_near_all_are_named() -> None:
    assert nearest("zzz", ["beds", "doctors", "beds"]) == " (known: beds, doctors)"


def test_a_long_list_of_names_is_cut() -> None:
    listed = nearest("zzz", [f"name{i:02}" for i in range(20)])
    assert listed.count("name") == 12
    assert listed.endswith("…)")


def test_where_nothing_is_known_nothing_is_said() -> None:
    assert nearest("x", []) == ""


@given(st.text(max_size=20), st.lists(st.text(max_size=10), max_size=30))
def test_any_name_gets_an_answer(name: str, known: list[str]) -> None:
    assert (nearest(name, known) == "") == (not known)
