"""Whole runs against queueing theory: the interval of many replications holds Erlang's wait."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

import replicast

MODEL = '''
import heapq

def simulate(rng, servers=2, arrival_rate=1.6, service_rate=1.0, customers=6000, warm_up=1000):
    """M/M/c, first come first served: the mean wait of the customers after the warm-up."""
    free, now, waited = [0.0] * servers, 0.0, 0.0
    gaps = rng.exponential(1 / arrival_rate, customers)
    services = rng.exponential(1 / service_rate, customers)
    for number, (gap, service) in enumerate(zip(gaps.tolist(), services.tolist())):
        now += gap
        begin = max(now, free[0])
        heapq.heapreplace(free, begin + service)
        waited += (begin - now) * (number >= warm_up)
    return waited / (customers - warm_up)
'''


def erlang_c_wait(servers: int, arrival_rate: float, service_rate: float) -> float:
    """Mean wait in an M/M/c queue (Erlang 1917; Gross et al. 2008, eq. 2.33 and 2.36)."""
    load = arrival_rate / service_rate
    last = load**servers / math.factorial(servers) * servers / (servers - load)
    delayed = last / (sum(load**k / math.factorial(k) for k in range(servers)) + last)
    return delayed / (servers * service_rate - arrival_rate)


def test_erlangs_formula_gives_the_values_of_a_hand_calculation() -> None:
    assert erlang_c_wait(1, 0.8, 1.0) == pytest.approx(4.0)
    assert erlang_c_wait(2, 1.0, 1.0) == pytest.approx(1 / 3)


@pytest.mark.parametrize(("servers", "arrival_rate"), [(1, 0.7), (2, 1.6), (5, 4.0)])
def test_the_interval_of_a_run_holds_the_wait_of_erlang_c(
    write_model: Callable[..., Path], tmp_path: Path, servers: int, arrival_rate: float
) -> None:
    run = replicast.run(
        str(write_model(MODEL)), n=60, seed=42, store=str(tmp_path / "runs"),
        params={"servers": servers, "arrival_rate": arrival_rate},
    )  # fmt: skip
    row = run.summary(confidence=0.999).rows[0]
    assert row.ci_lower is not None
    assert row.ci_upper is not None
    assert row.ci_lower < erlang_c_wait(servers, arrival_rate, 1.0) < row.ci_upper
    assert row.relative_half_width is not None
    assert row.relative_half_width < 0.2
