"""What a query may read: the tables that it is allowed, found by parsing it, and nothing else.

The engine gets the query as it was understood here: each token written out again, literals and names in plain quotes,
without comments. So no comment, no way of quoting and no literal can be one thing to the parser and another to it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from replicast.core.errors import RequestError, nearest

try:
    import sqlglot
    from sqlglot import Tokenizer, TokenType, exp
    from sqlglot.errors import SqlglotError
except ImportError:
    raise RequestError("queries need: python -m pip install 'replicast[sql]'") from None

READING = ("SELECT", "WITH", "SHOW", "EXPLAIN", "VALUES", "(")
PLAIN = re.compile(r"(?!.*(--|/\*|\*/))([\w.]+(e[+-]\d+|( \w+)*)|[-+*/%<>=!|&^~(),.:\[\]@?]+)", re.DOTALL)
"""A token that is written as it came: a word, a number or a sign, and nothing that quotes or comments."""

FILES = re.compile(r"(read|scan|sink|write)_\w*", re.IGNORECASE)
"""No column of a run is the value of such a function either."""

SOURCES = (exp.Table, exp.Subquery, exp.Unnest, exp.Values)
"""What rows may come from."""

QUOTED = {"STRING": "'", "IDENTIFIER": '"'}


class Tokens(Tokenizer):  # attributes are as the library declares them
    IDENTIFIERS = ['"', "`"]  # noqa: RUF012
    COMMANDS = set()  # noqa: RUF012
    KEYWORDS = Tokenizer.KEYWORDS | {"//": TokenType.DIV, "^@": TokenType.CARET_AT}


@dataclass(frozen=True, slots=True)
class Allowed:
    """The query as it may run, and the tables that it names; `lists` asks for the tables' names alone."""

    text: str
    tables: frozenset[str]
    lists: bool = False


def allowed(text: str, known: Collection[str]) -> Allowed:
    """Raises RequestError for a query that does more than read tables among `known`, or cannot be understood."""
    try:
        found = list(Tokens().tokenize(text))
    except SqlglotError as error:
        raise _not_understood(error) from None
    if found and found[-1].token_type.name == "SEMICOLON":
        found.pop()
    written = [_written(token) for token in found]
    word = written[0].upper() if written else ""
    if word not in READING:
        given = f"'{found[0].text}'" if found else "nothing"
        raise RequestError(f"a query begins with SELECT or WITH, not with {given}: it reads a run and changes nothing")
    if word == "SHOW":
        if [one.upper() for one in written] != ["SHOW", "TABLES"]:
            raise RequestError("of what SHOW shows, a query has SHOW TABLES")
        return Allowed("", frozenset(), lists=True)
    tables = _tables(_joined(written[word == "EXPLAIN" :]), known)
    return Allowed(_joined(written), tables)


def _joined(written: Sequence[str]) -> str:
    """With a space between any two, but after a point, with which a number may begin."""
    return "".join(one if one == "." else one + " " for one in written)


def _written(token: Any) -> str:
    """Raises RequestError for what is neither a literal nor a plain word or sign."""
    if token.token_type.name == "SEMICOLON":
        raise RequestError("a query is one SELECT, without a ';' in it")
    quote = QUOTED.get(token.token_type.name)
    if quote is not None:
        return quote + str(token.text).replace(quote, quote * 2) + quote
    if not PLAIN.fullmatch(token.text):
        raise RequestError(f"a query cannot have '{token.text}' in it; write text as 'text' and names as \"name\"")
    return str(token.text)


def _tables(text: str, known: Collection[str]) -> frozenset[str]:
    try:
        statements = _parsed(text)
    except (SqlglotError, RecursionError) as error:
        raise _not_understood(error) from None
    statement = statements[0] if len(statements) == 1 else None
    if not isinstance(statement, exp.Query | exp.Values):
        raise RequestError("a query is one SELECT; it reads a run and changes nothing")
    for part in statement.walk():
        if isinstance(part, exp.Into | exp.DML | exp.DDL | exp.Command) and not isinstance(part, exp.Query):
            raise RequestError("a query reads a run and changes nothing")
        if isinstance(part, exp.Func) and FILES.fullmatch(
            part.name if isinstance(part, exp.Anonymous) else part.sql_name()
        ):
            raise _no_files()
    own = {one.alias for one in statement.find_all(exp.CTE)}
    return frozenset(_named(source, known) for source in _sources(statement) if not _is_own(source, own))


def _parsed(text: str) -> Sequence[object]:
    log = logging.getLogger("sqlglot")
    level, log.level = log.level, logging.CRITICAL
    try:
        return sqlglot.parse(text, dialect="duckdb")
    finally:
        log.level = level


def _sources(statement: exp.Query | exp.Values) -> Iterator[exp.Table]:
    """Every table that rows come from, at any depth. Raises RequestError for what is none."""
    for clause in statement.find_all(exp.From, exp.Join, exp.Lateral):
        if not isinstance(clause.this, SOURCES):
            raise _no_files()
    yield from (one for one in statement.find_all(exp.Table) if not isinstance(one.this, exp.GenerateSeries))


def _is_own(source: exp.Table, own: Collection[str]) -> bool:
    return isinstance(source.this, exp.Identifier) and not source.db and source.name in own


def _named(source: exp.Table, known: Collection[str]) -> str:
    if not isinstance(source.this, exp.Identifier) or source.db:
        raise _no_files()
    if source.name not in known:
        hint = nearest(source.name, known).partition(" (known")[0]
        raise RequestError(f"the run has no table '{source.name}'{hint}; it has {', '.join(known)}")
    return source.name


def _no_files() -> RequestError:
    return RequestError("a query reads the tables of its run, and no files")


def _not_understood(error: Exception) -> RequestError:
    lines = re.sub(r"\x1b\[\d*m", "", str(error)).splitlines()
    return RequestError(f"the query cannot be answered: {lines[0] if lines else type(error).__name__}")
