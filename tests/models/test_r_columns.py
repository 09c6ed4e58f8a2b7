"""Values cross between Python and R bit for bit, both ways: NA is not NaN, and every text keeps its characters."""

import datetime
import math
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from arro3.core import Table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from r_bench import Bench, columns, perform, types

from replicast.core.errors import ParameterError
from replicast.models.r_literals import literal
from replicast.models.r_simulate import RSimulate

pytestmark = pytest.mark.r

SUBNORMAL = [5e-324, -5e-324, 2.2250738585072009e-308, 1e-310]
doubles = st.none() | st.floats() | st.sampled_from([0.0, -0.0, math.inf, -math.inf, math.nan, *SUBNORMAL])
integers = st.none() | st.integers(-(2**31) + 1, 2**31 - 1)
truths = st.none() | st.booleans()
awkward = [
    "",
    "NA",
    "null",
    '"',
    "'",
    "\\",
    "a\nb",
    "\r\n",
    "\t",
    "é",
    "日本",
    "🙂",
    "\u0001",
    "%s",
    "{x}",
    "\u2028",
    "a\\nb",
]
texts = (
    st.none() | st.sampled_from(awkward) | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
)
relaxed = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

ECHO = """
    simulate <- function(double, integer, logical, text) list(t = data.frame(
      double = as.double(double), integer = as.integer(integer), logical = as.logical(logical),
      text = as.character(text), factor = factor(text, exclude = NULL)))
"""


def bits(value: float | None) -> bytes | None:
    """Equal for equal values, for NaN and NaN, and for nothing else."""
    return None if value is None else b"NaN" if value != value else struct.pack("d", value)


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RSimulate]:
    with Bench(tmp_path_factory.mktemp("echo")).started(ECHO) as simulate:
        yield simulate


@relaxed
@given(st.lists(st.tuples(doubles, integers, truths, texts), min_size=1, max_size=30))
def test_parameters_reach_r_and_tables_come_back_unchanged(echo: RSimulate, rows: list[tuple[Any, ...]]) -> None:
    sent = dict(zip(("double", "integer", "logical", "text"), map(list, zip(*rows, strict=True)), strict=True))
    (outcome,) = perform(echo, 1, 1, sent)
    assert outcome.failure is None, outcome.failure
    got = columns(outcome.tables["t"])
    assert [bits(v) for v in got.pop("double")] == [bits(v) for v in sent.pop("double")]
    assert got == sent | {"factor": sent["text"]}
    assert types(outcome.tables["t"]) == {
        "double": "Float64", "integer": "Int64", "logical": "Boolean", "text": "Utf8", "factor": "Utf8",
    }  # fmt: skip


@relaxed
@given(doubles, integers, truths, texts)
def test_single_values_reach_r_with_their_type(
    echo: RSimulate, double: float | None, integer: int | None, logical: bool | None, text: str | None
) -> None:
    sent = {"double": double, "integer": integer, "logical": logical, "text": text}
    (outcome,) = perform(echo, 1, 1, {name: NONE if value is None else value for name, value in sent.items()})
    assert outcome.failure is None, outcome.failure
    got = {name: values[0] for name, values in columns(outcome.tables["t"]).items()}
    assert bits(got.pop("double")) == bits(sent.pop("double"))
    assert got == sent | {"factor": text}


NONE = [None]
"""A missing value as a vector of one: None alone is NULL, which makes no row."""


@pytest.fixture(scope="module")
def naming(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RSimulate]:
    source = "simulate <- function(x) list(t = data.frame(kind = typeof(x)))"
    with Bench(tmp_path_factory.mktemp("naming")).started(source) as simulate:
        yield simulate


