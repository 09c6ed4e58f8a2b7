import math

import pytest

from replicast.core.digits import percent, shown


@pytest.mark.parametrize(
    ("value", "half_width", "text"),
    [
        (12.3456, 0.0234, "12.346"),
        (1_000_000_000.125, 0.51, "1000000000.12"),
        (1_234_567.8, 15_000.0, "1234568"),
        (0.000123456, 0.0000021, "0.0001235"),
        (1.23456e-7, 2.1e-9, "1.235e-07"),
        (1.25e300, 3e298, "1.250e+300"),
        (0.0, 0.5, "0.00"),
        (-7.3, 1.0, "-7.3"),
        (10.06, None, "10.06"),
        (12345.678, None, "12346"),
        (12, None, "12"),
        (1e9, None, "1000000000"),
        (0.1 + 0.2, None, "0.3000"),
        (math.inf, 1.0, "inf"),
        (None, None, ""),
    ],
)
def test_an_estimate_is_shown_to_two_digits_of_its_half_width(value, half_width, text):
    assert shown(value, half_width) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.123, "12.3%"), (0.0, "0.0%"), (0.00012, "0.012%"), (0.0000049, "0.00049%"), (5.1e-10, "5.1e-08%")],
)
def test_a_small_share_is_not_shown_as_none(share, text):
    assert percent(share) == text
