"""The first wall: only a single statement that reads, and calls nothing but known functions, passes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import sqlglot
from sqlglot import Token, TokenType, exp
from sqlglot.errors import SqlglotError

from agentic import ToolRetry
from agentic_sql.functions import ALLOWED, SECRET_SCHEMAS, SECRET_TABLES
from agentic_sql.wording import READS_ONLY, check_function_name, words_of

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as the driver takes it, its values by name, and the tables that it speaks of."""

    text: str
    values: Mapping[str, Value]
    tables: tuple[str, ...]


_NODES = (
    "DML DDL Command Into Lock Parameter SessionParameter Pragma Attach Detach Copy Set Use Kill Transaction Commit "
    "Rollback Drop Alter TruncateTable LoadData Grant Revoke Comment Analyze Describe Show Execute NextValueFor "
    "Refresh Cache Uncache Declare Install Export Put Get ReadCSV ReadParquet Heredoc"
).split()
_REFUSED_NODES: tuple[type[Any], ...] = tuple(getattr(exp, name) for name in _NODES if hasattr(exp, name))

# What the parser raises where it stumbles over odd input instead of refusing it.
_STUMBLES = (AttributeError, AssertionError, LookupError, TypeError, ValueError)


def read(query: str, params: Mapping[str, Value], dialect: str, own_functions: Collection[str]) -> Statement:
    """The statement, checked and with its parameters in the driver's form.

    ``dialect``: sqlite, postgres or mysql. ``own_functions``: names that the operator allows besides the known ones.
    Raises ToolRetry that tells what is refused, and what to write instead.
    """
    words = words_of(query, dialect)
    tree = _parsed(query[: words[-1].end + 1], dialect)
    if not isinstance(tree, exp.Query | exp.Values):
        raise ToolRetry(READS_ONLY)
    tables: dict[str, None] = {}
    names: list[str] = []
    ctes = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    for node in tree.walk():
        _check_node(node, dialect, own_functions)
        if isinstance(node, exp.Table) and node.name and node.name.lower() not in ctes:
            tables[node.name] = None
        elif isinstance(node, exp.Placeholder):
            names.append(_parameter(node))
    return Statement(
        _bound(query[: words[-1].end + 1], words, names, dialect),
        {name: _value(name, params) for name in names},
        tuple(tables),
    )


def _parsed(query: str, dialect: str) -> Any:
    try:
        [tree] = sqlglot.parse(query, read=dialect)
    except SqlglotError as error:
        raise ToolRetry(f"This cannot be read as a {dialect} SELECT statement{_place(error)}. {READS_ONLY}") from None
    except RecursionError:
        raise ToolRetry("The statement is nested too deeply.") from None
    except _STUMBLES:
        raise ToolRetry(f"This cannot be read as a {dialect} SELECT statement. {READS_ONLY}") from None
    return tree


def _place(error: SqlglotError) -> str:
    for details in getattr(error, "errors", ()):
        if details.get("line"):
            return f" (line {details['line']}, column {details['col']})"
    return ""


def _check_node(node: Any, dialect: str, own_functions: Collection[str]) -> None:
    if isinstance(node, _REFUSED_NODES):
        raise ToolRetry(f"{_kind(node)} is refused. {READS_ONLY}")
    if isinstance(node, exp.CTE) and not isinstance(node.this, exp.Query | exp.Values):
        raise ToolRetry(f"WITH may hold queries only. {READS_ONLY}")
    if isinstance(node, exp.Table):
        _check_table(node)
    if isinstance(node, exp.Dot) and isinstance(node.expression, exp.Func):
        _check_qualified(node, own_functions)
    elif isinstance(node, exp.Anonymous):
        _check_call(node, dialect, own_functions)
    elif isinstance(node, exp.Func):
        for name in node.sql_names():
            check_function_name(name)


def _kind(node: Any) -> str:
    if isinstance(node, exp.Lock):
        return "Locking rows (FOR UPDATE, FOR SHARE)"
    if isinstance(node, exp.Parameter | exp.SessionParameter):
        return "A variable such as @name"
    return f"{type(node).__name__} in a query"


def _check_table(table: exp.Table) -> None:
    if table.name.lower() in SECRET_TABLES or (table.db or "").lower() in SECRET_SCHEMAS:
        raise ToolRetry("This table of the system itself is refused. Use sql_schema to see tables.")
    if table.name.lower().startswith("pragma_"):
        raise ToolRetry("Use sql_schema to see what is in the database.")
    if isinstance(table.this, exp.Func) and table.db and table.db.lower() != "pg_catalog":
        raise ToolRetry("Call functions without a schema.")


def _check_call(call: exp.Anonymous, dialect: str, own_functions: Collection[str]) -> None:
    name = call.name.lower()
    check_function_name(name)
    if name not in ALLOWED[dialect] and name not in own_functions:
        raise ToolRetry(
            f"The function {name[:60]} is not on the list of functions known to be harmless. Do without it; "
            "an operator can allow it for this connection in SQL_CONNECTIONS."
        )


def _check_qualified(dot: exp.Dot, own_functions: Collection[str]) -> None:
    """A schema may shadow a known function with its own."""
    schema = dot.this.name.lower()
    called = f"{schema}.{dot.expression.name.lower()}"
    if schema != "pg_catalog" and called not in own_functions:
        raise ToolRetry("Call functions without a schema.")


def _parameter(node: exp.Placeholder) -> str:
    name = node.this
    if not isinstance(name, str) or not name.isidentifier() or not name.isascii():
        raise ToolRetry("Write parameters as :name, and give their values in params.")
    return name


def _value(name: str, params: Mapping[str, Value]) -> Value:
    if name not in params:
        raise ToolRetry(f"There is no value for :{name}; give it in params.")
    value = params[name]
    if isinstance(value, str) and ("\x00" in value or any("\ud800" <= one <= "\udfff" for one in value)):
        raise ToolRetry(f"The value of :{name} holds a character that no database reads.")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ToolRetry(f"The value of :{name} is larger than 64 bits.")
    return value


def _bound(query: str, words: Sequence[Token], names: Sequence[str], dialect: str) -> str:
    """The text with ``:name`` as the driver writes it; a text in quotes keeps its colons."""
    places = [
        (colon.start, word.end + 1, word.text)
        for colon, word in pairwise(words)
        if colon.token_type == TokenType.COLON and word.start == colon.end + 1 and word.text in names
    ]
    if sorted(name for *_, name in places) != sorted(names):
        raise ToolRetry("Write parameters as :name, and the bounds of a slice with blanks around the colon.")
    if dialect == "sqlite":
        return query
    pieces, end = [], 0
    for start, after, name in places:
        pieces += [query[end:start].replace("%", "%%"), f"%({name})s"]
        end = after
    return "".join([*pieces, query[end:].replace("%", "%%")])
