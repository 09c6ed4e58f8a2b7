"""Quantiles and probabilities of the distributions that intervals need, in plain Python and to about 13 digits.

scipy.special takes half a second to import and does not fit the cloud package, and Student's t is asked for on the live
progress bar. Everything rests on the regularised incomplete beta function, computed by the continued fraction of
Didonato and Morris (1992), Algorithm 708, ACM TOMS 18, 360–373, with the leading factor in the saddle-point form of
Loader (2000), Fast and Accurate Computation of Binomial Probabilities, which does not cancel for large arguments.
"""

from __future__ import annotations

import math
from functools import lru_cache

from .errors import RequestError

EPSILON = 1e-16
LOG_ROOT_TWO_PI = 0.5 * math.log(2.0 * math.pi)
ROOT_TWO = math.sqrt(2.0)


def normal_cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / ROOT_TWO)


def normal_quantile(p: float) -> float:
    """The z below which a standard normal value falls with probability `p`; -inf at 0, inf at 1.

    Abramowitz and Stegun (1964), 26.2.23, then Halley's method on the complementary error function.
    """
    _check_probability(p)
    if p in (0.0, 1.0):
        return math.copysign(math.inf, p - 0.5)
    centre = p - 0.5
    if abs(centre) < 0.25:
        return _central_normal_quantile(centre)
    tail = min(p, 1.0 - p)
    return math.copysign(_upper_normal_quantile(tail), centre)


def _central_normal_quantile(centre: float) -> float:
    """Newton's method on the error function: near the median 1 - p would lose the digits of a small z."""
    z = centre * math.sqrt(2.0 * math.pi)
    for _ in range(20):
        excess = 0.5 * math.erf(z / ROOT_TWO) - centre
        step = _halley(excess / _normal_density(z), -z)
        z -= step
        if abs(step) <= EPSILON * abs(z):
            break
    return z


def _upper_normal_quantile(tail: float) -> float:
    root = math.sqrt(-2.0 * math.log(tail))
    top = 2.515517 + root * (0.802853 + root * 0.010328)
    z = root - top / (1.0 + root * (1.432788 + root * (0.189269 + root * 0.001308)))
    for _ in range(20):
        upper = 0.5 * math.erfc(z / ROOT_TWO)
        density = _normal_density(z)
        if density == 0.0:
            break
        step = _halley((tail - upper) / density, -z)
        z -= step
        if abs(step) <= 4.0 * EPSILON * z:
            break
    return z


def _normal_density(z: float) -> float:
    return math.exp(-0.5 * z * z - LOG_ROOT_TWO_PI)


def _halley(newton: float, curvature: float) -> float:
    """The step of Halley's method; `newton` is f/f' and `curvature` is f''/f'."""
    return newton / max(0.5, min(1.5, 1.0 - 0.5 * newton * curvature))


def student_t_tail(t: float, df: float) -> float:
    """The probability that Student's t with `df` degrees of freedom exceeds `t`; small tails keep their digits."""
    _check_df(df)
    if t < 0.0:
        return 1.0 - student_t_tail(-t, df)
    square = t * t
    if math.isinf(square):
        return 0.5 * _far_tail(t, df)
    if square < 3.0:
        return 0.5 - 0.5 * _central_t(square, df)
    x, y = df / (df + square), square / (df + square)
    excess = df * (square - 1.0) / (2.0 * (df + square))
    return 0.5 * _beta_fraction(0.5 * df, 0.5, x, y, excess)


def student_t_cdf(t: float, df: float) -> float:
    """The probability that Student's t with `df` degrees of freedom is at most `t`."""
    return student_t_tail(-t, df)


def _central_t(square: float, df: float) -> float:
    """The probability that t² is below `square`, by the power series of the incomplete beta function (DLMF 8.17.8)."""
    y, half = square / (df + square), 0.5 * df
    total = term = 1.0
    above, below = 0.5 + half, 1.5
    while term > EPSILON * total:
        term *= above / below * y
        total += term
        above, below = above + 1.0, below + 1.0
    return 2.0 * _beta_kernel(0.5, half, y, df / (df + square)) * total if y else 0.0


def _far_tail(t: float, df: float) -> float:
    """Both tails where t² overflows: the first term of the series in 1/t."""
    if math.isinf(t):
        return 0.0
    log_beta = math.lgamma(0.5 * df) + math.lgamma(0.5) - math.lgamma(0.5 * df + 0.5)
    return math.exp(df * (0.5 * math.log(df) - math.log(t)) - math.log(0.5 * df) - log_beta)


def student_t_quantile(p: float, df: float) -> float:
    """The value that Student's t with `df` degrees of freedom (any number above 0) stays below with probability `p`."""
    _check_probability(p)
    _check_df(df)
    if p == 0.5:
        return 0.0
    if p in (0.0, 1.0):
        return math.copysign(math.inf, p - 0.5)
    return math.copysign(_upper_t_quantile(min(p, 1.0 - p), df), p - 0.5)


