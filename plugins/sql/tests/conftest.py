"""What the tests of the SQL tools share: a small shop in a SQLite file, and real servers of this machine."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest
from blockbuster import blockbuster_ctx

from agentic.testing.server import free_port
from agentic_sql.connections import Connections
from agentic_sql.query_tool import SqlQueryTool
from agentic_sql.settings import Settings

SECRET = "s3cret-pa55word"
SHOP = """
CREATE TABLE customers (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, city VARCHAR(40) DEFAULT 'Berlin');
CREATE TABLE orders (
    id INTEGER PRIMARY KEY,
    customer_id INTEGER NOT NULL REFERENCES customers (id),
    total DECIMAL(10, 2),
    placed_at DATE
);
CREATE INDEX orders_by_date ON orders (placed_at);
CREATE VIEW cities AS SELECT DISTINCT city FROM customers;
INSERT INTO customers (id, name, city) VALUES
    (1, 'Ann', 'Berlin'), (2, 'Bob; Sons', 'Paris'), (3, 'Cléo -- 北京', 'Rome');
INSERT INTO orders (id, customer_id, total, placed_at) VALUES
    (1, 1, 10.50, '2024-05-01'), (2, 1, 20.00, '2024-05-31'), (3, 2, NULL, '2024-06-01');
"""


@dataclass(frozen=True)
class Served:
    """A running server: its URL as its owner, who may do everything, and as a reader with the rights of the README."""

    owner: str
    reader: str
    port: int
    ask: Callable[[str], list[tuple[Any, ...]]]


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[None]:
    """Fails a test in which the plugin blocks the event loop."""
    with blockbuster_ctx("agentic_sql"):
        yield


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    made = sqlite3.connect(path)
    made.executescript(SHOP)
    made.close()
    return path


Open = Callable[..., SqlQueryTool]


@pytest.fixture
async def opened() -> AsyncIterator[Open]:
    """Makes a query tool over connections by name; its ``connections`` serve a schema tool as well."""
    made: list[SqlQueryTool] = []

    def tool(connections: Mapping[str, Any], **limits: Any) -> SqlQueryTool:
        settings = Settings.model_validate({"sql_connections": connections, **limits})
        made.append(SqlQueryTool(Connections(settings)))
        return made[-1]

    yield tool
    for one in made:
        await one.aclose()


def as_nobody() -> dict[str, Any]:
    """Servers of databases refuse to run as root."""
    return {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


@pytest.fixture(scope="session")
def server_folder() -> Iterator[Path]:
    """A folder that the servers' user may reach, which those of pytest are not."""
    folder = Path(tempfile.mkdtemp(prefix="agentic-sql-"))
    if os.geteuid() == 0:
        shutil.chown(folder, "nobody", "nogroup")
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def wait_for(connect: Callable[[], Any], process: subprocess.Popen[bytes], log: Path) -> Any:
    """A connection, once the server takes them."""
    for _ in range(300):
        try:
            return connect()
        except (psycopg.Error, pymysql.err.Error):
            assert process.poll() is None, log.read_text("utf-8", "replace")
            time.sleep(0.1)
    raise AssertionError(log.read_text("utf-8", "replace"))


@pytest.fixture(scope="session")
def postgresql(server_folder: Path) -> Iterator[Served]:
    """A PostgreSQL cluster of its own; skipped only where its programs are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "")]
    if found[-1].name != "initdb":
        pytest.skip("PostgreSQL is not installed (apt-get install postgresql)")
    programs, data, port = found[-1].parent, server_folder / "postgresql", free_port()
    password, log = server_folder / "password", server_folder / "postgresql.log"
    password.write_text(SECRET, "utf-8")
    common: dict[str, Any] = {
        "cwd": server_folder,
        "stdout": log.open("wb"),
        "stderr": subprocess.STDOUT,
        **as_nobody(),
    }
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", "owner", "-A", "scram-sha-256",
         f"--pwfile={password}", "-N", "-E", "UTF8"],
        check=True, **common,
    )  # fmt: skip
    process = subprocess.Popen(
        [programs / "postgres", "-D", data, "-p", str(port), "-k", server_folder, "-c", "listen_addresses=127.0.0.1",
         "-c", "fsync=off"],
        **common,
    )  # fmt: skip
    owner = f"postgresql://owner:{SECRET}@127.0.0.1:{port}/postgres"
    connection = wait_for(lambda: psycopg.connect(owner, autocommit=True), process, log)

    def ask(query: str) -> list[tuple[Any, ...]]:
        cursor = connection.execute(query)
        return cursor.fetchall() if cursor.description else []

    ask(SHOP)
    ask(f"CREATE ROLE reader LOGIN PASSWORD '{SECRET}'")
    ask("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    yield Served(owner, owner.replace("owner", "reader"), port, ask)
    connection.close()
    process.terminate()
    process.wait(30)


@pytest.fixture(scope="session")
def mariadb(server_folder: Path) -> Iterator[Served]:
    """A MariaDB server of its own; skipped only where its programs are not installed."""
    server = shutil.which("mariadbd", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin")
    install = shutil.which("mariadb-install-db")
    if not server or not install:
        pytest.skip("MariaDB is not installed (apt-get install mariadb-server)")
    data, port, log = server_folder / "mariadb", free_port(), server_folder / "mariadb.log"
    common: dict[str, Any] = {
        "cwd": server_folder,
        "stdout": log.open("wb"),
        "stderr": subprocess.STDOUT,
        **as_nobody(),
    }
    subprocess.run(
        [install, "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal", "--skip-test-db"],
        check=True, **common,
    )  # fmt: skip
    process = subprocess.Popen(
        [server, "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1",
         f"--socket={server_folder / 'mariadb.sock'}", f"--pid-file={server_folder / 'mariadb.pid'}",
         "--innodb-flush-log-at-trx-commit=0", "--character-set-server=utf8mb4"],
        **common,
    )  # fmt: skip
    connection = wait_for(
        lambda: pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True), process, log
    )

    def ask(query: str) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())

    for statement in ("CREATE DATABASE shop", "USE shop", *filter(str.strip, SHOP.split(";\n"))):
        ask(statement)
    ask(f"CREATE USER owner IDENTIFIED BY '{SECRET}'")
    ask("GRANT ALL PRIVILEGES ON *.* TO owner WITH GRANT OPTION")
    ask(f"CREATE USER reader IDENTIFIED BY '{SECRET}'")
    ask("GRANT SELECT ON shop.* TO reader")
    owner = f"mysql://owner:{SECRET}@127.0.0.1:{port}/shop"
    yield Served(owner, owner.replace("owner", "reader"), port, ask)
    connection.close()
    process.terminate()
    process.wait(30)
