"""What SQL_CONNECTIONS may hold, what is said of what it may not, and what loading the plugin costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from agentic import NotConfigured
from agentic_sql import agentic_settings, agentic_tools
from agentic_sql.settings import Settings


def made(connections: Any, **limits: Any) -> Settings:
    return Settings.model_validate({"sql_connections": connections, **limits})


def listed(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What the command line tells about plugins, with this environment alone."""
    return subprocess.run(
        [sys.executable, "-m", "agentic", "plugins", *words], cwd=folder, capture_output=True, text=True, timeout=60,
        check=False, env={"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "300", **environment},
    )  # fmt: skip


@pytest.mark.parametrize(
    "connections",
    [
        {"shop": "oracle://u:hidden@h/d"},
        {"shop": "shop.db"},
        {"shop": "sqlite://"},
        {"shop": "sqlite:///:memory:"},
        {"shop": ""},
        {"shop": {"roles": ["admin"]}},
        {"shop": {"url": "sqlite:///x.db", "roles": []}},
        {"shop": {"url": "sqlite:///x.db", "roles": ["root"]}},
        {"shop": {"url": "sqlite:///x.db", "password": "hidden"}},
        {"": "sqlite:///x.db"},
        {"a b": "sqlite:///x.db"},
        {"shop": 5},
        ["sqlite:///x.db"],
        "sqlite:///x.db",
    ],
)
def test_wrong_connections_are_refused_without_their_urls(connections: Any) -> None:
    with pytest.raises(ValidationError) as told:
        made(connections)
    assert "hidden" not in " ".join(fault["msg"] for fault in told.value.errors())


@pytest.mark.parametrize(
    ("url", "dialect"),
    [
        ("sqlite:///./shop.db", "sqlite"),
        ("sqlite+aiosqlite:////srv/shop.db", "sqlite"),
        ("postgresql://u:p@h/d", "postgres"),
        ("postgresql+psycopg2://u:p@h/d", "postgres"),
        ("postgres://u:p@h/d", "postgres"),
        ("mysql+mysqldb://u:p@h/d", "mysql"),
        ("mariadb://u:p@h/d", "mysql"),
        (" mysql://u:p@h/d ", "mysql"),
    ],
)
def test_urls_name_a_system_whatever_their_driver(url: str, dialect: str) -> None:
    assert made({"shop": url}).sql_connections["shop"].dialect == dialect


def test_settings_show_no_url() -> None:
    settings = made({"shop": "postgresql://u:hidden@hidden.example/d"})
    assert "hidden" not in repr(settings) + str(settings) + settings.model_dump_json()


def test_tools_are_listed_with_the_fix_while_there_is_no_connection() -> None:
    found = list(agentic_tools(agentic_settings()()))
    assert [(type(one), one.name) for one in found] == [(NotConfigured, "sql_query"), (NotConfigured, "sql_schema")]
    assert all("SQL_CONNECTIONS" in one.fix for one in found if isinstance(one, NotConfigured))


def test_command_line_lists_the_tools_and_no_url(tmp_path: Path) -> None:
    unset = listed(tmp_path, "list", "--json")
    assert "Set SQL_CONNECTIONS" in unset.stdout
    url = "postgresql://hidden_user:hidden_word@hidden.example/hidden_database"
    for words in (("list",), ("list", "--json"), ("show", "sql")):
        told = listed(tmp_path, *words, SQL_CONNECTIONS=json.dumps({"shop": url}))
        assert told.returncode == 0
        assert "sql_query" in told.stdout and "hidden" not in told.stdout + told.stderr
    wrong = listed(tmp_path, "list", SQL_CONNECTIONS=json.dumps({"shop": url.replace("postgresql", "oracle")}))
    assert "SQL_CONNECTIONS" in wrong.stdout + wrong.stderr and "hidden" not in wrong.stdout + wrong.stderr


def test_plugin_loads_without_its_libraries() -> None:
    code = (
        "import sys, agentic_sql as plugin\n"
        "settings = plugin.agentic_settings()(sql_connections={'shop': 'postgresql://u:p@h/d', 'f': 'sqlite:///x.db'})\n"
        "tools = plugin.agentic_tools(settings)\n"
        "assert tools[0].suggest('SELECT 1 FROM x')\n"
        "print({'sqlalchemy', 'sqlglot', 'psycopg', 'pymysql', 'sqlite3'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.strip() == "set()"