def check_confidence(confidence: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise RequestError(f"a confidence lies between 0 and 1 (0.95 is usual), and {confidence:g} does not")


@lru_cache(maxsize=4096)
def t_critical(confidence: float, df: float) -> float:
    """Half the width, in standard errors, of a two-sided t interval at `confidence`, which lies between 0 and 1."""
    check_confidence(confidence)
    _check_df(df)
    return _upper_t_quantile(0.5 * (1.0 - confidence), df)


@lru_cache(maxsize=4096)
def _upper_t_quantile(tail: float, df: float) -> float:
    """Newton's method on the logarithms of t and its tail, whose curve is concave: it converges from any start."""
    if df == 1.0:
        return 1.0 / math.tan(math.pi * tail)
    if df == 2.0:
        return (1.0 - 2.0 * tail) / math.sqrt(2.0 * tail * (1.0 - tail))
    z, target = -normal_quantile(tail), math.log(tail)
    t = z + z * (z * z + 1.0) / (4.0 * df)
    for _ in range(100):
        reached = student_t_tail(t, df)
        factor = math.exp((math.log(reached) - target) * reached / (t * _t_density(t, df)))
        t *= factor
        if abs(factor - 1.0) < 1e-9:
            break
    return t


def _t_density(t: float, df: float) -> float:
    """Up to the sign, the derivative of `student_t_tail`."""
    x = df / (df + t * t)
    scale = _stirling_error(0.5 * df + 0.5) - _stirling_error(0.5 * df) + 0.5 * df * math.log1p(1.0 / df) - 0.5
    return math.exp(scale - LOG_ROOT_TWO_PI - 0.5 * (df + 1.0) * math.log1p(t * t / df)) if x else 0.0


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b): the probability that a beta(a, b) value is at most `x`."""
    _check_probability(x)
    if not (a > 0.0 and b > 0.0):
        raise ValueError(f"a beta distribution takes two positive numbers, and {a}, {b} are not")
    if x in (0.0, 1.0):
        return x
    y = 1.0 - x
    excess = (a + b) * y - b if a > b else a - (a + b) * x
    if excess > 0.0:
        return _beta_fraction(a, b, x, y, excess)
    return 1.0 - _beta_fraction(b, a, y, x, -excess)


def _beta_fraction(a: float, b: float, x: float, y: float, excess: float) -> float:
    """I_x(a, b) for x below the mean, by BFRAC of Algorithm 708; y is 1 - x and `excess` a - (a + b)x, each exact."""
    factor = _beta_kernel(a, b, x, y)
    if factor == 0.0:
        return 0.0
    c, c0, c1 = 1.0 + excess, b / a, 1.0 + 1.0 / a
    p, s = 1.0, a + 1.0
    older, old, older_under, old_under = 0.0, 1.0, 1.0, c / c1
    ratio = c1 / c
    for n in range(1, 100_000):
        step = n / a
        weight = n * (b - n) * x
        e = a / s
        alpha = p * (p + c0) * e * e * (weight * x)
        e = (1.0 + step) / (c1 + step + step)
        beta = n + weight / s + e * (c + n * (1.0 + y))
        p, s = 1.0 + step, s + 2.0
        older, old = old, alpha * older + beta * old
        older_under, old_under = old_under, alpha * older_under + beta * old_under
        before, ratio = ratio, old / old_under
        if abs(ratio - before) <= EPSILON * ratio:
            break
        older, older_under, old, old_under = older / old_under, older_under / old_under, ratio, 1.0
    return factor * ratio


def _beta_kernel(a: float, b: float, x: float, y: float) -> float:
    """x^a y^b / B(a, b), by Loader's saddle point."""
    n = a + b
    exponent = _stirling_error(n) - _stirling_error(a) - _stirling_error(b) - _deviance(a, n * x) - _deviance(b, n * y)
    return math.exp(exponent - LOG_ROOT_TWO_PI) * math.sqrt(a / n * b)


def _stirling_error(z: float) -> float:
    """log Γ(z + 1) less Stirling's approximation of it (Loader 2000, eq. 5)."""
    if z < 10.0:
        return math.lgamma(z + 1.0) - (z + 0.5) * math.log(z) + z - LOG_ROOT_TWO_PI
    w = 1.0 / (z * z)
    series = 1 / 1680 - w * (1 / 1188 - w * (691 / 360360 - w / 156))
    return (1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * series))) / z


def _deviance(x: float, mean: float) -> float:
    """x log(x / mean) + mean - x, without cancellation where the two are close (Loader 2000, eq. 6)."""
    if mean == 0.0:
        return math.inf
    gap = x - mean
    if abs(gap) >= 0.1 * (x + mean):
        return x * math.log(x / mean) + mean - x
    v = gap / (x + mean)
    total, term = gap * v, 2.0 * x * v
    for j in range(1, 1000):
        term *= v * v
        following = total + term / (2 * j + 1)
        if following == total:
            break
        total = following
    return total


def beta_quantile(p: float, a: float, b: float) -> float:
    """The value that a beta(a, b) variable does not exceed with probability `p`; by bisection, to the last bits."""
    _check_probability(p)
    low, high = 0.0, 1.0
    if p in (0.0, 1.0):
        return p
    for _ in range(1100):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        if incomplete_beta(a, b, middle) < p:
            low = middle
        else:
            high = middle
    return high


def binomial_cdf(k: int, n: int, p: float) -> float:
    """The probability of at most `k` successes in `n` trials of probability `p`."""
    _check_probability(p)
    if k < 0:
        return 0.0
    return 1.0 if k >= n else incomplete_beta(n - k, k + 1, 1.0 - p)


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"a probability lies between 0 and 1, and {p} does not")


def _check_df(df: float) -> None:
    if not df > 0.0 or math.isinf(df):
        raise ValueError(f"degrees of freedom are a positive number, and {df} is not")
