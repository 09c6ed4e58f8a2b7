import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicast.core.errors import RequestError
from replicast.core.series import Series, series_by_order, series_by_time
from replicast.core.warm_up import effect, moving_average, recommend


def mser(means, d):
    """White's criterion as he writes it."""
    left = means[d:]
    return ((left - left.mean()) ** 2).sum() / len(left) ** 2


def autoregressive(rng, replications, length, start, phi=0.9):
    """X_i = φ·X_(i-1) + noise: its long-run mean is 0, and it starts at `start`."""
    series = np.empty((replications, length))
    x = np.full(replications, start)
    for i in range(length):
        x = phi * x + rng.normal(size=replications)
        series[:, i] = x
    return Series(tuple(range(1, replications + 1)), series)


def test_welchs_average_is_as_computed_by_hand():
    averages = np.array([4.0, 8.0, 6.0, 10.0, 12.0, 2.0, 7.0, 9.0])
    assert moving_average(averages, 2) == pytest.approx([4, 6, 8, 7.6, 7.4, 8])
    assert moving_average(averages, 1) == pytest.approx([4, 6, 8, 28 / 3, 8, 7, 6])
    assert moving_average(averages, 0) == pytest.approx(averages)


@given(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=60), st.integers(0, 15))
def test_welchs_average_is_that_of_the_definition(values, window):
    averages, window = np.array(values), min(window, len(values) // 4)
    expected = [
        np.mean(averages[i - w : i + w + 1]) for i in range(len(values) - window) for w in [min(i, window)]
    ]  # fmt: skip
    assert moving_average(averages, window) == pytest.approx(expected, rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("window", [-1, 3])
def test_a_window_beyond_a_quarter_of_the_series_is_refused(window):
    with pytest.raises(RequestError, match="between 0 and 2"):
        moving_average(np.arange(8.0), window)


def test_mser_cuts_where_the_level_changes():
    """20 steps at 10, then 80 that alternate between 0 and 1 in batches of 5: 4 batches are to be left out."""
    settled = np.repeat([0.0, 1.0] * 8, 5)
    found = recommend(np.concatenate([np.full(20, 10.0), settled]))
    assert (found.columns, found.length, found.warning) == (20, 100, "")
    assert found.criterion[4] == pytest.approx(0.25 / 16)


@given(st.integers(0, 2**32), st.integers(50, 200), st.sampled_from([1, 5]))
def test_mser_is_the_least_of_its_criterion_over_all_but_the_last_five_batches(seed, length, batch):
    averages = np.random.default_rng(seed).normal(size=length) + 5 * 0.9 ** np.arange(length) + 1e4
    means = averages[: length // batch * batch].reshape(-1, batch).mean(axis=1)
    expected = [mser(means, d) for d in range(len(means) - 5)]
    found = recommend(averages, batch)
    assert found.criterion == pytest.approx(expected, rel=1e-6)
    assert expected[found.columns // batch] == pytest.approx(min(expected), rel=1e-9)


def test_a_series_that_does_not_warm_up_keeps_nearly_all_of_itself():
    series = np.random.default_rng(4).normal(size=1000)
    assert recommend(series).columns <= 100
    assert recommend(np.full(100, 3.7)).columns == 0


def test_a_series_that_never_settles_is_said_to_be_too_short():
    found = recommend(np.linspace(0.0, 1.0, 200))
    assert "too short" in found.warning
    assert found.columns > 100


def test_too_few_steps_are_refused_with_their_number():
    with pytest.raises(RequestError, match="50 steps on, and there are 49"):
        recommend(np.zeros(49))


def test_leaving_out_the_warm_up_removes_the_bias_of_the_start():
    """The mean of X_1 to X_500 from X_0 = 40 is 0.9·40·(1 - 0.9⁵⁰⁰)/(0.1·500) = 0.72; in the long run it is 0."""
    series = autoregressive(np.random.default_rng(12), 40, 500, 40.0)
    found = recommend(series.averages())
    assert found.warning == ""
    assert 20 <= found.columns <= 120
    result = effect(series, found.columns, scenario="base", metric="x")
    assert result.whole.ci_lower < 0.72 < result.whole.ci_upper
    assert result.whole.ci_lower > 0.0
    assert result.truncated.ci_lower < 0.0 < result.truncated.ci_upper
    assert (result.whole.n, result.truncated.n, result.change.n) == (40, 40, 40)
    assert result.change.difference == pytest.approx(result.truncated.mean - result.whole.mean)
    assert result.change.interval()[1] < 0.0


def test_a_queue_that_starts_empty_is_nearer_to_its_steady_state_without_its_warm_up():
    """The mean wait in the queue of M/M/1 at load 0.8 and service rate 1 is 0.8/0.2 = 4."""
    rng = np.random.default_rng(5)
    waits, wait = np.empty((60, 3000)), np.zeros(60)
    for i in range(3000):
        waits[:, i] = wait
        wait = np.maximum(0.0, wait + rng.exponential(1.0, 60) - rng.exponential(1.25, 60))
    series = Series(tuple(range(60)), waits)
    found = recommend(series.averages())
    result = effect(series, found.columns, scenario="base", metric="wait")
    assert found.columns > 0
    assert result.truncated.ci_lower < 4.0 < result.truncated.ci_upper
    assert result.change.difference > 0.0


def test_values_are_averaged_in_equal_steps_of_time():
    replication = np.array([2, 1, 1, 2, 1, 1, 2])
    time = np.array([0.0, 0.5, 1.5, 4.0, 3.2, 4.0, 9.0])
    value = np.array([10.0, 1.0, 3.0, 20.0, 5.0, 7.0, 99.0])
    series = series_by_time(replication, time, value, steps=4)
    assert (series.replications, series.start, series.step) == ((1, 2), 0.0, 1.0)
    np.testing.assert_array_equal(series.values, [[1.0, 3.0, math.nan, 6.0], [10.0, math.nan, math.nan, 20.0]])
    np.testing.assert_array_equal(series.averages(), [5.5, 3.0, 3.0, 13.0])
    assert series.time(3) == 3.0


def test_a_value_that_holds_until_the_next_is_averaged_over_time():
    """A queue: 0 until time 1, 2 until 1.5, 1 until 4."""
    time, value = np.array([0.0, 1.0, 1.5, 4.0]), np.array([0.0, 2.0, 1.0, 0.0])
    series = series_by_time(np.ones(4, dtype=np.int64), time, value, steps=4, held=True)
    assert series.values[0] == pytest.approx([0.0, 1.5, 1.0, 1.0])


def test_observations_in_their_order_reach_as_far_as_more_than_half_of_the_replications():
    replication = np.array([1, 2, 1, 2, 1, 3, 3, 3])
    series = series_by_order(replication, np.array([1.0, 10.0, 2.0, 20.0, 3.0, 4.0, 5.0, 6.0]))
    np.testing.assert_array_equal(series.values, [[1.0, 2.0, 3.0], [10.0, 20.0, math.nan], [4.0, 5.0, 6.0]])
    assert series.time(1) == 1.0
    assert series.means_from(0).tolist() == [2.0, 15.0, 5.0]
    np.testing.assert_array_equal(series.means_from(2), [3.0, math.nan, 6.0])


def test_one_short_replication_does_not_cut_the_others():
    """Nine of 2,000 values that settle at 5 after 500, and one of 60."""
    rise = np.minimum(np.arange(2000) / 500, 1.0) * 5.0
    replication = np.repeat(np.arange(1, 11), [2000] * 9 + [60])
    value = np.concatenate([rise] * 9 + [rise[:60]])
    series = series_by_order(replication, value)
    found = recommend(series.averages())
    result = effect(series, found.columns, scenario="base", metric="x")
    assert 450 <= found.columns <= 510
    assert (result.truncated.n, result.truncated.mean) == (9, pytest.approx(5.0, abs=0.01))


@pytest.mark.parametrize("held", [False, True])
def test_a_replication_is_followed_to_its_own_end(held):
    replication = np.array([1, 1, 1, 2, 2, 2, 3, 3, 3])
    time = np.array([0.0, 1.0, 2.0, 0.0, 5.0, 10.0, 0.0, 5.0, 40.0])
    value = np.array([1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0])
    series = series_by_time(replication, time, value, steps=10, held=held)
    assert series.step == 1.0
    assert series.means_from(0) == pytest.approx([1.0, 2.0, 3.0])


def test_a_mean_is_of_observations_and_not_of_steps_of_time():
    """99 waits of 1 in the first step, and one of 5 in each of nine others."""
    time = np.concatenate([np.linspace(0.0, 0.9, 99), np.arange(1.5, 10.0), [10.0]])
    series = series_by_time(np.ones(109, dtype=np.int64), time, np.repeat([1.0, 5.0], [99, 10]), steps=10)
    assert series.means_from(0)[0] == pytest.approx((99 + 50) / 109)


def test_steps_before_anything_was_observed_have_the_first_average():
    series = Series((1,), np.array([[math.nan, math.nan, 4.0, math.nan, 6.0]]))
    assert series.averages().tolist() == [4.0, 4.0, 4.0, 4.0, 6.0]


@pytest.mark.parametrize(
    "call",
    [
        lambda: series_by_time(np.array([], dtype=np.int64), np.array([]), np.array([])),
        lambda: series_by_time(np.array([1]), np.array([math.nan]), np.array([1.0])),
        lambda: series_by_time(np.array([1, 1]), np.array([2.0, 2.0]), np.array([1.0, 2.0])),
        lambda: series_by_time(np.array([1, 1]), np.array([1.0, 2.0]), np.array([1.0, 2.0]), steps=0),
        lambda: Series((1,), np.array([[math.nan]])).averages(),
        lambda: effect(Series((1,), np.zeros((1, 5))), 5, scenario="base", metric="x"),
    ],
)
def test_what_has_no_series_is_refused(call):
    with pytest.raises(RequestError):
        call()
