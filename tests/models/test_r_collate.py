"""The collation chunk in R: all tables, or all kept objects, in; tables out."""

from pathlib import Path

import polars as pl
import pytest
from arro3.core import Table
from r_bench import Bench, columns, perform

from replicast.core.errors import ModelError
from replicast.core.experiment import Collation

pytestmark = pytest.mark.r

ARRIVALS = Table.from_arrow(
    pl.DataFrame(
        {"scenario": ["base"] * 3, "replication": [1, 1, 2], "time": [0.1, 0.2, None], "who": ["a", None, "é"]}
    )
)


def test_collate_is_given_all_tables_as_data_frames(bench: Bench) -> None:
    collated = bench.model("""
        simulate <- function() 1
        collate <- function(tables) {
          stopifnot(identical(names(tables), c("arrivals", "empty")), identical(class(tables$arrivals), "data.frame"))
          stopifnot(is.integer(tables$arrivals$replication), nrow(tables$empty) == 0L, ncol(tables$empty) == 4L)
          list(mean = aggregate(time ~ scenario + replication, tables$arrivals, mean), all = tables$arrivals)
        }""").collate({"arrivals": ARRIVALS, "empty": ARRIVALS.slice(0, 0)})
    assert columns(collated["mean"]) == {"scenario": ["base"], "replication": [1], "time": [(0.1 + 0.2) / 2]}
    assert columns(collated["all"]) == columns(ARRIVALS)


def test_a_lone_data_frame_is_called_collated(bench: Bench) -> None:
    model = bench.model("simulate <- function() 1\ncollate <- function(tables) tables$a[tables$a$replication > 1, ]")
    assert columns(model.collate({"a": ARRIVALS})["collated"])["who"] == ["é"]


def test_collate_is_given_kept_objects_in_order(bench: Bench) -> None:
    source = """
        simulate <- function(replication) list(x = replication, f = function() replication)
        collate <- function(objects) data.frame(place = seq_along(objects), x = vapply(objects, function(o) o$x, 0L))"""
    with bench.started(source, keep=True) as simulate:
        paths = [Path(str(o.folder)) / "result.rds" for o in perform(simulate, 1, 12)]
        collated = bench.model(keep=True).collate(None, paths[::-1])
    assert columns(collated["collated"]) == {"place": list(range(1, 13)), "x": list(range(12, 0, -1))}


def test_a_file_of_its_own_may_hold_the_collation(bench: Bench) -> None:
    bench.write("merge_all <- function(tables) data.frame(n = nrow(tables$a))", "output.R")
    model = bench.model("stop('not loaded')", collation=Collation("output.R", "merge_all"))
    assert columns(model.collate({"a": ARRIVALS})["collated"]) == {"n": [3]}


@pytest.mark.parametrize(
    ("body", "said", "detail"),
    [
        ("stop('no beds')", "model.R failed to collate: no beds", '2: stop("no beds")'),
        ("list()[[5]]", "subscript out of bounds", "1: collate(tables)"),
        ("1", "collate returned", ""),
        ("list(tables$a)", "a list of 1 without names", ""),
        ("list(a = tables$a, b = 5)", "a list of a, b", ""),
        ("{ cat('printed'); quit() }", "the model called quit()", "printed"),
        ("{ cat('printed'); tools::pskill(Sys.getpid(), 9); Sys.sleep(60) }", "SIGKILL", "printed"),
        ("data.frame(x = I(list(1)))", "column 'x' of table 'collated' is of type list", ""),
    ],
)
def test_a_collate_that_fails_is_told_as_r_tells_it(bench: Bench, body: str, said: str, detail: str) -> None:
    model = bench.model(f"simulate <- function() 1\ncollate <- function(tables) {body}")
    with pytest.raises(ModelError) as caught:
        model.collate({"a": ARRIVALS})
    assert said in str(caught.value)
    assert detail in caught.value.detail
    assert list(bench.scratch.iterdir()) == []


def test_a_file_without_collate_is_refused(bench: Bench) -> None:
    with pytest.raises(ModelError, match=r"model\.R has no function 'collate'"):
        bench.model("simulate <- function() 1").collate({"a": ARRIVALS})


def test_what_a_data_frame_cannot_hold_is_refused_by_name(bench: Bench) -> None:
    nested = Table.from_arrow(pl.DataFrame({"x": [[1, 2]]}))
    with pytest.raises(ModelError, match="column 'x' of table 'a' holds List"):
        bench.model("simulate <- function() 1").collate({"a": nested})


def test_a_large_table_goes_both_ways(bench: Bench) -> None:
    frame = pl.DataFrame({"i": range(400_000)}).with_columns(x=pl.col("i") / 7, who="p" + pl.col("i").cast(pl.String))
    model = bench.model("simulate <- function() 1\ncollate <- function(tables) tables")
    returned = pl.DataFrame(model.collate({"a": Table.from_arrow(frame)})["a"])
    assert returned.equals(frame)
