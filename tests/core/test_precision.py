import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicast.core.distributions import t_critical
from replicast.core.errors import RequestError
from replicast.core.precision import Target, parse_half_width, parse_precision, replications_needed

DELAYS = np.array([1.53, 1.66, 1.24, 2.34, 2.00, 1.69, 2.69, 2.86, 1.70, 2.60])
MEAN, SD = float(DELAYS.mean()), float(DELAYS.std(ddof=1))


def test_precision_is_read_as_relative_or_absolute_for_each_metric():
    expected = (Target("wait", 0.05, True), Target("cost per day", 0.5, False), Target("los", 1e-3, False))
    assert parse_precision("wait=5%, cost per day = 0.5,los=1e-3") == expected


def test_a_metric_may_hold_an_equals_sign():
    assert parse_precision("p(wait>=4)=2.5 %") == (Target("p(wait>=4)", 0.025, True),)


@given(st.floats(1e-6, 0.99), st.booleans())
def test_a_target_shown_as_text_is_read_back_the_same(half_width, relative):
    target = Target("wait", float(f"{half_width:.6g}"), relative)
    (read,) = parse_precision(str(target))
    assert (read.metric, read.relative) == ("wait", relative)
    assert read.half_width == pytest.approx(target.half_width, rel=1e-11)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("wait", "METRIC=5%"),
        ("", "METRIC=5%"),
        ("=5%", "METRIC=5%"),
        ("wait=", "neither"),
        ("wait=abc", "'abc'"),
        ("wait=nan", "'nan'"),
        ("wait=inf%", "'inf%'"),
        ("wait=-5%", "'-5%'"),
        ("wait=0", "above 0"),
        ("wait=0%", "above 0"),
        ("wait=1e999", "above 0"),
        ("wait=100%", "below 100%"),
        ("wait=5%%", "neither"),
        ("wait=1_000", "neither"),
        ("wait=5%,wait=1", "twice for 'wait'"),
        ("wait=5%,", "METRIC=5%"),
    ],
)
def test_nonsense_is_refused_saying_what_is_wrong_with_it(text, says):
    with pytest.raises(RequestError) as caught:
        parse_precision(text)
    assert says in str(caught.value)


def test_ten_delays_need_sixteen_for_a_quarter_and_twenty_seven_for_ten_percent():
    """Law (2015), section 9.4.1, at 90 %: absolute 0.25, and relative 0.1 taken as 0.1/1.1."""
    assert replications_needed(10, MEAN, SD, Target("delay", 0.25, False), confidence=0.9) == 16
    assert replications_needed(10, MEAN, SD, Target("delay", 0.10, True), confidence=0.9) == 27
    assert replications_needed(10, MEAN, SD, Target("delay", 0.10, True), confidence=0.9, adjusted=False) == 23


@given(st.floats(0.01, 0.9), st.booleans(), st.booleans(), st.sampled_from([0.8, 0.95, 0.99]))
def test_the_number_needed_is_the_first_that_meets_the_target(half_width, relative, adjusted, confidence):
    target = Target("delay", half_width, relative)
    needed = replications_needed(10, MEAN, SD, target, confidence=confidence, adjusted=adjusted)
    allowed = half_width * (MEAN if relative else 1) / (1 + half_width if relative and adjusted else 1)
    assert t_critical(confidence, needed - 1) * SD / needed**0.5 <= allowed
    assert needed == 10 or t_critical(confidence, needed - 2) * SD / (needed - 1) ** 0.5 > allowed


def test_what_is_met_already_needs_no_more():
    assert replications_needed(10, MEAN, SD, Target("delay", 50.0, False)) == 10


def test_a_negative_mean_needs_as_many_as_its_mirror_image():
    target = Target("delay", 0.05, True)
    assert replications_needed(10, -MEAN, SD, target) == replications_needed(10, MEAN, SD, target)


@pytest.mark.parametrize(
    ("n", "mean", "sd", "target"),
    [
        (10, 0.0, 1.0, Target("x", 0.1, True)),
        (10, 1.0, 0.0, Target("x", 0.1, True)),
        (1, 1.0, 1.0, Target("x", 0.1, False)),
        (10, 1.0, 1.0, Target("x", 1e-9, False)),
    ],
)
def test_no_number_is_named_where_none_can_be_said(n, mean, sd, target):
    assert replications_needed(n, mean, sd, target) is None


def test_a_half_width_alone_is_read_for_all_metrics():
    assert (parse_half_width("5%"), parse_half_width(" 0.5 ")) == ((0.05, True), (0.5, False))
