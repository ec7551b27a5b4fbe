"""Values of every kind as text, and statements read from plain requests."""

from __future__ import annotations

import datetime
import decimal
import uuid
from typing import Any

import pytest

from agentic import ToolRetry
from agentic.testing.tool import call
from agentic_sql.examples import QUERY, SCHEMA
from agentic_sql.requests import statement_in
from agentic_sql.schema_tool import SqlSchemaTool
from agentic_sql.table import Table, as_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "NULL"),
        ("NULL", '"NULL"'),
        ("", '""'),
        ("a|b\\c\nd\te\rf", "a\\|b\\\\c\\nd\\te\\rf"),
        ("\x00\x1b[31m\u200b", "\\x00\\x1b[31m\\x200b"),
        ("Zoë 北京 😀", "Zoë 北京 😀"),
        ("x" * 400, "x" * 300 + "… (400 characters)"),
        (True, "true"),
        (12345678901234567890, "12345678901234567890"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (3.0, "3.0"),
        (float("nan"), "nan"),
        (decimal.Decimal("1250.50"), "1250.50"),
        (decimal.Decimal("1E+5"), "100000"),
        (decimal.Decimal("1E+999999"), "1E+999999"),
        (decimal.Decimal("NaN"), "NaN"),
        (b"", "(binary, 0 bytes: 0x)"),
        (b"\x00\xff", "(binary, 2 bytes: 0x00ff)"),
        (memoryview(b"a" * 5000), f"(binary, 5,000 bytes: 0x{'61' * 16}…)"),
        (datetime.date(2024, 5, 1), "2024-05-01"),
        (datetime.datetime(2024, 5, 1, 12, 30, tzinfo=datetime.UTC), "2024-05-01 12:30:00+00:00"),
        (datetime.time(12, 30), "12:30:00"),
        (datetime.timedelta(days=1, seconds=5), "24:00:05"),
        (datetime.timedelta(hours=-838, minutes=-59, seconds=-59), "-838:59:59"),
        (datetime.timedelta(seconds=5, microseconds=250_000), "00:00:05.25"),
        ({"a": [1, None, datetime.date(2024, 5, 1)]}, '{"a": [1, null, "2024-05-01"]}'),
        ([1, 2], "[1, 2]"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_values_are_written_so_that_nothing_is_lost_or_breaks_the_table(value: Any, text: str) -> None:
    assert as_text(value) == text


def test_one_row_that_is_too_large_is_begun_and_told() -> None:
    table = Table(["text"] * 100, 10, 1024)
    assert table.add(["x" * 300] * 100)
    assert not table.add(["y"] * 100)
    assert len(table.text()) < 2500 and "Cut" in table.text()


def test_columns_beyond_a_hundred_are_told() -> None:
    table = Table([f"c{number}" for number in range(150)], 10, 60_000)
    table.add(range(150))
    assert "The first 100 of 150 columns" in table.text()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM kinds", "SELECT d FROM kinds", "SELECT b, u, j, a, i FROM kinds", "SELECT r, n, e FROM kinds",
    ],
)  # fmt: skip
async def test_types_of_postgresql_are_all_readable(query: str, postgresql: Any, opened: Any) -> None:
    postgresql.ask("CREATE TABLE IF NOT EXISTS kinds (d timestamptz, b bytea, u uuid, j jsonb, a int[], i interval, "
                   "r int4range, n numeric, e inet, m money, x xml, p point)")  # fmt: skip
    postgresql.ask("GRANT SELECT ON kinds TO reader")
    postgresql.ask(
        "INSERT INTO kinds VALUES ('2024-05-01 12:00+00', '\\x00ff', gen_random_uuid(), '{\"a\": 1}', '{1,2}', "
        "'1 day', '[1,5)', 12345678901234567890.123456789, '10.0.0.1', 5, '<a/>', '(1,2)')"
    )
    tool = opened({"shop": postgresql.reader})
    assert "row" in (await call(tool, {"query": query})).content
    described = (await call(SqlSchemaTool(tool.connections), {"table": "kinds"})).content
    assert "| d | TIMESTAMP" in described and "| j | JSONB |" in described


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("'infinity'::timestamp", "infinity"),
        ("'-infinity'::date", "-infinity"),
        ("'20000-01-01'::date", "20000-01-01"),
        ("'0044-03-15 BC'::date", "0044-03-15 BC"),
        ("'24:00:00'::time", "24:00:00"),
        ("'1 year 2 mons 3 days 04:05:06.7'::interval", "1 year 2 mons 3 days 04:05:06.7"),
        ("'2024-05-01 12:00'::timestamp", "2024-05-01 12:00:00"),
        ("ARRAY['infinity'::date]", '["infinity"]'),
        ("tsrange('2024-01-01', 'infinity')", "[2024-01-01 00:00:00, infinity)"),
    ],
)
async def test_times_that_python_does_not_know_are_shown_as_they_are(
    value: str, shown: str, postgresql: Any, opened: Any
) -> None:
    tool = opened({"shop": postgresql.reader})
    assert f"\n| {shown} |" in (await call(tool, {"query": f"SELECT {value}"})).content


