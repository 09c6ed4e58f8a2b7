"""A query reads the tables that it is allowed, whatever hides what else it would read."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from replicast.core.errors import RequestError
from replicast.reporting.allowance import allowed

KNOWN = {
    "metrics": pl.DataFrame({"scenario": ["base", "base"], "replication": [1, 2], "x": [0.5, 1.5]}),
    "patients": pl.DataFrame({"replication": [1, 2, 2], "los": [1.0, 2.0, 4.0]}),
}
FILE = Path("hidden.csv")
SECRET = "s3cr3t"
PIECES = [
    "SELECT", "*", "FROM", "metrics", "patients", "WITH", "w", "AS", "(", ")", ",", "WHERE", "JOIN", "UNION ALL", "x",
    "1", "=", "'", "''", '"', '""', "`", "\\", "\\'", "--", "\n", "/*", "*/", "/**/", "$$", "$a$", "#", ";",
    "E'", "U&'", "N'", "X'", "{#", "#}", "{{", "}}", "ON TRUE", "USING", "LATERAL", "TABLE", "UNNEST", "ON", "read_csv",
    "READ_CSV", '"read_csv"', "`read_csv`", "read_csv('hidden.csv')", "SELECT * FROM read_csv('hidden.csv')",
    "('hidden.csv')",
    "'hidden.csv'", "FROM read_csv('hidden.csv')", "\0", "\u00a0", "\u2028", "\r", "--\r", "EXPLAIN",
    "SHOW TABLES", "\ufeff",
]  # fmt: skip


def ran(text: str) -> pl.DataFrame:
    asked = allowed(text, KNOWN)
    found = pl.SQLContext({name: KNOWN[name] for name in asked.tables}, eager=True).execute(asked.text)
    assert isinstance(found, pl.DataFrame)
    return found


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("here"))
        FILE.write_text(f"x\n{SECRET}\n")
        yield


def test_the_engine_would_read_the_file() -> None:
    assert SECRET in str(pl.SQLContext(eager=True).execute("SELECT * FROM read_csv('hidden.csv')"))


@given(st.lists(st.sampled_from(PIECES), max_size=14), st.sampled_from(["", " "]), st.booleans())
@example(["SELECT $$/*$$, * FROM read_csv('hidden.csv') WHERE '*/' = '*/'"], "", False)
@example(["SELECT '\\', * FROM read_csv('hidden.csv') WHERE '\\' = ''"], "", False)
@example(["SELECT '/*' AS a, * FROM read_csv('hidden.csv') WHERE '*/' = '*/'"], "", False)
@example(["WITH metrics AS (SELECT * FROM read_csv('hidden.csv')) SELECT * FROM metrics"], "", False)
@example(["SELECT /* /* */ * FROM read_csv('hidden.csv') -- */"], "", False)
@example(['SELECT 1 AS "a""", * FROM read_csv(\'hidden.csv\') --"'], "", False)
@example(["SELECT * FROM metrics {# x #} UNION ALL SELECT * FROM read_csv('hidden.csv') {# #}"], "", False)
@settings(max_examples=400, deadline=None)
def test_no_way_of_writing_a_query_reads_a_file(pieces: list[str], between: str, begins: bool) -> None:
    try:
        found = ran(("SELECT * FROM metrics " if begins else "") + between.join(pieces))
    except (RequestError, pl.exceptions.PolarsError):
        return
    assert SECRET not in str(found.rows())


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("SELECT x FROM metrics -- all", [(0.5,), (1.5,)]),
        ("WITH w AS (SELECT replication, max(los) AS los FROM patients GROUP BY replication) "
         "SELECT m.x, w.los FROM metrics AS m JOIN w USING (replication) ORDER BY 1", [(0.5, 1.0), (1.5, 4.0)]),
        ("SELECT count(*) FROM (SELECT * FROM patients WHERE los > (SELECT min(los) FROM patients)) AS p", [(2,)]),
        ("SELECT 'it''s /* no */ . 5 --' AS \"a \"\"name\"\"\" FROM metrics LIMIT 1", [("it's /* no */ . 5 --",)]),
        ("SELECT x FROM metrics UNION ALL SELECT los FROM patients ORDER BY 1 DESC LIMIT 2", [(4.0,), (2.0,)]),
        ("SELECT '\\d' AS a, `x` FROM \"metrics\" WHERE x > .75 AND x < 1.6e-0;", [("\\d", 1.5)]),
        ("SELECT * EXCLUDE (scenario, replication) FROM metrics WHERE scenario ILIKE 'BA%' AND x::int = 0", [(0.5,)]),
        ("SELECT s.v FROM generate_series(1, 2) AS s(v)", [(1,), (2,)]),
    ],
)  # fmt: skip
def test_what_reads_the_runs_tables_is_answered_as_the_engine_would(text: str, rows: list[tuple[object, ...]]) -> None:
    assert ran(text).rows() == rows


def test_only_tables_that_are_named_are_read() -> None:
    assert allowed("WITH w AS (SELECT 'patients' AS a) SELECT * FROM w, metrics", KNOWN).tables == {"metrics"}
    assert allowed("SHOW TABLES", KNOWN).lists


def test_a_query_that_is_nested_too_deep_is_refused() -> None:
    with pytest.raises(RequestError, match="cannot be answered"):
        allowed("SELECT " + "(" * 5000 + "1" + ")" * 5000, KNOWN)
