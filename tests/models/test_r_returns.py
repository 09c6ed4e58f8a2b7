"""What an R model may return, and what becomes of it."""

import datetime
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from r_bench import Bench, columns, perform, types

from replicast.core.replication import Outcome
from replicast.models.tables import LEFT_OUT

pytestmark = pytest.mark.r


@pytest.fixture(scope="module")
def returning(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Outcome]]:
    """The outcome of a model that returns the value of an R expression."""
    source = "simulate <- function(expression) eval(parse(text = expression))"
    with Bench(tmp_path_factory.mktemp("returning")).started(source) as simulate:
        yield lambda expression: perform(simulate, 1, 1, {"expression": expression})[0]


@pytest.mark.parametrize(
    ("returned", "metrics"),
    [
        ("3.5", {"value": 3.5}),
        ("3L", {"value": 3}),
        ("TRUE", {"value": True}),
        ("c(late = NA, early = FALSE)", {"late": None, "early": False}),
        ("c(wait = 1.5, length = 2)", {"wait": 1.5, "length": 2.0}),
        ("c(a = 1L, b = NA)", {"a": 1, "b": None}),
        ("list(wait = 1.5, served = 7L, full = FALSE)", {"wait": 1.5, "served": 7, "full": False}),
        ("list(value = NA, real = NA_real_)", {"value": None, "real": None}),
        ("list(inner = list(a = 1, b = 2L), c = 3)", {"a": 1.0, "b": 2, "c": 3.0}),
        ("list(inner = c(a = 1, b = 2), c = NULL)", {"a": 1.0, "b": 2.0}),
        ("list(wait = quantile(c(1, 2, 3), 0.5), inner = list(a = 1))", {"wait": 2.0, "a": 1.0}),
        ("as.difftime(2, units = 'mins')", {"value": 120.0}),
        ("list(scenario = 1, replication = 2, x = 3)", {"x": 3.0}),
        ("c('a name' = 1, \"qu'ote\" = 2, größe = 3)", {"a name": 1.0, "qu'ote": 2.0, "größe": 3.0}),
        ("structure(7, class = 'own')", {"value": 7.0}),
        ("array(5, 1)", {"value": 5.0}),
        ("table(c('x', 'y', 'x'))", {"x": 2, "y": 1}),
        ("list(big = structure(4.9406564584124654e-324, class = 'integer64'))", {"big": 1}),
    ],
)
def test_numbers_become_metrics(returning: Callable[[str], Outcome], returned: str, metrics: dict[str, object]) -> None:
    outcome = returning(returned)
    assert outcome.failure is None
    assert dict(outcome.metrics) == metrics
    assert {name: type(value) for name, value in outcome.metrics.items()} == {n: type(v) for n, v in metrics.items()}
    assert not outcome.tables


def test_missing_not_a_number_and_infinite_stay_apart(bench: Bench) -> None:
    metrics = bench.one("simulate <- function() list(a = NA_real_, b = NaN, c = Inf, d = -Inf, e = -0)").metrics
    assert metrics["a"] is None
    assert isinstance(metrics["b"], float) and math.isnan(metrics["b"])
    assert (metrics["c"], metrics["d"]) == (math.inf, -math.inf)
    assert str(metrics["e"]) == "-0.0"


def test_a_data_frame_alone_is_called_table(bench: Bench) -> None:
    outcome = bench.one("simulate <- function() data.frame(time = c(1, 2), what = c('in', NA))")
    assert columns(outcome.tables["table"]) == {"time": [1.0, 2.0], "what": ["in", None]}
    assert not outcome.metrics


def test_numbers_and_tables_mix(bench: Bench) -> None:
    outcome = bench.one("""
        simulate <- function() list(
          wait = 1, patients = data.frame(id = 1:2), queue = data.frame(n = c(3, 4)), m = 2L)""")
    assert dict(outcome.metrics) == {"wait": 1.0, "m": 2}
    assert {name: columns(table) for name, table in outcome.tables.items()} == {
        "patients": {"id": [1, 2]},
        "queue": {"n": [3.0, 4.0]},
    }


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_table_is_a_table_however_many_rows_it_has(bench: Bench, rows: int) -> None:
    made = f"data.frame(wait = rep(1.5, {rows}), n = rep(3L, {rows}))"
    for returned, own in ((made, {}), (f"list(t = {made})", {}), (f"list(t = {made}, wait = 2)", {"wait": 2.0})):
        outcome = bench.one(f"simulate <- function() {returned}")
        assert dict(outcome.metrics) == own
        assert [table.num_rows for table in outcome.tables.values()] == [rows]


