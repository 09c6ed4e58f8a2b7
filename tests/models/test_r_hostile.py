"""R models that print, quit, crash, hang, litter and meddle: each costs itself at most (DESIGN, section 9)."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from r_bench import Bench, columns, perform

from replicast.core.replication import LOG_LIMIT, Outcome
from replicast.core.scenarios import Scenario
from replicast.models.r_simulate import RSimulate

pytestmark = pytest.mark.r


def failed(outcomes: list[Outcome]) -> dict[int, tuple[str, str]]:
    return {o.replication: (o.failure.kind, o.failure.type) for o in outcomes if o.failure}


def marked_processes(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


# What is printed


def test_all_that_is_printed_goes_to_the_log_of_its_replication(bench: Bench) -> None:
    outcomes = bench.run(
        """
        simulate <- function(replication) {
          print(replication); cat("no newline"); message(" to stderr")
          system("echo from a child; echo and its errors >&2")
          1
        }""",
        3,
    )
    for outcome in outcomes:
        lines = f"[1] {outcome.replication}\nno newline to stderr\nfrom a child\nand its errors\n"
        assert outcome.log == lines


def test_quick_models_print_into_their_own_logs(bench: Bench) -> None:
    outcomes = bench.run("simulate <- function(replication) { if (replication %% 7 == 0) cat(replication); 1 }", 700)
    assert {o.replication: o.log for o in outcomes if o.log} == {i: str(i) for i in range(7, 701, 7)}


def test_of_a_long_log_the_end_is_kept(bench: Bench) -> None:
    outcomes = bench.run("simulate <- function() { cat(strrep('x', 200000)); cat('the end'); 1 }", 2)
    for outcome in outcomes:
        assert outcome.log.endswith("xthe end")
        assert LOG_LIMIT <= len(outcome.log) < LOG_LIMIT + 100
        assert outcome.log.startswith("[134471 bytes left out]\n")


def test_a_sink_left_open_is_closed(bench: Bench) -> None:
    outcomes = bench.run(
        """
        simulate <- function(replication) {
          cat("seen", replication, "")
          sink(tempfile()); sink(tempfile()); sink(stdout(), type = "message")
          cat("hidden")
          sink.number()
        }""",
        3,
    )
    assert [o.log for o in outcomes] == ["seen 1 ", "seen 2 ", "seen 3 "]
    assert [o.metrics["value"] for o in outcomes] == [2, 2, 2]


def test_closing_all_connections_spares_ours(bench: Bench) -> None:
    outcomes = bench.run("simulate <- function(replication) { closeAllConnections(); replication }", 5)
    assert [o.metrics.get("value") for o in outcomes] == [1, 2, 3, 4, 5]


@pytest.mark.long
def test_connections_left_open_are_closed(bench: Bench) -> None:
    outcomes = bench.run("simulate <- function() { con <- file(tempfile(), 'w'); nrow(showConnections()) }", 150)
    assert {o.metrics.get("value") for o in outcomes} == {3}


def test_standard_input_is_empty(bench: Bench) -> None:
    assert bench.one("simulate <- function() length(readLines(file('stdin')))").metrics == {"value": 0}
    assert bench.one("simulate <- function() nchar(readline('? '))").metrics == {"value": 0}


# What ends the process


@pytest.mark.parametrize("call", ["quit()", "q('no', status = 3)", "base::quit(status = 3, runLast = FALSE)"])
def test_quit_costs_its_replication_alone(bench: Bench, call: str) -> None:
    with bench.started(
        f"simulate <- function(replication) {{ if (replication == 3) {call}; replication }}"
    ) as simulate:
        outcomes = perform(simulate, 1, 6)
    assert failed(outcomes) == {3: ("died", "quit")}
    assert [o.metrics.get("value") for o in outcomes] == [1, 2, None, 4, 5, 6]
    assert simulate.starts == 1


def test_quit_runs_what_the_model_left_to_be_done_on_exit(bench: Bench) -> None:
    source = """
        simulate <- function() {
          on.exit(cat("done"))
          tryCatch(quit(), error = function(e) 1, finally = cat("finally "))
        }"""
    assert bench.one(source).log == "finally done"


@pytest.mark.parametrize(
    ("deed", "named"),
    [
        (".Internal(quit('no', 0, FALSE))", "quit"),
        (".Internal(quit('no', 7, FALSE))", "quit"),
        ("tools::pskill(Sys.getpid(), 9)", "SIGKILL"),
        ("tools::pskill(Sys.getpid(), 11)", "SIGSEGV"),
        ("tools::pskill(Sys.getpid(), 15)", "SIGTERM"),
    ],
)
def test_the_death_of_r_costs_its_replication_alone(bench: Bench, deed: str, named: str) -> None:
    source = f"""
        simulate <- function(replication) {{
          if (replication == 3) {{ cat("last words"); {deed}; Sys.sleep(60) }}
          replication
        }}"""
    with bench.started(source) as simulate:
        outcomes = perform(simulate, 1, 5)
    assert failed(outcomes) == {3: ("died", named)}
    assert [o.metrics.get("value") for o in outcomes] == [1, 2, None, 4, 5]
    assert "last words" in outcomes[2].log
    assert simulate.starts <= 3
    assert outcomes[2].failure and "while this replication ran" in outcomes[2].failure.message


def test_among_quick_replications_the_guilty_ones_alone_are_lost(bench: Bench) -> None:
    source = """
        simulate <- function(replication) {
          if (replication %in% c(1, 500, 501, 1733)) tools::pskill(Sys.getpid(), 9)
          runif(1)
        }"""
    outcomes = bench.run(source, 2000)
    whole = bench.run("simulate <- function(replication) runif(1)", 2000)
    assert sorted(failed(outcomes)) == [1, 500, 501, 1733]
    assert [o.replication for o in outcomes] == list(range(1, 2001))
    assert all(a.failure or a.metrics == b.metrics for a, b in zip(outcomes, whole, strict=True))


def test_a_death_that_does_not_come_again_costs_nothing(bench: Bench, tmp_path: Path) -> None:
    source = f"""
        simulate <- function(replication) {{
          if (replication == 400 && !file.exists("{tmp_path}/once")) {{
            file.create("{tmp_path}/once"); tools::pskill(Sys.getpid(), 9)
          }}
          replication
        }}"""
    outcomes = bench.run(source, 600)
    assert not failed(outcomes)
    assert [o.metrics["value"] for o in outcomes] == list(range(1, 601))


@pytest.mark.long
def test_a_replication_that_takes_too_long_is_ended_and_the_next_goes_on(bench: Bench) -> None:
    source = """
        simulate <- function(replication) {
          cat("begun"); while (replication %in% c(4, 700)) tryCatch(Sys.sleep(0.01), interrupt = function(e) NULL)
          replication
        }"""
    with bench.started(source, timeout_seconds=2) as simulate:
        outcomes = perform(simulate, 1, 1000)
    assert failed(outcomes) == {4: ("timeout", "Timeout"), 700: ("timeout", "Timeout")}
    assert [o.metrics.get("value") for o in outcomes if not o.failure] == [
        i for i in range(1, 1001) if i not in (4, 700)
    ]
    late = outcomes[3]
    assert late.failure and late.failure.message == "it took longer than 2 seconds"
    assert late.log == "begun" and late.seconds >= 2


def test_loading_does_not_count_towards_the_time_of_a_replication(bench: Bench) -> None:
    outcomes = bench.run("Sys.sleep(2.1)\nsimulate <- function(replication) replication", 3, timeout_seconds=2)
    assert not failed(outcomes)


def test_nothing_is_left_behind(bench: Bench) -> None:
    mark = f"31{os.getpid()}"
    source = f"""
        simulate <- function(replication) {{
          system("sleep {mark} &"); system("(setsid sleep {mark} &)"); cat("x", file = tempfile()); replication
        }}"""
    with bench.started(source) as simulate:
        outcomes = perform(simulate, 1, 2)
        pid = simulate.make_ready().process.pid
        until = time.monotonic() + 30  # the shells start them in the background
        while len(marked_processes(f"sleep\0{mark}")) < 4:
            assert time.monotonic() < until
            time.sleep(0.05)
    assert not failed(outcomes)
    assert not marked_processes(f"sleep\0{mark}")
    assert not Path(f"/proc/{pid}").exists()
    assert list(bench.scratch.iterdir()) == []


def test_a_child_that_holds_the_pipes_does_not_hide_the_death_of_r(bench: Bench) -> None:
    mark = f"32{os.getpid()}"
    source = f"""
        simulate <- function(replication) {{
          if (replication == 2) {{ system("sleep {mark} &"); tools::pskill(Sys.getpid(), 9); Sys.sleep(60) }}
          replication
        }}"""
    assert failed(bench.run(source, 3)) == {2: ("died", "SIGKILL")}
    assert not marked_processes(f"sleep\0{mark}")


def test_a_timeout_ends_the_children_too(bench: Bench) -> None:
    mark = f"33{os.getpid()}"
    source = f"""simulate <- function(replication) {{ if (replication == 1) system("sleep {mark}"); replication }}"""
    with bench.started(source, timeout_seconds=2) as simulate:
        assert failed(perform(simulate, 1, 2)) == {1: ("timeout", "Timeout")}
        assert not marked_processes(f"sleep\0{mark}")


def test_whoever_stops_listening_can_ask_again(bench: Bench) -> None:
    with bench.started("simulate <- function(replication) { Sys.sleep(0.001); replication }") as simulate:
        perform(simulate, 1, 200)
        listening = iter(simulate(Scenario("base", {}), 1, 300, lambda _i: None))
        assert [next(listening).metrics["value"] for _ in range(60)] == list(range(1, 61))
        listening.close()
        assert [o.metrics["value"] for o in perform(simulate, 5, 8)] == [5, 6, 7, 8]


@pytest.mark.long
@pytest.mark.parametrize(
    ("deed", "kind"),
    [
        ("quit()", "died"),
        ("tools::pskill(Sys.getpid(), 9)", "died"),
        ("Sys.sleep(60)", "timeout"),
        ("stop('x')", "error"),
    ],
)
def test_a_replication_may_be_asked_for_again_between_two_others(bench: Bench, deed: str, kind: str) -> None:
    source = (
        f"simulate <- function(replication, say = 'x') {{ if (replication == 303 && say == 'x') {deed}; replication }}"
    )
    seen, again = [], []
    with bench.started(source, timeout_seconds=2) as simulate:
        for outcome in simulate(Scenario("base", {}), 1, 600, lambda _i: None):
            seen.append(outcome)
            if outcome.failure or outcome.replication == 500:
                again += perform(simulate, outcome.replication, outcome.replication)
                again += perform(simulate, 303, 303, {"say": "y"})
    assert {i: k for i, (k, _) in failed(seen).items()} == {303: kind}
    assert [o.replication for o in seen] == list(range(1, 601))
    assert [o.metrics.get("value") for o in seen] == [None if i == 303 else i for i in range(1, 601)]
    assert [(o.replication, o.metrics.get("value")) for o in again] == [(303, None), (303, 303), (500, 500), (303, 303)]


def test_what_is_printed_while_loading_belongs_to_no_replication(bench: Bench) -> None:
    assert bench.one("cat('loading')\nsimulate <- function() { cat('running'); 1 }").log == "running"


def test_r_follows_when_its_pipe_closes(bench: Bench) -> None:
    with bench.started("simulate <- function() 1") as simulate:
        process = simulate.make_ready()
        os.close(process._requests)
        assert process.process.wait(timeout=20) == 0
        process._requests = os.open(os.devnull, os.O_WRONLY)


def test_each_replication_is_announced_before_its_outcome(bench: Bench) -> None:
    heard: list[tuple[str, int]] = []
    with bench.started("simulate <- function(replication) replication") as simulate:
        outcomes = simulate(Scenario("base", {}), 3, 400, lambda i: heard.append(("starting", i)))
        heard.extend(("ended", outcome.replication) for outcome in outcomes)
    assert heard == [(what, i) for i in range(3, 401) for what in ("starting", "ended")]


@pytest.mark.long
def test_r_is_started_anew_when_it_has_grown(bench: Bench) -> None:
    source = """
        simulate <- function(replication) {
          assign(paste0("leak", replication), numeric(5e6) + 1, envir = .AutoloadEnv)
          Sys.sleep(0.11)
          Sys.getpid()
        }"""
    model = bench.model(source)
    model.recycle_bytes = 250 << 20
    with model.start() as simulate:
        pids = [o.metrics["value"] for o in perform(simulate, 1, 20)]
    assert 2 <= len(set(pids)) <= 10
    assert len(set(pids)) == simulate.starts
    assert pids == sorted(pids, key=pids.index)


def test_a_fork_inside_the_model_does_no_harm(bench: Bench) -> None:
    source = """
        simulate <- function(replication) {
          parts <- parallel::mclapply(1:2, function(i) if (replication == 2 && i == 2) quit() else i, mc.cores = 2L)
          list(sum = sum(unlist(parts)), replication_was = replication)
        }"""
    outcomes = bench.run(source, 3)
    assert [o.metrics.get("replication_was") for o in outcomes] == [1, 2, 3]
    assert [o.metrics.get("sum") for o in outcomes] == [3, 1, 3]


# Errors and warnings


def test_an_error_comes_with_its_class_and_the_models_own_calls(bench: Bench) -> None:
    outcome = bench.one("""
        draw <- function(rate) {
          if (rate > 1) stop("rate is ", rate)
        }
        simulate <- function(beds = 12L, rate = 2.5) draw(rate)""")
    assert outcome.failure and (outcome.failure.kind, outcome.failure.type) == ("error", "simpleError")
    assert outcome.failure.message == "rate is 2.5"
    assert outcome.failure.traceback == (
        '3: stop("rate is ", rate) at model.R#3\n2: draw(rate) at model.R#5\n1: simulate()'
    )


@pytest.mark.parametrize(
    ("body", "type_", "message"),
    [
        ("stop(structure(class = c('own', 'error', 'condition'), list(message = 'mine', call = NULL)))", "own", "mine"),
        ("log('a')", "simpleError", "non-numeric argument to mathematical function"),
        ("library(thereIsNoSuchPackage)", "packageNotFoundError", "there is no package called ‘thereIsNoSuchPackage’"),
        ("undefined + 1", "simpleError", "object 'undefined' not found"),
        (
            "invokeRestart('abort')",
            "abort",
            'R gave up, as after the restart "abort" or where an error met another error',
        ),
        ("stop()", "simpleError", ""),
        ("stop('é\\n\"x\"')", "simpleError", 'é\n"x"'),
        (
            "{ options(warn = 2); as.integer('x') }",
            "simpleError",
            "(converted from warning) NAs introduced by coercion",
        ),
    ],
)
def test_each_kind_of_error_is_told_as_r_tells_it(bench: Bench, body: str, type_: str, message: str) -> None:
    outcomes = bench.run(f"simulate <- function(replication) if (replication == 2) {body} else 1", 3)
    assert failed(outcomes) == {2: ("error", type_)}
    assert outcomes[1].failure and outcomes[1].failure.message == message


def test_endless_recursion_is_an_error_like_any_other(bench: Bench) -> None:
    outcomes = bench.run(
        """
        forever <- function(n) forever(n + 1)
        deep <- function(n) { x <- lapply(1, function(i) deep(n)); x }
        simulate <- function(replication) {
          if (replication == 2) forever(1)
          if (replication == 3) { options(expressions = 500000); deep(1) }
          replication
        }""",
        4,
    )
    assert set(failed(outcomes)) == {2, 3}
    assert all(o.failure is None or "infinite recursion" in o.failure.message for o in outcomes)


def test_what_the_model_catches_is_its_own_business(bench: Bench) -> None:
    outcome = bench.one("""
        simulate <- function() {
          x <- tryCatch(stop("caught"), error = function(e) 5)
          y <- try(log("a"), silent = TRUE)
          z <- withCallingHandlers(suppressWarnings(as.integer("x")), error = function(e) NULL)
          x
        }""")
    assert outcome.failure is None
    assert (outcome.metrics, outcome.warning_count) == ({"value": 5.0}, 0)


def test_warnings_are_counted_and_the_first_ten_kept(bench: Bench) -> None:
    outcomes = bench.run(
        """
        check <- function(i) warning("number ", i)
        simulate <- function(replication) { if (replication == 2) for (i in 1:25) check(i); warning("last"); 1 }""",
        3,
    )
    assert [o.warning_count for o in outcomes] == [1, 26, 1]
    assert outcomes[1].warnings == tuple(f"In check(i): number {i}" for i in range(1, 11))
    assert outcomes[0].warnings == outcomes[2].warnings == ("last",)
    assert all(o.log == "" for o in outcomes)


def test_a_warning_that_is_only_signalled_does_not_disturb(bench: Bench) -> None:
    outcome = bench.one(
        "simulate <- function() { signalCondition(simpleWarning('quiet')); options(warn = -1); warning('x'); 1 }"
    )
    assert outcome.failure is None and outcome.warnings == ("quiet",)


def test_the_warnings_of_a_failure_are_kept(bench: Bench) -> None:
    outcome = bench.one("simulate <- function() { warning('first'); stop('then') }")
    assert outcome.failure and outcome.failure.message == "then"
    assert (outcome.warnings, outcome.warning_count) == (("first",), 1)


# What a replication changes


def values(outcomes: list[Outcome]) -> set[object]:
    return {o.failure or o.metrics["value"] for o in outcomes}


GLOBALS = """
    count <- 0
    flipped <- FALSE
    vector <- c(1, 2, 3)
    state <- new.env(); state$n <- 0
    nested <- list(inner = list(deep = new.env())); nested$inner$deep$n <- 0
    counter <- local({ n <- 0; function() { n <<- n + 1; n } })
    helper <- function() 1
    dt <- data.table::data.table(n = 1:3, m = c(1, 2, 3))
    Account <- setRefClass("Account", fields = list(total = "numeric"),
      methods = list(add = function(x) { total <<- total + x }))
    account <- Account$new(total = 0)
    `:=` <- data.table::`:=`
    simulate <- function(body) eval(parse(text = body))"""


@pytest.fixture(scope="module")
def meddling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RSimulate]:
    with Bench(tmp_path_factory.mktemp("meddling")).started(GLOBALS) as simulate:
        yield simulate


@pytest.mark.parametrize(
    "body",
    [
        "{ was <- is.null(getOption('my.own')) + getOption('digits'); options(my.own = 1, digits = 3); was }",
        "{ options(scipen = getOption('scipen') + 1); getOption('scipen') }",
        "{ options(OutDec = ','); as.integer(getOption('OutDec') == ',') + nchar(format(1.5)) }",
        "{ was <- basename(getwd()); setwd(tempdir()); nchar(was) }",
        "{ was <- Sys.getlocale('LC_CTYPE'); Sys.setlocale('LC_CTYPE', 'C'); nchar(was) }",
        "{ was <- Sys.getenv(c('TZ', 'MY_OWN')); Sys.setenv(TZ = 'Asia/Tokyo', MY_OWN = '1'); sum(nchar(was)) }",
        "{ was <- length(Sys.getenv()); Sys.unsetenv(c('PATH', 'TZ')); was }",
        "{ was <- length(dev.list()); plot(1); pdf(tempfile()); was }",
        "{ was <- length(search()); library(splines); attach(list(a = 1)); attach(list(a = 2)); was }",
        "{ was <- length(search()); detach('package:stats'); was }",
        "{ was <- 'stats4' %in% sub('package:', '', search()); library(stats4); was }",
        "{ was <- RNGkind()[2] == 'Inversion'; RNGkind('Mersenne', 'Box-Muller', 'Rounding'); rnorm(1); was }",
        "{ set.seed(1, kind = 'Wichmann-Hill'); sum(runif(2)) }",
        "{ count <<- count + 1; count }",
        "{ count <<- NULL; rm(count, envir = globalenv()); exists('count') }",
        "{ was <- exists('added'); added <<- 5; was }",
        "{ flipped <<- !flipped; flipped }",
        "{ state$n <- state$n + 1; state$n }",
        "{ was <- length(state); state$fresh <- 1; was }",
        "{ nested$inner$deep$n <- nested$inner$deep$n + 1; nested$inner$deep$n }",
        "counter()",
        "{ rm(list = ls(envir = globalenv(), all.names = TRUE), envir = globalenv()); 1 }",
        "{ for (name in c('c', 'list', 'eval', 'put', 'call', 'run', 'ls', 'T')) assign(name, 0, globalenv()); 1 }",
        "{ helper <<- function() 2; helper() + exists('added') }",
        "{ vector[2] <<- 100; sum(vector) }",
        "{ dt[, n := n + 1L]; data.table::set(dt, 1L, 'm', dt$m[1] + 1); sum(dt$n) + sum(dt$m) }",
        "{ account$add(5); account$total }",
        "{ simulate <<- function() 3; 1 }",
        "{ was <- existsMethod('show', 'numeric'); setMethod('summary', 'numeric', function(object) 1); was }",
        "{ Sys.setlocale('LC_COLLATE', 'en_US.UTF-8'); order(c('B', 'a'))[1] }",
        "{ was <- Sys.umask(); was <- 1; sink(tempfile()); was }",
    ],
)
def test_a_replication_does_not_see_what_another_changed(meddling: RSimulate, body: str) -> None:
    outcomes = perform(meddling, 1, 60, {"body": body})
    assert len(values(outcomes)) == 1, [o.failure or o.metrics for o in outcomes[:4]]
    assert not failed(outcomes)
    assert meddling.starts == 1


@pytest.mark.parametrize("load", ["library(data.table)", "requireNamespace('data.table')", "data.table::address(1)"])
def test_options_that_a_package_sets_when_it_is_loaded_stay_with_it(bench: Bench, load: str) -> None:
    body = f"{load}; x <- data.table::data.table(n = 1:3); options(my.own = 1); x[, sum(n)]; as.numeric(was)"
    outcomes = bench.run(f"simulate <- function() {{ was <- is.null(getOption('my.own')); {body} }}", 9)
    assert not failed(outcomes), outcomes[1].failure
    assert values(outcomes) == {1.0}


def test_parameters_are_the_same_for_every_replication(bench: Bench) -> None:
    source = """
        simulate <- function(vector, params) {
          vector[2] <- vector[2] + 1; params$deep$x[1] <- params$deep$x[1] + 1
          sum(vector) + sum(params$deep$x)
        }"""
    with bench.started(source) as simulate:
        outcomes = perform(simulate, 1, 60, {"vector": [1, 2, 3], "deep": {"x": [1.5, 2.5]}})
    assert values(outcomes) == {7 + 5.0}


def test_globals_that_the_model_only_reads_are_not_copied(bench: Bench) -> None:
    outcomes = bench.run(
        """
        big <- numeric(5e7)
        simulate <- function() as.numeric(strsplit(readLines("/proc/self/statm"), " ")[[1]][2]) * 4096""",
        50,
    )
    assert max(o.metrics["value"] or 0 for o in outcomes) < 5e7 * 8 * 1.6


def test_the_global_environment_holds_what_the_model_put_there_and_nothing_else(bench: Bench) -> None:
    outcome = bench.one("""
        rm(list = ls(all.names = TRUE))
        x <- 1
        simulate <- function() list(t = data.frame(name = ls(globalenv(), all.names = TRUE)))""")
    assert columns(outcome.tables["t"])["name"] == [".Random.seed", "simulate", "x"]
    outcome = bench.one("simulate <- function() list(t = data.frame(name = search()))")
    usual = ["stats", "graphics", "grDevices", "utils", "datasets", "methods"]
    expected = [".GlobalEnv", "tools:replicast", *(f"package:{name}" for name in usual), "Autoloads", "package:base"]
    assert columns(outcome.tables["t"])["name"] == expected


def test_arguments_of_the_command_line_are_none_of_ours(bench: Bench) -> None:
    assert bench.one("simulate <- function() length(commandArgs(trailingOnly = TRUE))").metrics == {"value": 0}


# The surroundings


def test_language_zone_and_threads_are_fixed(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LC_ALL": "POSIX", "LANG": "de_DE.UTF-8", "TZ": "Asia/Tokyo", "OMP_NUM_THREADS": "8"}.items():
        monkeypatch.setenv(name, value)
    outcome = bench.one("""
        simulate <- function() list(t = data.frame(
          zone = Sys.timezone(), ctype = Sys.getlocale("LC_CTYPE"), collate = Sys.getlocale("LC_COLLATE"),
          sorted = paste(sort(c("b", "A", "a", "é")), collapse = ""), threads = Sys.getenv("OMP_NUM_THREADS"),
          tables = data.table::getDTthreads(), shown = format(as.POSIXct(0, origin = "1970-01-01"))))""")
    assert {name: v[0] for name, v in columns(outcome.tables["t"]).items()} == {
        "zone": "UTC", "ctype": "C.UTF-8", "collate": "C", "sorted": "Aabé", "threads": "1", "tables": 1,
        "shown": "1970-01-01",
    }  # fmt: skip


def test_plots_go_nowhere(bench: Bench) -> None:
    outcomes = bench.run("simulate <- function() { plot(1:10); hist(c(1, 2, 2)); length(dev.list()) }", 3)
    assert values(outcomes) == {1}
    assert sorted(path.name for path in bench.folder.iterdir()) == ["model.R"]


def test_profiles_of_the_folder_are_not_run_and_its_renv_library_is_used(bench: Bench) -> None:
    bench.write("stop('the profile ran')", ".Rprofile")
    bench.write("OWN_VARIABLE=1", ".Renviron")
    bench.write("stop('renv was activated')", "renv/activate.R")
    version = bench.one("""
        simulate <- function() list(t = data.frame(
          version = paste0("R-", R.version$major, ".", sub("[.].*", "", R.version$minor)),
          platform = R.version$platform))""")
    row = {name: found[0] for name, found in columns(version.tables["t"]).items()}
    library = f"renv/library/linux/{row['version']}/{row['platform']}"
    bench.write("Package: pinned\nVersion: 1.2.3\nBuilt: R 4.0.0; ; 2024-01-01; unix", f"{library}/pinned/DESCRIPTION")
    outcome = bench.one("""
        simulate <- function() list(t = data.frame(
          found = nzchar(system.file(package = "pinned")), first = basename(.libPaths()[1]),
          set = nzchar(Sys.getenv("R_LIBS")), own = Sys.getenv("OWN_VARIABLE")))""")
    assert {k: v[0] for k, v in columns(outcome.tables["t"]).items()} == {
        "found": True, "first": row["platform"], "set": True, "own": "",
    }  # fmt: skip


def test_editing_the_file_changes_nothing_that_is_loaded(bench: Bench) -> None:
    with bench.started("simulate <- function(replication) 1") as simulate:
        perform(simulate, 1, 1)
        bench.write("simulate <- function(replication) stop('edited')")
        assert values(perform(simulate, 2, 40)) == {1.0}


def test_an_interrupt_that_the_model_swallows_does_not_keep_it_alive(bench: Bench) -> None:
    source = "simulate <- function() repeat tryCatch(Sys.sleep(5), interrupt = function(e) cat('swallowed '))"
    with bench.started(source, timeout_seconds=2) as simulate:
        pid = simulate.make_ready().process.pid
        listening = iter(simulate(Scenario("base", {}), 1, 1, lambda _i: os.kill(pid, signal.SIGINT)))
        outcome = next(listening)
    assert outcome.failure and outcome.failure.kind in ("timeout", "died")
    assert not Path(f"/proc/{pid}").exists()


def test_seconds_are_those_inside_the_model(bench: Bench) -> None:
    began = time.monotonic()
    outcome = bench.one("Sys.sleep(0.5)\nsimulate <- function() { Sys.sleep(0.2); 1 }")
    assert 0.2 <= outcome.seconds < time.monotonic() - began - 0.5
