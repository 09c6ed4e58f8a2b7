"""What the table of languages says of those that replicast comes with, and of one that is not to be had here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from replicast.core.errors import RequestError
from replicast.core.experiment import STREAM_KINDS, ModelReference, Streams
from replicast.models import check_seed, language_of, language_of_file, language_or_any
from replicast.models.environments import python_versions, r_versions
from replicast.models.registry import BUILT_IN

PYTHON = ModelReference("python", "model.py")
R = ModelReference("r", "model.R")


@pytest.mark.parametrize("seed", [0, 1, -1, 2147483647, -2147483647])
def test_an_r_seed_is_what_set_seed_takes(seed: int) -> None:
    check_seed(seed, R, Streams())


@pytest.mark.parametrize("seed", [2147483648, -2147483648, 2**40])
def test_a_seed_that_set_seed_does_not_take_is_refused(seed: int) -> None:
    with pytest.raises(RequestError, match=f"and {seed} does not"):
        check_seed(seed, R, Streams())


def test_numpy_takes_any_seed_but_a_negative_one() -> None:
    check_seed(2**200, PYTHON, Streams("own"))
    with pytest.raises(RequestError, match="numpy takes no negative seed, and -3 is one"):
        check_seed(-3, PYTHON, Streams())


@pytest.mark.parametrize("kind", ["future", "doRNG"])
def test_streams_of_r_are_refused_for_other_models(kind: Any) -> None:
    check_seed(1, R, Streams(kind))
    with pytest.raises(RequestError, match=f"'{kind}' are R's; for this model use 'parallel' or 'own'"):
        check_seed(1, PYTHON, Streams(kind))


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_language_of_ours_says_what_its_streams_are(name: str) -> None:
    language = language_of(ModelReference(name))
    assert {"parallel", "own"} <= language.streams.keys() <= set(STREAM_KINDS)
    assert language.title


def test_a_file_is_of_the_language_that_its_name_ends_with() -> None:
    assert language_of_file("deep/Model.R") is language_of(R)
    assert language_of_file("model.py") is language_of(PYTHON)


def test_a_language_that_is_not_here_is_no_hindrance_to_looking_and_a_sentence_to_simulating() -> None:
    elsewhere = ModelReference("snobol", "model.sno")
    assert language_or_any(elsewhere).travels
    with pytest.raises(RequestError, match="no language is called 'snobol'"):
        language_or_any(elsewhere).open()
    with pytest.raises(RequestError, match="no language is called 'snobol'"):
        language_of(elsewhere)


def test_versions_are_asked_of_whatever_runs_the_model() -> None:
    here = python_versions({"python": "3", "numpy": "0", "no-such-package": "1"})
    assert here.keys() == {"python", "numpy"}
    assert here["numpy"] == np.__version__


@pytest.mark.r
def test_versions_of_rs_packages_are_asked_of_r() -> None:
    here = r_versions({"R": "0", "stats": "0", "noSuchPackage": "1"})
    assert here.keys() == {"R", "stats"}
    assert here["R"] == here["stats"], "stats is of R's own version"