def test_numbers_of_an_inner_list_are_named_by_both_where_names_collide(bench: Bench) -> None:
    outcome = bench.one("""
        simulate <- function() list(icu = list(wait = 1, beds = 3L), total = 7L, er = c(wait = 2, n = 9L), wait = 4)""")
    expected = {"icu.wait": 1.0, "beds": 3, "total": 7, "er.wait": 2.0, "n": 9.0, "wait": 4.0}
    assert repr(dict(outcome.metrics)) == repr(expected)
    clash = bench.one("simulate <- function() list(a = list(x = 1), x = 2, a.x = 3)")
    assert clash.failure is not None
    assert clash.failure.message == "two metrics are called 'a.x'"


@pytest.mark.parametrize("package", ["tibble", "data.table"])
def test_tibbles_and_data_tables_are_tables(bench: Bench, package: str) -> None:
    maker = {"tibble": "tibble::tibble", "data.table": "data.table::data.table"}[package]
    outcome = bench.one(f"simulate <- function() {maker}(x = c(1, NA), y = c('a', 'b'))")
    assert outcome.failure is None, outcome.failure
    assert columns(outcome.tables["table"]) == {"x": [1.0, None], "y": ["a", "b"]}


def test_columns_called_scenario_and_replication_give_way(bench: Bench) -> None:
    outcome = bench.one("simulate <- function() list(t = data.frame(scenario = 'z', x = 1:2, replication = 9L))")
    assert outcome.tables["t"].column_names == ["x"]
    said = tuple(f"the model's own column '{key}' of table 't' {LEFT_OUT}" for key in ("scenario", "replication"))
    assert outcome.notes == said


@pytest.mark.parametrize(
    "frame",
    [
        "data.frame(scenario = factor('base'), x = 1:2, replication = replication)",
        "data.frame(scenario = character(), replication = 5L[0], x = 1[0])",
        "data.frame(x = 1:2, replication = 1L)",
        "data.frame(x = 1:2, scenario = NA)",
    ],
)
def test_of_key_columns_that_are_ours_nothing_is_said(bench: Bench, frame: str) -> None:
    outcomes = bench.run(f"simulate <- function(replication) {frame}", 3)
    assert [(outcome.tables["table"].column_names, outcome.notes) for outcome in outcomes] == [(["x"], ())] * 3