@pytest.mark.parametrize(
    ("value", "source", "kind"),
    [
        (1, "1L", "integer"),
        (1.0, "0x1.0000000000000p+0", "double"),
        (True, "TRUE", "logical"),
        (None, "NULL", "NULL"),
        ("é", '"\\U{e9}"', "character"),
        (2**31, "0x1.0000000000000p+31", "double"),
        ([1, 2], "c(1L, 2L)", "integer"),
        ([1, 2.5], "c(0x1.0000000000000p+0, 0x1.4000000000000p+1)", "double"),
        ([None, True], "c(NA, TRUE)", "logical"),
        ([None, "a"], 'c(NA, "a")', "character"),
        ([], "list()", "list"),
        ([1, "a"], 'list(1L, "a")', "list"),
        ([[1], [2]], "list(c(1L), c(2L))", "list"),
        ({"a b": 1}, 'structure(list(1L), names = c("a b"))', "list"),
        ({}, "structure(list(), names = character())", "list"),
        ((1, 2), "c(1L, 2L)", "integer"),
    ],
)
def test_a_parameter_is_written_as_r_writes_it(naming: RSimulate, value: object, source: str, kind: str) -> None:
    assert literal(value) == source
    (outcome,) = perform(naming, 1, 1, {"x": value})
    assert columns(outcome.tables["t"]) == {"kind": [kind]}


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (2**53 + 1, "beyond what R holds exactly"),
        ("a\0b", "a zero character"),
        ("\ud800", "not valid Unicode"),
        (b"x", "of type bytes"),
        ({"a": {1, 2}}, "of type set"),
    ],
)
def test_what_r_cannot_hold_is_refused(value: object, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        literal(value)


def test_days_and_times_keep_their_value_and_zone(bench: Bench) -> None:
    outcome = bench.one("""
        simulate <- function() list(t = data.frame(
          day = as.Date(c(0, -1, 19782, 19782.75, NA, 1e10, -719162), origin = "1970-01-01"),
          whole = structure(c(18000L, NA, 1:5), class = "Date"),
          utc = as.POSIXct(c(0, -0.5, 1718452800.123456, 1e10, NA, NaN, -9e9), origin = "1970-01-01", tz = "UTC"),
          zoned = structure(rep(1718452800, 7), class = c("POSIXct", "POSIXt"), tzone = "Asia/Kolkata"),
          zoneless = structure(rep(1718452800L, 7), class = c("POSIXct", "POSIXt")),
          nowhere = structure(rep(1718452800, 7), class = c("POSIXct", "POSIXt"), tzone = "Middle/Earth")))""")
    table = outcome.tables["t"]
    got = columns(table)
    assert got["day"][:4] == [datetime.date(1970, 1, 1), datetime.date(1969, 12, 31)] + 2 * [datetime.date(2024, 2, 29)]
    assert got["day"][4:] == [None, None, datetime.date(1, 1, 1)]
    assert got["whole"][:3] == [datetime.date(2019, 4, 14), None, datetime.date(1970, 1, 2)]
    assert types(table)["utc"] == 'Timestamp(µs, "UTC")'
    assert (
        types(table)["zoned"] == 'Timestamp(ns, "Asia/Kolkata")' and types(table)["zoneless"] == 'Timestamp(ns, "UTC")'
    )
    assert types(table)["nowhere"] == 'Timestamp(ns, "UTC")'
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert [None if t is None else (t - epoch).total_seconds() for t in got["utc"]] == [
        0.0, -0.5, 1718452800.123456, 1e10, None, None, -9e9,
    ]  # fmt: skip


def test_text_in_another_encoding_arrives_as_unicode(bench: Bench) -> None:
    table = bench.one(r"""
        latin <- "caf\xe9"
        Encoding(latin) <- "latin1"
        simulate <- function() list(t = data.frame(a = c(latin, "caf\u00e9"), b = factor(c(latin, NA))))
    """).tables["t"]
    assert columns(table) == {"a": ["café", "café"], "b": ["café", None]}


def test_64_bit_integers_cross_whole(bench: Bench) -> None:
    outcome = bench.one("""
        bits <- function(...) structure(readBin(as.raw(c(...)), "double", 3), class = "integer64")
        x <- bits(c(255, 255, 255, 255, 255, 255, 255, 127), c(0, 0, 0, 0, 0, 0, 0, 128), c(254, rep(255, 7)))
        simulate <- function() list(t = data.frame(x = I(x)))""")
    assert columns(outcome.tables["t"]) == {"x": [2**63 - 1, None, -2]}


NANOSECOND = 1_000_000_000
frames = st.fixed_dictionaries(
    {
        "double": doubles,
        "integer": integers,
        "large": st.none() | st.integers(-(2**53), 2**53),
        "huge": st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
        "logical": truths,
        "text": texts,
        "day": st.none() | st.dates(),
    }
)
SCHEMA: dict[str, Any] = {
    "double": pl.Float64, "integer": pl.Int32, "large": pl.Int64, "huge": pl.Int64, "logical": pl.Boolean,
    "text": pl.String, "day": pl.Date,
}  # fmt: skip


def as_r_returns_it(name: str, values: list[Any]) -> list[Any]:
    """R holds what fits as integer, else as double, else as integer64; each comes back as such."""
    present = [v for v in values if v is not None]
    beyond = any(abs(v) >= 2**31 for v in present) if name in ("large", "huge") else False
    if beyond and all(abs(v) <= 2**53 for v in present):
        return [None if v is None else float(v) for v in values]
    return values


@pytest.mark.long
@settings(relaxed, max_examples=12)
@given(st.lists(st.lists(frames, max_size=20), min_size=1, max_size=6))
def test_tables_reach_collate_and_come_back_unchanged(
    bench_of_identity: Bench, tables: list[list[dict[str, Any]]]
) -> None:
    frames = {f"table {i}": pl.DataFrame(rows, schema=SCHEMA, orient="row") for i, rows in enumerate(tables)}
    model = bench_of_identity.model()
    returned = model.collate({name: Table.from_arrow(frame) for name, frame in frames.items()})
    assert list(returned) == list(frames)
    for name, frame in frames.items():
        got, sent = columns(returned[name]), frame.to_dict(as_series=False)
        assert [bits(v) for v in got.pop("double")] == [bits(v) for v in sent.pop("double")]
        assert got == {column: as_r_returns_it(column, values) for column, values in sent.items()}


@pytest.fixture(scope="module")
def bench_of_identity(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    bench = Bench(tmp_path_factory.mktemp("identity"))
    bench.write("simulate <- function() 1\ncollate <- function(tables) tables")
    return bench


def test_times_reach_collate_and_come_back_to_the_last_bit(bench_of_identity: Bench) -> None:
    seconds = np.array([0.0, 1718452800.1, 1718452800.123456789, -1e9 / 3, 1e8 / 7])
    exact = pl.Series([int(np.floor(s)) * NANOSECOND + round((s % 1) * NANOSECOND) for s in seconds])
    frame = pl.DataFrame({"t": exact.cast(pl.Datetime("ns", "Europe/Paris")), "n": exact.cast(pl.Datetime("ns"))})
    (returned,) = bench_of_identity.model().collate({"x": Table.from_arrow(frame)}).values()
    assert types(returned) == {"t": 'Timestamp(ns, "Europe/Paris")', "n": 'Timestamp(ns, "UTC")'}
    assert pl.DataFrame(returned)["t"].to_physical().to_list() == exact.to_list()
    assert pl.DataFrame(returned)["n"].to_physical().to_list() == exact.to_list()


def test_a_wide_and_a_long_table_arrive_whole(tmp_path: Path) -> None:
    source = """
        simulate <- function(replication) list(
          long = data.frame(x = seq_len(300000) / 3, who = sprintf("patient %d", seq_len(300000))),
          wide = as.data.frame(matrix(replication + seq_len(6000), 2)))"""
    outcomes = Bench(tmp_path).run(source, 2)
    long, wide = outcomes[1].tables["long"], outcomes[1].tables["wide"]
    assert np.array_equal(np.asarray(long.column("x").combine_chunks()), np.arange(1, 300001) / 3)
    assert long.column("who")[299999].as_py() == "patient 300000"
    assert wide.num_columns == 3000 and wide.column("V3000")[1].as_py() == 6002