async def test_tables_of_other_schemas_are_named_with_theirs(postgresql: Any, opened: Any) -> None:
    postgresql.ask("CREATE SCHEMA IF NOT EXISTS hr")
    postgresql.ask("CREATE TABLE IF NOT EXISTS hr.staff (id int PRIMARY KEY, name text)")
    postgresql.ask("CREATE TABLE IF NOT EXISTS hr.secrets (id int)")
    postgresql.ask("GRANT USAGE ON SCHEMA hr TO reader; GRANT SELECT ON hr.staff TO reader")
    tool = opened({"shop": postgresql.reader})
    schema = SqlSchemaTool(tool.connections)
    told = (await call(schema, {})).content
    assert "- hr.staff" in told and "secrets" not in told
    assert "| id | INTEGER | no |  | primary key |" in (await call(schema, {"table": "hr.staff"})).content
    assert "No rows" in (await call(tool, {"query": "SELECT * FROM hr.staff"})).content
    with pytest.raises(ToolRetry, match=r"Nearest names: .*staff"):
        await call(tool, {"query": "SELECT * FROM hr.staf"})


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("SELECT * FROM orders", "SELECT * FROM orders"),
        ("  select count(*) from orders;\n", "select count(*) from orders;"),
        ("```sql\nSELECT 1\n```", "SELECT 1"),
        ("Run this:\n```sql\nSELECT name\nFROM c\n```\nplease", "SELECT name\nFROM c"),
        ("```\nWITH a AS (SELECT 1) SELECT * FROM a\n```", "WITH a AS (SELECT 1) SELECT * FROM a"),
        ("SELECT 1", "SELECT 1"),
        ("select the best candidate from this list", None),
        ("Select a name from the following: Ann, Bob", None),
        ("Select all the cities from the text.", None),
        ("SELECT your favourite colour", None),
        ("What does SELECT * FROM orders do?", None),
        ("Explain this:\n```sql\nSELECT * FROM orders\n```", None),
        ("Why is this wrong?\n```sql\nSELECT * FROM orders\n```", None),
        ("```sql\nDELETE FROM orders\n```", None),
        ("```python\nSELECT = 1\n```", None),
        ("```sql\nSELECT 1\n```\n```sql\nSELECT 2\n```", None),
        ("How many orders are there?", None),
        ("", None),
    ],
)
def test_statement_is_read_from_a_request_only_where_that_is_certain(text: str, query: str | None) -> None:
    assert statement_in(text) == query


def test_there_are_forty_examples_each_and_none_twice() -> None:
    assert min(len(QUERY), len(SCHEMA)) >= 40
    assert len({*QUERY, *SCHEMA}) == len(QUERY) + len(SCHEMA)