def test_every_kind_of_column_has_its_type(bench: Bench) -> None:
    table = bench.one("""
        simulate <- function() list(t = data.frame(
          integer = 1:2, double = c(1, 2), logical = c(TRUE, NA), text = c("a", NA), factor = factor(c("lo", "hi")),
          date = as.Date(c("2024-02-29", NA)), time = as.POSIXct(c("2024-06-01 12:00:00", NA), tz = "Europe/London"),
          span = as.difftime(c(1, 2), units = "hours"), raw = as.raw(1:2), as_is = I(c(5, 6))))""").tables["t"]
    assert types(table) == {
        "integer": "Int64", "double": "Float64", "logical": "Boolean", "text": "Utf8", "factor": "Utf8",
        "date": "Date32",
        "time": 'Timestamp(ns, "Europe/London")', "span": "Float64", "raw": "Int64", "as_is": "Float64",
    }  # fmt: skip
    assert columns(table)["factor"] == ["lo", "hi"]
    assert columns(table)["span"] == [3600.0, 7200.0]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("NULL", "the model returned NULL"),
        ("invisible()", "the model returned NULL"),
        ("function() 1", "a function"),
        ("list()", "an empty list"),
        ("list(1, 2)", "a list of 2 without names"),
        ("list(a = 1, 2)", "a list of 2 without names"),
        ("c(1, 2, 3)", "3 numbers without names"),
        ("numeric()", "0 numbers without names"),
        ('"done"', 'text ("done")'),
        ("matrix(1:4, 2)", "a 2 x 2 matrix"),
        ("quote(x + y)", "class call"),
        ("list(e = new.env())", "'e' of what the model returned is an object of class environment"),
        ("list(a = list(b = list(c = 1)))", "'a' of what the model returned is a list of b"),
        ("list(a = 1, a = 2)", "two metrics are called 'a'"),
        ("list(q.a = 1, a = 2, q = c(b = 1, a = 2))", "two metrics are called 'q.a'"),
        ("list(metrics = data.frame(a = 1:2))", "a table cannot be called 'metrics'"),
        ("list(summary = data.frame(a = 1:2))", "a table cannot be called 'summary'"),
        ("list(replications = data.frame(a = 1:2))", "a table cannot be called 'replications'"),
        ("list(scenario = 1)", "the model returned a list of scenario"),
        ("data.frame(a = 1, a = 2, check.names = FALSE)", "two columns called 'a'"),
        ("list(t = data.frame(x = I(list(1, 2))))", "column 'x' of table 't' is of type list"),
        ("list(t = data.frame(x = I(matrix(1:4, 2))))", "column 'x' of table 't' is a matrix"),
        ("list(t = data.frame(x = 1:2, z = complex(2)))", "column 'z' of table 't' is of type complex"),
        ("list(t = data.frame(x = c('ok', '\\xff\\xfe')))", "is not valid UTF-8"),
        ("as.POSIXct('2024-01-01')", "class POSIXct/POSIXt"),
        ("simulate", "a function"),
        ("setNames(list(data.frame(a = 1:2)), strrep('long', 100))", "is too long for a folder"),
        ("setNames(list(data.frame(a = 1:2)), strrep('ü', 50))", "is too long for a folder"),
    ],
)
def test_what_cannot_be_used_is_a_failure_that_says_what_came(
    returning: Callable[[str], Outcome], returned: str, said: str
) -> None:
    outcome = returning(returned)
    assert outcome.failure is not None
    assert (outcome.failure.kind, outcome.failure.type) == ("error", "UnusableResult")
    assert said in outcome.failure.message
    assert not outcome.metrics and not outcome.tables


def test_a_refused_table_leaves_the_other_replications_whole(bench: Bench) -> None:
    outcomes = bench.run(
        """
        simulate <- function(replication) {
          second <- if (replication %% 3 == 0) I(list(1, 2)) else c(1, 2)
          list(x = replication, t = data.frame(first = c("a", "b"), second = second))
        }""",
        9,
    )
    assert [o.failure is not None for o in outcomes] == [False, False, True] * 3
    assert [o.metrics.get("x") for o in outcomes] == [1, 2, None, 4, 5, None, 7, 8, None]
    assert all(columns(o.tables["t"]) == {"first": ["a", "b"], "second": [1, 2]} for o in outcomes if not o.failure)


def test_metrics_may_differ_from_replication_to_replication(bench: Bench) -> None:
    outcomes = bench.run(
        """
        simulate <- function(replication) switch(replication %% 4 + 1,
          list(a = 1, b = 2L), list(a = 1L, b = 2L), c(b = 1, a = 2), list(t = data.frame(x = 1:2)))""",
        8,
    )
    expected = [{"a": 1, "b": 2}, {"b": 1.0, "a": 2.0}, {}, {"a": 1.0, "b": 2}] * 2
    assert [dict(o.metrics) for o in outcomes] == expected
    assert [list(o.metrics) for o in outcomes] == [list(e) for e in expected]
    assert [type(o.metrics.get("a")) for o in outcomes] == [int, float, type(None), float] * 2


def test_numbers_with_classes_or_dimensions_are_not_mistaken_for_bare_ones(bench: Bench) -> None:
    outcomes = bench.run(
        """
        simulate <- function(replication) switch(replication %% 3 + 1,
          list(a = 1, b = 2), list(a = as.difftime(1, units = "mins"), b = 2), list(a = factor("x"), b = 2))""",
        6,
    )
    assert [o.metrics.get("a") for o in outcomes] == [60.0, None, 1.0] * 2
    assert [list(o.tables) for o in outcomes] == [[], ["texts"], []] * 2


