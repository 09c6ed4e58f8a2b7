"""What a run would take on AWS: sums done by hand, limits at their edges, and when it is not worth it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from replicast.aws.estimate import Pilot, check_cost, estimate, memory_for, wall_seconds
from replicast.aws.limits import (
    EVENTS_A_ROUND,
    ITEMS_A_ROUND,
    QUOTAS,
    Capacity,
    check_image,
    check_settings,
    usable_seconds,
    violations,
)  # fmt: skip
from replicast.aws.prices import COMMON, PRICES, Usage, bill
from replicast.core.errors import RequestError


def pilot(seconds: float = 600.0, megabytes: float = 300.0, cores: int = 2) -> Pilot:
    return Pilot((seconds, seconds), megabytes, 50_000, 1, cores)


def test_the_bill_is_the_sum_of_its_published_prices() -> None:
    usage = Usage(gb_seconds=1e6, requests=10**6, transitions=1000, puts=1000, gets=10_000, gigabytes=10)
    found = bill(usage, "us-east-1", "x86_64")
    assert found.compute == pytest.approx(16.6667)
    assert found.requests == pytest.approx(0.20)
    assert found.transitions == pytest.approx(0.025)
    assert found.store_requests == pytest.approx(0.005 + 0.004)
    assert found.storage == pytest.approx(0.23)
    assert found.total == pytest.approx(16.6667 + 0.20 + 0.025 + 0.009 + 0.23)
    assert bill(usage, "us-east-1", "arm64").compute == pytest.approx(13.3334)


def test_a_listing_costs_what_a_write_does_and_logs_and_database_hours_are_in_the_sum() -> None:
    listed = Usage(0, 0, 0, puts=0, gets=0, gigabytes=0, lists=1000)
    assert bill(listed, "us-east-1", "arm64").store_requests == pytest.approx(0.005)
    kept = Usage(0, 0, 0, 0, 0, 0, logged=2.0, database_hours=10.0)
    found = bill(kept, "us-east-1", "arm64", "db.t4g.small")
    assert (found.logs, found.database) == (pytest.approx(1.0), pytest.approx(0.32))
    assert found.total == pytest.approx(1.32)


def test_an_estimate_reckons_with_what_comes_twice_with_logs_and_with_whoever_watches() -> None:
    found = estimate(pilot(), 1000, region="us-east-1")
    assert found.usage.requests == 1050 + 3
    assert found.usage.transitions == 1050 + 8
    assert found.usage.logged == pytest.approx(1053 * 2000 / 1e9)
    pages = math.ceil((found.usage.puts - 10) / 1000)
    assert found.usage.lists == math.ceil(10 * pages + found.wall_seconds / (5 * 1.05))
    assert found.bill.database == 0.0


def test_watching_a_run_of_a_hundred_million_costs_a_small_part_of_it() -> None:
    found = estimate(pilot(60.0), 10**8, region="us-east-1")
    assert found.usage.lists * COMMON.put < 0.02 * found.bill.total


def test_tables_that_the_collating_function_could_not_hold_are_refused_with_what_to_do() -> None:
    found = estimate(pilot(1.0), 20_000, region="us-east-1")
    (broken,) = found.violations
    assert "some 2,392 MB, and the collating function has 2,048 MB" in broken
    assert estimate(pilot(1.0), 20_000, region="us-east-1", scratch_megabytes=4096).violations == ()
    few_numbers = replace(pilot(0.001), bytes_each=6000.0)
    assert estimate(few_numbers, 1_000_000, region="us-east-1").violations == ()


def test_more_than_the_collating_function_has_memory_or_time_for_is_refused_with_what_to_do() -> None:
    numbers = replace(pilot(0.0001), bytes_each=20.0, tables=0)
    (memory,) = estimate(numbers, 2 * 10**8, region="us-east-1").violations
    assert "some 3,350 MB of memory, and the collating function has 3,008 MB" in memory
    assert "--collate-memory, up to 10,240" in memory
    assert "replicast collate makes the tables here" in memory
    assert estimate(numbers, 2 * 10**8, region="us-east-1", collate_megabytes=4096).violations == ()
    long = replace(pilot(60.0), bytes_each=100.0, tables=5)
    broken = estimate(long, 200_000, region="us-east-1").violations
    assert [line for line in broken if "collating 1,600,056 files takes some 1,250 s" in line]
    assert estimate(long, 100_000, region="us-east-1").violations == ()


def test_the_database_of_a_stack_costs_its_hours_and_what_is_not_known_is_said() -> None:
    found = estimate(pilot(), 1000, region="us-east-1", database="db.t4g.small")
    assert found.bill.database == pytest.approx(found.wall_seconds / 3600 * 0.032)
    assert any("about $23 a month" in note for note in found.notes)
    other = estimate(pilot(), 1000, region="us-east-1", database="db.x2g.large")
    assert other.bill.database == 0.0
    assert any("db.x2g.large costs is not known here" in note for note in other.notes)


@pytest.mark.parametrize(
    ("region", "size", "hourly"),
    [("eu-west-2", "db.t4g.small", 0.036), ("eu-west-2", "db.t4g.medium", 0.065), ("xx-east-1", "db.t4g.small", 0.032)],
)
def test_a_database_costs_what_it_does_in_its_region_and_elsewhere_as_in_us_east_1(
    region: str, size: str, hourly: float
) -> None:
    found = estimate(pilot(), 1000, region=region, database=size)
    assert found.bill.database == pytest.approx(found.wall_seconds / 3600 * hourly)


def test_a_thousand_ten_minute_replications_are_had_in_some_ten_minutes_for_the_price_of_their_gigabyte_seconds() -> (
    None
):
    found = estimate(pilot(), 1000, region="eu-west-2", architecture="arm64")
    assert (found.batch, found.batches, found.concurrency, found.memory) == (1, 1000, 1000, 1769)
    assert found.local_seconds == 300_000
    assert 600 < found.wall_seconds < 660
    by_hand = 1000 * 602.5 * 1769 / 1024 * PRICES["eu-west-2"].gb_second["arm64"]
    assert found.bill.compute == pytest.approx(by_hand, rel=0.05)
    assert found.worth_it
    assert found.violations == ()


def test_quick_replications_are_not_worth_it() -> None:
    found = estimate(pilot(0.02), 1000, region="us-east-1")
    assert found.batches == 2
    assert not found.worth_it
    assert "not worth it" in found.advice


def test_waves_follow_each_other_when_functions_are_fewer_than_batches() -> None:
    assert wall_seconds(100, 60.0, 100) == 6 + 60 + 8
    assert wall_seconds(101, 60.0, 100) == 6 + 2 * 60 + 8
    assert wall_seconds(5000, 60.0, 5000) == 6 + 50 + 60 + 8


@pytest.mark.parametrize(("megabytes", "memory"), [(100, 1769), (952, 1769), (953, 1792), (3000, 4800)])
def test_memory_leaves_room_above_what_was_seen_and_is_a_processors_worth_at_least(
    megabytes: float, memory: int
) -> None:
    assert memory_for(megabytes) == memory


@pytest.mark.parametrize(
    ("capacity", "seconds", "broken"),
    [
        (Capacity(900, 10_240, 10_000), 875.0, 0),
        (Capacity(900, 10_240, 10_000), 875.1, 1),
        (Capacity(901, 10_240, 10_000), 1.0, 1),
        (Capacity(900, 10_241, 10_000), 1.0, 1),
        (Capacity(900, 127, 10_000), 1.0, 1),
        (Capacity(900, 128, 10_000), 1.0, 0),
        (Capacity(900, 1769, 10_001), 1.0, 1),
        (Capacity(900, 1769, 0), 1.0, 1),
    ],
)
def test_limits_hold_up_to_their_edge_and_not_beyond(capacity: Capacity, seconds: float, broken: int) -> None:
    assert len(list(violations(capacity, replication_seconds=seconds))) == broken


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("memory", 128, 10_240), ("scratch", 512, 10_240), ("seconds", 3, 900), ("concurrency", 1, 10_000)],
)
def test_settings_hold_up_to_their_edges_and_not_beyond(name: str, low: int, high: int) -> None:
    for value in (None, low, low + 1, high - 1, high):
        check_settings({name: value})
    for value in (low - 1, high + 1):
        with pytest.raises(RequestError, match=rf"--{name} takes {low:,} to {high:,} .*, and {value} is outside"):
            check_settings({name: value})


def test_an_image_of_ten_gibibytes_fits_and_one_of_a_byte_more_does_not() -> None:
    check_image(10 * 1024**3 - 1)
    check_image(10 * 1024**3)
    with pytest.raises(RequestError, match=r"10\.00 GiB, and a function's may have 10"):
        check_image(10 * 1024**3 + 1)


@pytest.mark.parametrize(("concurrency", "noted"), [(999, False), (1000, False), (1001, True)])
def test_more_functions_than_an_account_has_are_noted(concurrency: int, noted: bool) -> None:
    found = estimate(pilot(), 5000, capacity=Capacity(concurrency=concurrency), region="us-east-1")
    assert any("unless AWS was asked for more" in note for note in found.notes) is noted


def test_a_run_of_more_rounds_than_an_execution_has_events_for_is_refused() -> None:
    most = (QUOTAS["events"].value // EVENTS_A_ROUND) * ITEMS_A_ROUND
    small = replace(pilot(), bytes_each=0.0)
    fits, broken = (estimate(small, number, region="us-east-1").violations for number in (most, most + 1))
    assert not any("events" in line for line in fits)
    assert any("ends at 25,000 events" in line for line in broken)


def test_the_history_of_an_execution_ends_at_its_quota() -> None:
    rounds = QUOTAS["events"].value // EVENTS_A_ROUND
    assert list(violations(Capacity(), replication_seconds=1.0, rounds=rounds)) == []
    assert len(list(violations(Capacity(), replication_seconds=1.0, rounds=rounds + 1))) == 1


def test_a_replication_of_twenty_minutes_is_refused_with_what_to_do() -> None:
    found = estimate(pilot(1200.0), 10, region="us-east-1")
    assert not found.worth_it
    with pytest.raises(RequestError, match="--on local"):
        check_cost(found, math.inf)


def test_a_plan_above_the_allowed_cost_is_refused() -> None:
    found = estimate(pilot(), 1000, region="us-east-1")
    check_cost(found, found.bill.total)
    with pytest.raises(RequestError, match="nothing was started"):
        check_cost(found, found.bill.total - 0.01)


def test_an_unknown_region_is_reckoned_as_another_and_that_is_said() -> None:
    found = estimate(pilot(), 10, region="mars-north-1")
    assert found.bill == bill(found.usage, "us-east-1", "arm64")
    assert any("mars-north-1" in note for note in found.notes)
    assert COMMON is PRICES["us-east-1"]


@pytest.mark.parametrize(("timeout", "usable"), [(900, 875.0), (75, 50.0), (60, 40.0), (3, 2.0)])
def test_a_function_keeps_time_back_for_its_start_and_for_saving(timeout: int, usable: float) -> None:
    assert usable_seconds(timeout) == usable


def test_in_a_small_account_an_estimate_is_of_the_functions_that_it_runs() -> None:
    pilot = Pilot([600.0] * 5, 100.0, 100.0, 0, 2)
    found = estimate(pilot, 1000, region="eu-west-2", unreserved=10)
    assert found.concurrency == 8
    assert found.wall_seconds > 1000 / 8 * 600
    assert "this account runs 10 functions at once, not the usual 1,000" in found.notes
    assert any("is not known here" in note for note in estimate(pilot, 1000, region="eu-west-2").notes)
