"""The databases alone: with the parser left out, the same attacks reach real servers, and nothing changes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from agentic import Principal, ToolError
from agentic.testing.tool import call
from agentic_sql.database import Database
from agentic_sql.query import run
from agentic_sql.statement import Statement

ATTACKS = json.loads(Path(__file__).with_name("attacks.json").read_text("utf-8"))
HACKED = Path("/tmp/agentic-sql-hacked")
POSTGRESQL_STATE = (
    "SELECT (SELECT string_agg(o::text, ';' ORDER BY id) FROM orders o), (SELECT last_value FROM numbers), "
    "(SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_largeobject_metadata), (SELECT count(*) FROM pg_roles), "
    "(SELECT count(*) FROM pg_extension), (SELECT count(*) FROM pg_file_settings), "
    "(SELECT count(*) FROM pg_description), "
    "(SELECT relacl::text FROM pg_class WHERE relname = 'orders')"
)
MYSQL_STATE = (
    "SELECT (SELECT GROUP_CONCAT(id, '-', customer_id, '-', COALESCE(total, '?') ORDER BY id) FROM shop.orders), "
    "(SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'shop'), (SELECT COUNT(*) FROM mysql.user), "
    "(SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = 'shop'), @@GLOBAL.general_log, "
    "(SELECT COUNT(*) FROM information_schema.statistics WHERE table_schema = 'shop')"
)


def hacked() -> bool:
    """Whether an attack has written the file that some of them aim at."""
    return HACKED.exists()


async def past_the_parser(tool: Any, text: str) -> str:
    """What the database makes of a text that the parser has not seen."""
    database: Database = tool.connections.pick("shop", Principal("1", "alice"))
    statement = Statement(text.replace("%", "%%"), {}, ())
    return await database.read(lambda system, connection: run(system, connection, statement, 10, 4096), 11)


@pytest.fixture(scope="module")
def rigged_postgresql(postgresql: Any) -> Any:
    postgresql.ask("CREATE SEQUENCE numbers")
    body = "DELETE FROM orders"
    postgresql.ask(f"CREATE FUNCTION wipe_all() RETURNS int LANGUAGE sql AS '{body} RETURNING 1'")
    postgresql.ask(f"CREATE PROCEDURE wipe() LANGUAGE plpgsql AS 'BEGIN COMMIT; {body}; COMMIT; END'")
    return postgresql


@pytest.fixture(scope="module")
def rigged_mariadb(mariadb: Any) -> Any:
    mariadb.ask("CREATE SEQUENCE numbers")
    mariadb.ask("CREATE FUNCTION wipe_all() RETURNS INT MODIFIES SQL DATA BEGIN DELETE FROM orders; RETURN 1; END")
    mariadb.ask("CREATE PROCEDURE wipe() BEGIN COMMIT; START TRANSACTION READ WRITE; DELETE FROM orders; COMMIT; END")
    return mariadb


@pytest.mark.parametrize("kind", ["writes", "hidden", "postgresql"])
async def test_postgresql_stays_as_it_is_even_for_its_owner(kind: str, rigged_postgresql: Any, opened: Any) -> None:
    await nothing_changes(
        opened({"shop": rigged_postgresql.owner}), kind, lambda: rigged_postgresql.ask(POSTGRESQL_STATE)
    )


async def test_postgresql_gives_the_role_of_the_readme_no_files_and_passwords(
    rigged_postgresql: Any, opened: Any
) -> None:
    tool = opened({"shop": rigged_postgresql.reader})
    for attack in ATTACKS["postgresql_rights"]:
        with pytest.raises(ToolError):
            await past_the_parser(tool, attack)
    assert not hacked()


@pytest.mark.parametrize("kind", ["writes", "hidden", "mysql"])
async def test_mariadb_stays_as_it_is_even_for_its_owner(kind: str, rigged_mariadb: Any, opened: Any) -> None:
    await nothing_changes(opened({"shop": rigged_mariadb.owner}), kind, lambda: rigged_mariadb.ask(MYSQL_STATE))


async def test_mariadb_gives_the_role_of_the_readme_no_files_and_passwords(rigged_mariadb: Any, opened: Any) -> None:
    tool = opened({"shop": rigged_mariadb.reader})
    before = rigged_mariadb.ask(MYSQL_STATE)
    for attack in ATTACKS["mysql_rights"]:
        # LOAD_FILE without the right gives NULL instead of an error.
        with contextlib.suppress(ToolError):
            told = await past_the_parser(tool, attack)
            assert attack.startswith("SELECT LOAD_FILE") and told.count("| NULL |") == 3, attack
    assert rigged_mariadb.ask(MYSQL_STATE) == before
    assert not hacked()


@pytest.mark.parametrize("kind", ["writes", "hidden", "sqlite"])
async def test_sqlite_stays_as_it_is(kind: str, shop: Path, opened: Any) -> None:
    def state() -> list[Any]:
        with contextlib.closing(sqlite3.connect(shop)) as file:
            return [shop.read_bytes(), file.execute("PRAGMA user_version").fetchall(), sorted(shop.parent.iterdir())]

    await nothing_changes(opened({"shop": f"sqlite:///{shop}"}), kind, state)


async def test_sqlite_runs_no_pattern_that_would_hold_the_process(shop: Path, opened: Any) -> None:
    tool = opened({"shop": f"sqlite:///{shop}"})
    with pytest.raises(ToolError, match=r"(?i)regexp"):
        await past_the_parser(tool, f"SELECT '{'a' * 40}b' REGEXP '(a+)+$'")


async def test_sqlite_tells_no_place_of_its_file(shop: Path, opened: Any) -> None:
    tool = opened({"shop": f"sqlite:///{shop}"})
    for attack in ("SELECT * FROM pragma_database_list", "PRAGMA database_list", "ATTACH 'x' AS y"):
        with pytest.raises(ToolError) as told:
            await past_the_parser(tool, attack)
        assert str(shop.parent) not in str(told.value)


@pytest.mark.parametrize(("system", "kind"), [("postgresql", "postgresql_waits"), ("mariadb", "mysql_waits")])
async def test_what_waits_is_stopped(system: str, kind: str, request: Any, opened: Any) -> None:
    tool = opened({"shop": request.getfixturevalue(system).reader}, sql_timeout=1)
    for attack in ATTACKS[kind]:
        began = time.perf_counter()
        with contextlib.suppress(ToolError):
            await past_the_parser(tool, attack)
        assert time.perf_counter() - began < 2.5, attack


async def nothing_changes(tool: Any, kind: str, state: Callable[[], Any]) -> None:
    before = state()
    for attack in ATTACKS[kind]:
        with contextlib.suppress(ToolError):
            await past_the_parser(tool, attack)
        assert state() == before, attack
        assert not hacked(), attack
    assert "| 3 |" in await past_the_parser(tool, "SELECT count(*) FROM orders")


def of_the_readme(number: int, database: str) -> list[str]:
    """The statements that the README tells an operator to run, for this database."""
    text = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    block = re.findall(r"```sql\n(.*?)```", text, re.DOTALL)[number]
    return [one.strip() for one in re.sub(r"\b(?:sales|payroll)\b", database, block).split(";") if one.strip()]


@pytest.mark.parametrize(("system", "number", "database"), [("postgresql", 0, "postgres"), ("mariadb", 1, "shop")])
async def test_role_of_the_readme_reads_and_cannot_write(
    system: str, number: int, database: str, request: Any, opened: Any
) -> None:
    served = request.getfixturevalue(system)
    for statement in of_the_readme(number, database):
        served.ask(statement)
    url = served.reader.replace("reader:s3cret-pa55word", "agentic_reader:secret")
    tool = opened({"shop": url})
    assert "| 3 |" in (await call(tool, {"query": "SELECT count(*) FROM orders"})).content
    await asyncio.to_thread(write_is_denied, url)


def write_is_denied(url: str) -> None:
    """With no wall of ours in between, the database itself refuses."""
    driver = {"postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql"}[url.partition("://")[0]]
    engine = sqlalchemy.create_engine(f"{driver}://{url.partition('://')[2]}")
    for statement in ("DELETE FROM orders", "CREATE TABLE hacked (id INTEGER)", "DROP TABLE orders"):
        with engine.connect() as connection, pytest.raises(sqlalchemy.exc.DBAPIError, match=r"(?i)denied|owner"):
            connection.exec_driver_sql(statement)
    engine.dispose()


async def test_sqlite_reads_what_another_process_writes_ahead(tmp_path: Path, opened: Any) -> None:
    path = tmp_path / "ahead.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.executescript(
            "PRAGMA journal_mode = WAL; CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (1)"
        )
        tool = opened({"shop": f"sqlite:///{path}"})
        assert "| 1 |" in (await call(tool, {"query": "SELECT count(*) FROM orders"})).content
        writer.execute("INSERT INTO orders VALUES (2)")
        assert "| 2 |" in (await call(tool, {"query": "SELECT count(*) FROM orders"})).content
    assert "| 2 |" in (await call(tool, {"query": "SELECT count(*) FROM orders"})).content