def test_tables_may_be_empty_of_rows_or_of_columns(bench: Bench) -> None:
    tables = bench.one("""
        simulate <- function() list(none = data.frame(), rows = data.frame(x = double(), y = character()),
          columns = data.frame(replication = rep(1, 3)))""").tables
    assert (tables["none"].num_rows, tables["none"].num_columns) == (0, 0)
    assert types(tables["rows"]) == {"x": "Float64", "y": "Utf8"} and tables["rows"].num_rows == 0
    assert tables["columns"].num_columns == 0


SIMMER = """
    library(simmer)
    make <- function() {
      patient <- trajectory() |> set_attribute("severity", 2) |> seize("bed") |> timeout(1) |> release("bed")
      simmer() |> add_resource("bed", 1) |> add_generator("patient", patient, at(0, 1, 2), mon = 2) |> run(10)
    }
"""
ARRIVALS = ["name", "start_time", "end_time", "activity_time", "finished"]
RESOURCES = ["resource", "time", "server", "queue", "capacity", "queue_size", "system", "limit"]
ATTRIBUTES = ["time", "name", "key", "value"]


@pytest.mark.simmer
@pytest.mark.parametrize(
    "returned", ["make()", "wrap(make())", "list(env = make())", "list(kpi = 1, envs = wrap(make()))"]
)
def test_a_simmer_environment_gives_its_monitors(bench: Bench, returned: str) -> None:
    outcome = bench.one(f"{SIMMER}\n    simulate <- function() {returned}")
    assert outcome.failure is None, outcome.failure
    assert {name: table.column_names for name, table in outcome.tables.items()} == {
        "arrivals": ARRIVALS, "resources": RESOURCES, "attributes": ATTRIBUTES,
    }  # fmt: skip
    assert columns(outcome.tables["arrivals"])["end_time"] == [1.0, 2.0, 3.0]
    assert columns(outcome.tables["attributes"])["value"] == [2.0, 2.0, 2.0]
    assert dict(outcome.metrics) == ({"kpi": 1.0} if "kpi" in returned else {})


@pytest.mark.simmer
def test_a_list_of_wrapped_environments_gives_the_rows_of_all(bench: Bench) -> None:
    outcome = bench.one(f"{SIMMER}\n    simulate <- function() lapply(1:2, function(i) wrap(make()))")
    assert outcome.failure is None, outcome.failure
    assert columns(outcome.tables["arrivals"])["name"] == ["patient0", "patient1", "patient2"] * 2


def test_the_longest_list_of_metrics_still_arrives(bench: Bench) -> None:
    with bench.started(
        "simulate <- function(n) as.list(setNames(seq_len(n) / 8, paste0('m', seq_len(n))))"
    ) as simulate:
        outcome = perform(simulate, 1, 1, {"n": 20000})[0]
    assert list(outcome.metrics.items())[-1] == ("m20000", 2500.0)


def test_what_is_neither_number_nor_table_costs_nothing_and_is_kept_or_noted(bench: Bench) -> None:
    outcome = bench.one("""
        simulate <- function() list(
          x = 1, policy = "fifo", day = as.Date("2026-01-02"), waits = c(1, 2, 3), none = numeric(0),
          fit = lm(y ~ x, data.frame(x = 1:3, y = c(1, 2, 4))), m = matrix(1:4, 2, dimnames = list(NULL, c("p", "q"))),
          s = ts(c(1, 2), start = 2020), icu = list(beds = 3L, head = "Ann"),
          df = data.frame(n = 1:2, row.names = c("icu", "er")))""")
    assert outcome.failure is None, outcome.failure
    assert repr(dict(outcome.metrics)) == "{'x': 1.0, 'beds': 3}"
    assert {name: columns(table) for name, table in outcome.tables.items()} == {
        "waits": {"value": [1.0, 2.0, 3.0]}, "none": {"value": []}, "m": {"p": [1, 2], "q": [3, 4]},
        "s": {"time": [2020.0, 2021.0], "value": [1.0, 2.0]}, "df": {"row": ["icu", "er"], "n": [1, 2]},
        "texts": {"name": ["policy", "day", "icu.head"], "text": ["fifo", "2026-01-02", "Ann"]},
    }  # fmt: skip
    (note,) = outcome.notes
    assert note.startswith("'fit' of what the model returned is an object of class lm")
    assert "--keep rds" in note


