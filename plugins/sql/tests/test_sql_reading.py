"""Reading from real databases: the same shop in SQLite, PostgreSQL and MariaDB."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentic import Principal, ToolError, ToolRetry
from agentic.testing.tool import FakeContext, call
from agentic_sql.query_tool import SqlQueryTool
from agentic_sql.schema_tool import SqlSchemaTool

EVERY = ("sqlite", "postgresql", "mariadb")


@pytest.fixture(params=EVERY)
def url(request: pytest.FixtureRequest, shop: Path) -> str:
    """The shop's URL in each system, as the reader of the README."""
    if request.param == "sqlite":
        return f"sqlite:///{shop}"
    return str(request.getfixturevalue(request.param).reader)


@pytest.fixture
def query(url: str, opened: Any) -> SqlQueryTool:
    tool: SqlQueryTool = opened({"shop": url})
    return tool


@pytest.fixture
def schema(query: SqlQueryTool) -> SqlSchemaTool:
    return SqlSchemaTool(query.connections)


async def answer(tool: Any, **arguments: Any) -> str:
    return (await call(tool, arguments)).content


async def test_mistyped_table_is_answered_with_the_nearest_name(query: SqlQueryTool) -> None:
    with pytest.raises(ToolRetry, match="Nearest names: customers"):
        await answer(query, query="SELECT * FROM custmers")
    assert "| 3 |" in await answer(query, query="SELECT count(*) AS n FROM customers")


async def test_mistyped_column_is_answered_with_the_nearest_name(query: SqlQueryTool) -> None:
    with pytest.raises(ToolRetry, match="Nearest names: placed_at"):
        await answer(query, query="SELECT placed FROM orders")


async def test_rows_come_as_a_table(query: SqlQueryTool) -> None:
    told = await answer(query, query="SELECT id, total, placed_at FROM orders ORDER BY id")
    lines = told.splitlines()
    assert lines[:2] == ["| id | total | placed_at |", "| --- | --- | --- |"]
    assert lines[2].startswith("| 1 | 10.5") and lines[2].endswith("| 2024-05-01 |")
    assert lines[4] == "| 3 | NULL | 2024-06-01 |"
    assert lines[-1] == "3 rows."


async def test_texts_with_semicolons_dashes_and_per_cents_are_texts(query: SqlQueryTool) -> None:
    told = await answer(
        query, query="SELECT name, '100%; -- /* no */ :x' AS note FROM customers WHERE name LIKE '%; S%'"
    )
    assert "| Bob; Sons | 100%; -- /* no */ :x |" in told


async def test_values_are_bound_and_cannot_break_out(query: SqlQueryTool) -> None:
    find = "SELECT count(*) AS n FROM customers WHERE name = :name OR city = :name"
    assert "| 1 |" in await answer(query, query=find, params={"name": "Bob; Sons"})
    assert "| 0 |" in await answer(query, query=find, params={"name": "x' OR '1'='1"})
    assert "| 0 |" in await answer(query, query=find, params={"name": "\\' OR 1=1 -- %s %(name)s"})
    assert "| 1 |" in await answer(query, query=find, params={"name": "Cléo -- 北京", "unused": 1})
    assert "| 2 |" in await answer(
        query, query="SELECT count(*) AS n FROM orders WHERE total > :t AND placed_at >= :d AND 5 % 3 = :m",
        params={"t": 5.5, "d": "2024-05-01", "m": 2},
    )  # fmt: skip


async def test_no_rows_still_tell_the_columns(query: SqlQueryTool) -> None:
    assert await answer(query, query="SELECT id, name FROM customers WHERE 1 = 0") == "No rows. Columns: id, name"


async def test_long_results_are_cut_and_say_so(url: str, opened: Any) -> None:
    tool = opened({"shop": url}, sql_max_rows=4)
    many = "SELECT a.id FROM orders a, orders b, orders c"
    for query in (many, f"{many} LIMIT 20"):
        told = await answer(tool, query=query)
        assert told.splitlines()[-1].startswith("Cut: the first 4 rows; there are more.")
    assert (await answer(tool, query=f"{many} LIMIT 4")).endswith("4 rows.")


async def test_wide_results_are_cut_by_size(url: str, opened: Any) -> None:
    tool = opened({"shop": url}, sql_max_kb=1)
    long = "replace('xxxxxxxxxx', 'x', 'abcdefghijklmnopqrstuvwxyz0123456789')"
    wide = f"WITH w AS (SELECT {long} AS v) SELECT v, v, v FROM w, orders"
    told = await answer(tool, query=wide)
    assert len(told) < 1400
    assert "Cut: the first 1 row;" in told
    assert "3 values cut to 300 characters" in told


async def test_schema_lists_tables_with_columns_types_and_keys(schema: SqlSchemaTool) -> None:
    told = (await answer(schema)).replace("INT(11)", "INTEGER")
    assert "- customers (≈ " in told or "- customers:" in told
    assert "id INTEGER primary key, name VARCHAR(40), city VARCHAR(40)" in told
    assert "customer_id INTEGER → customers.id" in told
    assert "- cities: city VARCHAR(40)" in told


async def test_schema_of_one_table_has_defaults_and_indexes(schema: SqlSchemaTool) -> None:
    told = await answer(schema, table="ORDERS")
    assert "| customer_id | INTEGER | no |  | → customers.id |" in told
    assert "index on placed_at" in told
    assert "'Berlin'" in await answer(schema, table="customers")
    with pytest.raises(ToolRetry, match="Nearest names: orders"):
        await answer(schema, table="odrers")


async def test_doctor_hears_that_every_database_answers(query: SqlQueryTool) -> None:
    assert await query.check() == "reads shop"


async def test_connection_must_be_named_where_there_are_several(url: str, opened: Any) -> None:
    tool = opened({"one": url, "two": url})
    assert "one (" in tool.description and "two (" in tool.description
    with pytest.raises(ToolRetry, match="Say which connection is meant: one, two"):
        await answer(tool, query="SELECT 1")
    with pytest.raises(ToolRetry, match=r"There is no connection of this name\. Connections: one, two"):
        await answer(tool, query="SELECT 1", connection="three")
    assert "1 row." in await answer(tool, query="SELECT 1", connection="Two")


async def test_connection_of_other_roles_does_not_exist_for_a_user(shop: Path, opened: Any) -> None:
    url = f"sqlite:///{shop}"
    tool = opened({"open": url, "payroll": {"url": url, "roles": ["admin"]}})
    assert "payroll" not in tool.description
    user, admin = FakeContext(), FakeContext(principal=Principal("1", "root", "admin"))
    with pytest.raises(ToolRetry) as refused:
        await call(tool, {"query": "SELECT 1", "connection": "payroll"}, user)
    with pytest.raises(ToolRetry) as unknown:
        await call(tool, {"query": "SELECT 1", "connection": "nothing"}, user)
    assert str(refused.value) == str(unknown.value)
    assert "1 row." in (await call(tool, {"query": "SELECT 1"}, user)).content
    assert "1 row." in (await call(tool, {"query": "SELECT 1", "connection": "payroll"}, admin)).content
    closed = opened({"payroll": {"url": url, "roles": ["admin"]}})
    with pytest.raises(ToolError, match="No database is open to this user"):
        await call(closed, {"query": "SELECT 1"}, user)
