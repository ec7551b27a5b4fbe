"""The lists of functions, held against what a real server says of its own."""

from __future__ import annotations

from typing import Any

from agentic import ToolRetry
from agentic_sql.functions import ALLOWED
from agentic_sql.statement import read

HARMLESS = {
    # Clocks and random numbers.
    "clock_timestamp", "gen_random_uuid", "random", "random_normal", "timeofday", "statement_timestamp", "uuidv4",
    "uuidv7",
    # Sizes on disk, and a random choice.
    "pg_relation_size", "pg_table_size", "pg_total_relation_size", "pg_indexes_size", "array_sample", "array_shuffle",
    "pg_database_size", "pg_tablespace_size",
}  # fmt: skip

SYNTAX = {"coalesce", "greatest", "grouping", "ifnull", "instr", "least", "log2", "nullif", "trim"}
NEWER = {"any_value", "array_sample", "array_shuffle", "date_add", "date_subtract", "erf", "erfc", "pg_input_is_valid"}
EXTENSIONS = {
    "dmetaphone", "levenshtein", "metaphone", "similarity", "soundex", "strict_word_similarity", "unaccent",
    "word_similarity",
}  # fmt: skip


def passes(name: str, arguments: str, dialect: str = "postgres") -> bool:
    try:
        read(f"SELECT {name}({arguments})", {}, dialect, ())
    except ToolRetry:
        return False
    return True


async def test_no_function_that_postgresql_calls_volatile_passes(postgresql: Any) -> None:
    rows = postgresql.ask("SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v' AND prokind IN ('f', 'w')")
    names = {name for (name,) in rows} - HARMLESS
    assert len(names) > 150
    shapes = ("", "1", "'a', 'b'", "'a', 'b', 'c'")
    assert [name for name in sorted(names) if any(passes(name, arguments) for arguments in shapes)] == []


async def test_functions_on_the_list_are_postgresqls_own_or_of_a_known_extension(postgresql: Any) -> None:
    known = {name for (name,) in postgresql.ask("SELECT DISTINCT proname FROM pg_proc")}
    assert ALLOWED["postgres"] - known <= NEWER | SYNTAX | EXTENSIONS


async def test_no_function_of_mariadb_passes_that_waits_locks_or_reads_files(mariadb: Any) -> None:
    names = {name.lower() for (name,) in mariadb.ask("SELECT function FROM information_schema.sql_functions")}
    shapes = ("", "1", "'a', 'b'", "'a', 'b', 'c'")
    passed = {name for name in names if any(passes(name, arguments, "mysql") for arguments in shapes)}
    assert {"sleep", "benchmark", "load_file", "get_lock"} <= names
    assert len(passed) > 150
    refused = (
        "wait",
        "lock",
        "sleep",
        "benchmark",
        "load_file",
        "nextval",
        "setval",
        "lastval",
        "wsrep",
        "last_insert",
    )
    assert [name for name in passed if any(word in name for word in refused)] == []