def test_a_deeper_list_is_noted_with_its_cure(bench: Bench) -> None:
    outcome = bench.one("simulate <- function() list(x = 1, wards = list(north = data.frame(w = 1), south = 2))")
    (note,) = outcome.notes
    assert "'wards' of what the model returned is a list of north, south" in note
    assert "name what is in it one level up, as in list(icu.wait = 1.5, icu.patients = data.frame(...))" in note


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("NA_character_", None),
        ("'NA'", "NA"),
        ("as.Date(NA)", None),
        ("as.POSIXct('2026-07-01 12:00', tz = 'Europe/London')", "2026-07-01T12:00:00+01:00"),
        ("as.POSIXlt('2026-07-01', tz = 'UTC')", "2026-07-01T00:00:00+00:00"),
        ("as.POSIXct(0.25, origin = '1970-01-01', tz = 'UTC')", "1970-01-01T00:00:00.250000+00:00"),
    ],
)
def test_a_text_is_missing_where_it_is_and_a_time_has_its_offset(bench: Bench, text: str, kept: str | None) -> None:
    tables = bench.one(f"simulate <- function() list(x = 1, t = {text})").tables
    assert columns(tables["texts"]) == {"name": ["t"], "text": [kept]}


def test_a_key_column_of_the_models_own_that_differs_between_rows_is_kept(bench: Bench) -> None:
    outcome = bench.one(
        "simulate <- function() list(t = data.frame(replication = 1:2, scenario = 'base', x = 3:4), y = 1)"
    )
    assert columns(outcome.tables["t"]) == {"replication_1": [1, 2], "x": [3, 4]}
    assert outcome.notes == ("the model's own column 'replication' of table 't' is kept as 'replication_1'",)


def test_names_that_r_makes_of_the_rows_numbers_are_no_column(bench: Bench) -> None:
    outcome = bench.one(
        "simulate <- function() { d <- data.frame(x = 1:3); list(t = d[c(3, 3, 1), , drop = FALSE], y = 1) }"
    )
    assert columns(outcome.tables["t"]) == {"x": [3, 3, 1]}


def test_a_difftime_keeps_its_unit_in_a_note(bench: Bench) -> None:
    outcome = bench.one("simulate <- function() list(stay = as.difftime(2, units = 'hours'), x = 1)")
    assert dict(outcome.metrics) == {"stay": 7200.0, "x": 1.0}
    assert outcome.notes == ("'stay' is a difftime: it is written in seconds",)


def noted(column: str, said: str) -> tuple[str, ...]:
    return (f"column '{column}' of table 't' {said}",)


OF_CLASS = "is of class '{}': its numbers are kept, and not what the class says of them"


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("list(x = structure(5, units = 'km', class = 'units'))", ("'x' " + OF_CLASS.format("units"),)),
        ("list(x = 1, t = structure(c(5, 6), class = 'own'))", noted("value", OF_CLASS.format("own"))),
        ("list(t = {t <- data.frame(m = 1:2); class(t$m) <- 'own'; t})", noted("m", OF_CLASS.format("own"))),
        ("list(t = {t <- data.frame(m = 1:2); class(t$m) <- 'ITime'; t})",
         noted("m", "is an ITime: it is written in seconds")),
        ("list(t = data.frame(m = I(c(1, 2)), f = factor(1:2), d = Sys.Date() + 1:2, s = Sys.time() + 1:2))", ()),
        ("list(x = object.size(1), t = table(c(1, 1)), s = summary(c(1, 2)))", ()),
    ],
)  # fmt: skip
def test_what_a_class_says_of_numbers_is_noted_where_it_is_lost(bench: Bench, returned: str, said: Any) -> None:
    assert bench.one(f"simulate <- function() {returned}").notes == said


