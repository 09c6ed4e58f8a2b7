"""Models in simmer's own idiom: customers of a bank who wait, give up, turn away, come first; monitors on disk."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Any

import pytest
from r_bench import Bench, columns, perform

pytestmark = pytest.mark.simmer

COUNTER = """
library(simmer)
simulate <- function(counters = 2, until = 100) {
  customer <- trajectory() %>%
    seize("counter") %>% timeout(function() rexp(1, 1 / 12)) %>% release("counter")
  simmer("bank") %>%
    add_resource("counter", counters) %>%
    add_generator("customer", customer, function() rexp(1, 1 / 10)) %>%
    run(until)
}
"""
PATIENCE = """
library(simmer)
simulate <- function(until = 200) {
  customer <- trajectory() %>%
    renege_in(function() runif(1, 1, 3), out = trajectory() %>% set_global("gone", 1, mod = "+")) %>%
    seize("counter") %>% renege_abort() %>% timeout(function() rexp(1, 1 / 12)) %>% release("counter")
  bank <- simmer("bank")
  bank %>% add_resource("counter") %>% add_global("gone", 0) %>%
    add_generator("customer", customer, function() rexp(1, 1 / 10)) %>% run(until)
  done <- get_mon_arrivals(bank)
  list(gone = get_global(bank, "gone"), served = sum(done$activity_time > 0, na.rm = TRUE), bank = bank)
}
"""
TURNED_AWAY = """
library(simmer)
simulate <- function(queue = 1, until = 300) {
  customer <- trajectory() %>%
    seize("counter", continue = c(TRUE, FALSE), post.seize = trajectory() %>% set_attribute("seen", 1),
          reject = trajectory() %>% set_attribute("seen", 0)) %>%
    timeout(function() rexp(1, 1 / 12)) %>% release("counter")
  bank <- simmer("bank") %>% add_resource("counter", queue_size = queue) %>%
    add_generator("customer", customer, function() rexp(1, 1 / 10), mon = 2) %>% run(until)
  list(turned_away = mean(get_mon_attributes(bank)$value == 0), bank = wrap(bank))
}
"""
FIRST = """
library(simmer)
simulate <- function(until = 200) {
  served <- function(trajectory) trajectory %>%
    seize("counter") %>% timeout(function() rexp(1, 1 / 12)) %>% release("counter")
  bank <- simmer("bank") %>% add_resource("counter", preemptive = TRUE) %>%
    add_generator("plain", served(trajectory()), function() rexp(1, 1 / 10)) %>%
    add_generator("urgent", served(trajectory()), function() rexp(1, 1 / 40), priority = 2) %>% run(until)
  list(arrivals = get_mon_arrivals(bank, per_resource = TRUE), queue = get_queue_count(bank, "counter"))
}
"""
ON_DISK = """
library(simmer)
simulate <- function(until = 100) {
  folder <- tempfile(); dir.create(folder)
  customer <- trajectory() %>% seize("counter") %>% timeout(function() rexp(1, 1 / 12)) %>% release("counter")
  bank <- simmer("bank", mon = monitor_csv(folder)) %>% add_resource("counter") %>%
    add_generator("customer", customer, function() rexp(1, 1 / 10)) %>% run(until)
  frame <- get_mon_arrivals(bank)
  list(n = nrow(frame), bank = bank)
}
"""
MODELS = {"counter": COUNTER, "patience": PATIENCE, "turned away": TURNED_AWAY, "first": FIRST, "on disk": ON_DISK}
BY_HAND = """
RNGkind("L'Ecuyer-CMRG", "Inversion", "Rejection"); set.seed(42)
source("model.R")
stream <- .Random.seed
for (i in 1:3) {
  stream <- parallel::nextRNGStream(stream)
  assign(".Random.seed", stream, globalenv())
  found <- simulate()
  if (inherits(found, "simmer")) found <- list(found)
  for (one in found) {
    if (is.environment(one)) one <- get_mon_arrivals(one)
    if (is.data.frame(one)) cat(format(sum(one$end_time), digits = 17), nrow(one), "")
    else cat(format(as.numeric(one), digits = 17), "")
  }
  cat("\\n")
}
"""


def numbers_of(outcomes: Sequence[Any]) -> list[list[float]]:
    """Metrics, then the sum of the arrivals' ends and their number, which is what `BY_HAND` prints."""
    found = []
    for outcome in outcomes:
        assert outcome.failure is None, outcome.failure
        arrivals = columns(outcome.tables["arrivals"])["end_time"]
        found.append([*map(float, outcome.metrics.values()), float(sum(arrivals)), len(arrivals)])
    return found


@pytest.mark.parametrize("name", MODELS)
def test_replications_of_a_bank_are_those_of_a_plain_loop(bench: Bench, name: str) -> None:
    outcomes = bench.run(MODELS[name], last=3)
    ran = subprocess.run(
        ["Rscript", "--vanilla", "-e", BY_HAND], cwd=bench.folder, capture_output=True, text=True, check=True
    )
    by_hand = [sorted(map(float, line.split())) for line in ran.stdout.splitlines()]
    for own, other in zip(numbers_of(outcomes), by_hand, strict=True):
        assert sorted(own) == pytest.approx(other, rel=1e-13)


@pytest.mark.parametrize("name", MODELS)
def test_a_replication_of_a_bank_does_not_depend_on_those_before(bench: Bench, name: str) -> None:
    whole = bench.run(MODELS[name], last=4)[2:]
    with bench.started(MODELS[name]) as simulate:
        last, third = perform(simulate, 4, 4)[0], perform(simulate, 3, 3)[0]
    for one, again in zip(whole, (third, last), strict=True):
        assert one.metrics == again.metrics
        assert {t: columns(rows) for t, rows in one.tables.items()} == {t: columns(r) for t, r in again.tables.items()}


def test_arrivals_that_are_still_under_way_are_rows_without_an_end(bench: Bench) -> None:
    source = COUNTER.replace("run(until)", "run(until) %>% get_mon_arrivals(ongoing = TRUE)")
    outcome = bench.one(source)
    rows = columns(outcome.tables["table"])
    assert None in rows["end_time"]
    assert rows["finished"].count(False) == rows["end_time"].count(None)


def test_monitors_of_a_list_of_environments_made_by_the_model_are_told_apart(bench: Bench) -> None:
    source = COUNTER.replace("simulate <-", "one <-")
    source += "simulate <- function() lapply(c(1, 2, 3), function(n) wrap(one(n)))"
    outcome = bench.one(source)
    assert set(columns(outcome.tables["resources"])["replication_1"]) == {1, 2, 3}
