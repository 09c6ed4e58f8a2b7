"""What each round asks for, from what is missing and what came back of the round before."""

from __future__ import annotations

from collections.abc import Container

import pytest
from hypothesis import given
from hypothesis import strategies as st

from replicast.aws.limits import CHILD_OUTPUT, ITEMS_A_ROUND, QUOTAS, Capacity, usable_seconds
from replicast.aws.rounds import Loss, Round, batch_size, items_of, next_round, of_functions, reason_of
from replicast.core.planning import cut
from replicast.core.replication import Batch

CAPACITY = Capacity(900, concurrency=10)


def after(
    missing: list[Batch],
    before: Round | None,
    losses: tuple[Loss, ...] = (),
    retries: int = 1,
    begun: Container[Batch] | None = None,
) -> Round:
    began = set(before.batches) if begun is None and before else begun or set()
    return next_round(missing, before, losses, begun=began, cutting=of_functions(CAPACITY, None), retries=retries)


def test_replications_of_unknown_length_are_shared_among_all_functions() -> None:
    assert [len(b) for b in after([Batch("base", 1, 7)], None).batches] == [1] * 7
    assert [len(b) for b in after([Batch("base", 1, 95)], None).batches] == [10] * 9 + [5]


@pytest.mark.parametrize(
    ("missing", "seconds", "size"),
    [
        (1000, 0.01, 1000),
        (1000, 1.0, 100),
        (100, 1.0, 10),
        (100, 5.0, 10),
        (1000, 60.0, 9),
        (10, 500.0, 1),
        (5, 800.0, 1),
    ],
)
def test_batches_share_a_functions_start_and_end_well_before_its_timeout(
    missing: int, seconds: float, size: int
) -> None:
    found = batch_size(missing, capacity=CAPACITY, seconds=seconds)
    assert found == size
    assert found == 1 or 1.5 * found * seconds <= usable_seconds(900)


def test_no_round_has_more_items_than_a_map_takes_well_and_the_rest_comes_in_the_next() -> None:
    everything = [Batch("base", 1, ITEMS_A_ROUND + 5)]
    first = next_round(everything, None, [], begun=(), cutting=of_functions(Capacity(), 600), retries=1)
    assert len(first.batches) == ITEMS_A_ROUND
    left = [Batch("base", ITEMS_A_ROUND + 1, ITEMS_A_ROUND + 5)]
    second = next_round(left, first, [], begun=first.batches, cutting=of_functions(Capacity(), 600), retries=1)
    assert [batch.first for batch in second.batches] == list(range(ITEMS_A_ROUND + 1, ITEMS_A_ROUND + 6))


def test_functions_that_go_round_twice_do_so_in_equal_parts() -> None:
    assert batch_size(10_000, capacity=Capacity(900, concurrency=1000), seconds=60.0) == 5


def test_a_lost_batch_comes_back_in_quarters() -> None:
    first = Round(1, [Batch("base", 1, 8), Batch("base", 9, 16)])
    lost = Batch("base", 9, 16)
    losses = [Loss(lost, "Runtime.ExitError", "gone")]
    second = next_round([lost], first, losses, begun=[lost], cutting=of_functions(CAPACITY, 0.01), retries=1)
    assert second.batches == [Batch("base", 9, 10), Batch("base", 11, 12), Batch("base", 13, 14), Batch("base", 15, 16)]
    assert (second.number, second.idle, second.given_up) == (2, 0, [])


def test_an_item_that_left_neither_result_nor_loss_is_asked_for_again() -> None:
    assert after([Batch("base", 3, 3)], Round(1, [Batch("base", 1, 3)])).batches == [Batch("base", 3, 3)]


def test_a_replication_that_is_lost_alone_once_more_than_retries_is_given_up_with_its_reason() -> None:
    single = Batch("base", 7, 7)
    loss = Loss(single, "Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: signal: killed")
    second = after([single], Round(1, [single]), (loss,))
    assert second.batches == [single]
    third = after([single], second, (loss,))
    assert third.batches == []
    (given_up,) = third.given_up
    assert (given_up.replication, given_up.kind, given_up.type) == (7, "died", "FunctionKilled")


def test_a_batch_that_never_began_comes_back_as_it_was_however_often() -> None:
    batch = Batch("base", 1, 8)
    current = Round(1, [batch])
    for _ in range(6):
        current = after([batch], current, retries=0, begun=set())
        assert (current.batches, current.given_up) == ([batch], [])


def test_children_of_the_largest_round_return_less_than_a_state_may_hold() -> None:
    assert ITEMS_A_ROUND * (len(CHILD_OUTPUT) + 1) < 200 * 1024 < QUOTAS["state"].value


@pytest.mark.parametrize(
    ("asked", "unreserved", "at_once"), [(1000, 10, 8), (1000, 1000, 998), (5, 10, 5), (1000, 1, 1), (1000, None, 1000)]
)
def test_a_map_is_no_wider_than_the_account_leaves_room_for_beside_plan_and_collate(
    asked: int, unreserved: int | None, at_once: int
) -> None:
    assert Capacity(concurrency=asked).within(unreserved).concurrency == at_once


def test_a_throttled_replication_is_never_given_up() -> None:
    single = Batch("base", 7, 7)
    loss = Loss(single, "Lambda.TooManyRequestsException", "Rate Exceeded")
    current = Round(1, [single])
    for _ in range(5):
        current = after([single], current, (loss,), retries=0)
        assert current.batches == [single]
    assert current.idle == 5


@pytest.mark.parametrize(
    ("error", "cause", "kind"),
    [
        ("Sandbox.Timedout", "Task timed out after 900.00 seconds", "timeout"),
        ("States.Timeout", "", "timeout"),
        ("Lambda.Unknown", "The cause could not be determined: Task timed out", "timeout"),
        ("Runtime.OutOfMemory", "", "died"),
        ("Runtime.ExitError", "exit status 1", "died"),
    ],
)
def test_lambdas_words_are_told_apart(error: str, cause: str, kind: str) -> None:
    assert reason_of(Loss(Batch("base", 1, 1), error, cause))[0] == kind


def test_what_a_precision_goal_asks_for_in_addition_is_cut_as_the_first_round() -> None:
    first = Round(1, [Batch("base", 1, 10)])
    assert after([Batch("base", 11, 30)], first).batches == cut([Batch("base", 11, 30)], 2)


def test_a_round_remembers_itself_through_json() -> None:
    found = Round(3, [Batch("a", 1, 2)], {("a", 1): 2}, 1)
    assert Round.from_json(found.to_json(), items_of(found.batches)) == found


@given(
    size=st.integers(1, 40),
    poisonous=st.sets(st.integers(1, 200), max_size=6),
    total=st.integers(1, 200),
    retries=st.integers(0, 2),
)
def test_whatever_is_poisonous_every_other_replication_is_had_and_the_rounds_come_to_an_end(
    size: int, poisonous: set[int], total: int, retries: int
) -> None:
    stored: set[int] = set()
    named: set[int] = set()
    current = Round(1, cut([Batch("base", 1, total)], size))
    for _ in range(12 + retries):
        losses = []
        for batch in current.batches:
            for number in range(batch.first, batch.last + 1):
                if number in poisonous:
                    losses.append(Loss(batch, "Runtime.ExitError"))
                    break
                stored.add(number)
        missing = [Batch("base", n, n) for n in range(1, total + 1) if n not in stored | named]
        if not missing:
            break
        current = after(missing, current, tuple(losses), retries)
        named |= {one.replication for one in current.given_up}
    assert named == {n for n in poisonous if n <= total}
    assert stored == set(range(1, total + 1)) - poisonous