def test_numbers_that_mean_nothing_without_their_slots_are_no_numbers(bench: Bench) -> None:
    period = "setClass('Span', contains = 'numeric', representation(minute = 'numeric'))\n"
    made = "new('Span', 0, minute = 5)"
    kept = bench.one(f"{period}simulate <- function() list(x = 1, h = {made})")
    assert kept.metrics == {"x": 1.0}
    assert "'h' of what the model returned is an object of class Span" in kept.notes[0]
    column = f"simulate <- function() {{ t <- data.frame(a = 1); t[['h']] <- {made}; list(t = t) }}"
    failure = bench.one(period + column).failure
    assert failure is not None
    assert failure.message.startswith("column 'h' of table 't' is of class Span; a column holds numbers")


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        ("ts(matrix(1:4, 2), start = 2024)", {"time": [2024.0, 2025.0], "Series 1": [1, 2], "Series 2": [3, 4]}),
        ("ts(cbind(time = 1:2, b = 3:4), start = 2024)", {"time_1": [2024.0, 2025.0], "time": [1, 2], "b": [3, 4]}),
        ("ts(5, start = 2024)", {"time": [2024.0], "value": [5.0]}),
        ("structure(c(5, 6), index = as.Date('2024-01-01') + 0:1, class = 'zoo')",
         {"time": [datetime.date(2024, 1, 1), datetime.date(2024, 1, 2)], "value": [5.0, 6.0]}),
        ("structure(5, index = as.Date('2024-01-01'), class = 'zoo')",
         {"time": [datetime.date(2024, 1, 1)], "value": [5.0]}),
    ],
)  # fmt: skip
def test_series_keep_their_times(bench: Bench, series: str, expected: Any) -> None:
    outcome = bench.one(f"simulate <- function() list(x = 1, s = {series})")
    assert outcome.metrics == {"x": 1.0}
    assert columns(outcome.tables["s"]) == expected


def test_a_note_is_sent_once_by_a_process_and_a_failure_loses_none(bench: Bench) -> None:
    outcomes = bench.run(
        "simulate <- function(replication) {"
        " if (replication == 1L) list(t = data.frame(replication = 1:2, x = I(list(1, 2))), y = 1)"
        " else list(t = data.frame(replication = 1:2), y = 1) }",
        last=3,
    )
    assert [outcome.failure is None for outcome in outcomes] == [False, True, True]
    assert sum(len(outcome.notes) for outcome in outcomes) == 1


MONITORED = """
one <- function(i) {
  patient <- simmer::timeout(simmer::seize(simmer::trajectory(), "nurse", 1), function() rexp(1))
  env <- simmer::add_resource(simmer::simmer(), "nurse", 1)
  env <- simmer::add_generator(env, "patient", simmer::release(patient, "nurse", 1), function() rexp(1))
  simmer::wrap(simmer::run(env, 20))
}
"""


@pytest.mark.simmer
def test_monitors_of_several_environments_keep_which_is_which(bench: Bench) -> None:
    alone = bench.one(MONITORED + "simulate <- function() lapply(1:3, one)")
    assert set(columns(alone.tables["arrivals"])["replication_1"]) == {1, 2, 3}
    assert any("3 environments" in note for note in alone.notes)
    named = bench.one(MONITORED + "simulate <- function() list(ward = lapply(c(icu = 1, er = 2), one), x = 1)")
    arrivals = columns(named.tables["arrivals"])
    assert set(zip(arrivals["replication_1"], arrivals["environment"], strict=True)) == {
        (1, "ward.icu"), (2, "ward.er")
    }  # fmt: skip
    frames = bench.one(MONITORED + "simulate <- function() list(a = simmer::get_mon_arrivals(lapply(1:2, one)), x = 1)")
    assert set(columns(frames.tables["a"])["replication_1"]) == {1, 2}
    single = bench.one(MONITORED + "simulate <- function() one(1)")
    assert "replication_1" not in single.tables["arrivals"].column_names
