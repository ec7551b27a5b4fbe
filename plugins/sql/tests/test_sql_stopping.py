"""Slow queries are stopped at the database, the pool survives, and secrets stay where they are."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from agentic import ToolError
from agentic.testing.tool import call

# Counts for hours in each of the systems, and uses no function.
SLOW = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 90000000000) SELECT count(*) FROM n",
    "WITH d AS (SELECT 0 AS v UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4) "
    "SELECT count(*) FROM d a, d b, d c, d e, d f, d g, d h, d i, d j, d k, d l, d m, d o, d p "
    "WHERE a.v + b.v + c.v + e.v + f.v + g.v + h.v + i.v + j.v + k.v + l.v + m.v + o.v + p.v > 99",
)
RUNNING = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'agentic' AND state = 'active'",
    "mariadb": "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'reader' AND command = 'Query'",
}


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def place(request: pytest.FixtureRequest, shop: Path) -> tuple[str, Any]:
    """The shop's URL, and how many queries of ours run at its server."""
    if request.param == "sqlite":
        return f"sqlite:///{shop}", lambda: 0
    served = request.getfixturevalue(request.param)
    return served.reader, lambda: served.ask(RUNNING[request.param])[0][0]


def slow(url: str) -> str:
    return SLOW[1] if url.startswith("mysql") else SLOW[0]


async def none_runs(running: Any) -> bool:
    for _ in range(40):
        if await asyncio.to_thread(running) == 0:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_time_that_is_up_stops_the_query_at_the_database(place: Any, opened: Any) -> None:
    url, running = place
    tool = opened({"shop": url}, sql_timeout=1)
    began = time.perf_counter()
    with pytest.raises(ToolError, match="longer than 1 s"):
        await call(tool, {"query": slow(url)})
    assert time.perf_counter() - began < 2
    assert await none_runs(running)
    assert "| 3 |" in (await call(tool, {"query": "SELECT count(*) FROM orders"})).content


async def test_cancelled_calls_stop_at_the_database_and_the_pool_survives(place: Any, opened: Any) -> None:
    url, running = place
    tool = opened({"shop": url}, sql_timeout=60)
    for _ in range(2):
        calls = [asyncio.create_task(call(tool, {"query": slow(url)})) for _ in range(6)]
        await asyncio.sleep(0.4)
        began = time.perf_counter()
        for one in calls:
            one.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert time.perf_counter() - began < 5
        assert all(one.cancelled() for one in calls)
    assert await none_runs(running)
    answers = await asyncio.gather(*(call(tool, {"query": "SELECT count(*) FROM orders"}) for _ in range(8)))
    assert all("| 3 |" in answer.content for answer in answers)


async def test_closing_stops_what_runs(place: Any, opened: Any) -> None:
    url, running = place
    tool = opened({"shop": url}, sql_timeout=60)
    task = asyncio.create_task(call(tool, {"query": slow(url)}))
    await asyncio.sleep(0.5)
    waiting = [asyncio.create_task(call(tool, {"query": slow(url)})) for _ in range(6)]
    await asyncio.sleep(0.2)
    await asyncio.wait_for(tool.aclose(), 5)
    for one in (task, *waiting):
        with pytest.raises(ToolError, match="stop"):
            await one
    assert await none_runs(running)
    with pytest.raises(ToolError, match="stops"):
        await call(tool, {"query": "SELECT 1"})


async def test_connections_that_the_server_ended_are_replaced(postgresql: Any, opened: Any) -> None:
    tool = opened({"shop": postgresql.reader})
    for _ in range(2):
        assert "| 3 |" in (await call(tool, {"query": "SELECT count(*) FROM orders"})).content
        postgresql.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'agentic'")


@pytest.fixture(params=["postgresql", "mariadb"])
def served(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize(
    "case",
    [
        ("s3cret-pa55word@", "wr0ng-pa55word@", "user or password are refused"),
        ("reader:", "hidden_user:", "user or password are refused"),
        ("127.0.0.1", "no-such-host.invalid", "its host name is unknown"),
        (":{port}/", ":1/", "nothing answers at its address"),
        ("/{database}", "/hidden_database", "no such database|are refused"),
        ("@", "@ @/?", "cannot be read|cannot be reached"),
        ("", "?no_such_option=hidden_value", "cannot be reached"),
    ],
)
async def test_unreachable_database_is_told_without_its_url(
    case: tuple[str, str, str], served: Any, opened: Any, caplog: pytest.LogCaptureFixture
) -> None:
    old, new, reason = case
    told_of = old.format(port=served.port, database=served.reader.rpartition("/")[2])
    url = served.reader.replace(told_of, new) if old else f"{served.reader}{new}"
    tool = opened({"shop": url}, sql_timeout=15)
    with caplog.at_level(logging.DEBUG), pytest.raises(ToolError, match=reason) as told:
        await call(tool, {"query": "SELECT count(*) FROM orders"})
    with caplog.at_level(logging.DEBUG), pytest.raises(ToolError) as checked:
        await tool.check()
    for text in (str(told.value), str(checked.value), caplog.text, repr(tool.connections.settings)):
        for secret in ("pa55word", "127.0.0.1", "invalid", str(served.port), "reader:", "hidden", "hidden_value"):
            assert secret not in text


@pytest.mark.parametrize("content", [None, b"no database, but a text" * 100, b""])
async def test_missing_or_broken_file_is_told_without_its_place(
    content: bytes | None, tmp_path: Path, opened: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "hidden.db"
    if content is not None:
        path.write_bytes(content)
    tool = opened({"shop": f"sqlite:///{path}"})
    with pytest.raises(ToolError) as told:
        await call(tool, {"query": "SELECT * FROM orders"})
    assert "hidden" not in str(told.value) + caplog.text
    assert path.exists() == (content is not None)


async def test_errors_of_the_database_reach_the_model_without_user_and_host(mariadb: Any, opened: Any) -> None:
    mariadb.ask("CREATE DATABASE IF NOT EXISTS other")
    mariadb.ask("CREATE TABLE IF NOT EXISTS other.things (id INTEGER)")
    tool = opened({"shop": mariadb.reader})
    with pytest.raises(ToolError, match="denied to this user") as told:
        await call(tool, {"query": "SELECT * FROM other.things"})
    assert "reader" not in str(told.value) and "127.0.0.1" not in str(told.value) and "localhost" not in str(told.value)


async def test_nothing_of_a_query_is_logged(place: Any, opened: Any, caplog: pytest.LogCaptureFixture) -> None:
    tool = opened({"shop": place[0]})
    with caplog.at_level(logging.INFO):
        await call(tool, {"query": "SELECT :secret AS a, 'hidden' AS b", "params": {"secret": "hidden"}})
        for query in ("SELECT hidden FROM orders", "SELECT 1 / 0, 'hidden' + 1, hidden(1)", "DROP hidden"):
            with pytest.raises(ToolError):
                await call(tool, {"query": query})
    assert "hidden" not in caplog.text
