"""The text that a model hands over to tables: JSON or CSV, perhaps fenced, and the part of it that a path names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError

from agentic import ToolRetry
from agentic_data_analysis.csv_text import read_csv
from agentic_data_analysis.json_text import read_json
from agentic_data_analysis.tables import Table, tables_in

_FENCE = re.compile(r"\A\s*```[^\n`]*\n(.*?)\n?\s*```\s*\Z", re.DOTALL)
_LISTED = 12


@dataclass(frozen=True, slots=True)
class Source:
    """The tables of the data, its ``form`` (JSON or CSV), and what was odd in it."""

    form: str
    tables: list[Table]
    notes: list[str]


def read(text: str, path: str = "") -> Source:
    """The tables in a text, or those under a JMESPath. Raises ToolRetry for what cannot be read or is not there."""
    fenced = _FENCE.match(text)
    if fenced:
        # Lines are counted as the model wrote them, the fence's own among them.
        text = "\n" * text.count("\n", 0, fenced.start(1)) + fenced[1]
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    start = text.lstrip()[:1]
    if not start:
        raise ToolRetry("The data is empty. Give the JSON or CSV text itself.")
    if start not in ("{", "["):
        return _from_csv(text, path)
    document = read_json(text)
    found = tables_in(document.value)
    if path:
        found = _under(document.value, found, path)
    if not found:
        raise ToolRetry("The JSON holds no values: its arrays and objects are empty.")
    return Source("JSON", found, document.notes)


def _from_csv(text: str, path: str) -> Source:
    if path:
        raise ToolRetry("`path` leads into JSON, but the data is CSV: leave it empty and name `columns`.")
    table, notes = read_csv(text)
    return Source("CSV", [table], notes)


def _under(value: Any, tables: list[Table], path: str) -> list[Table]:
    wanted = path.strip().removeprefix("$").removeprefix(".").replace("[*]", "[]")
    plain = wanted.removesuffix("[]")
    known = [table for table in tables if table.path.removesuffix("[]") == plain]
    if known or wanted in ("", "@"):
        return known or tables
    try:
        part = jmespath.search(wanted, value)
    except (JMESPathError, ValueError) as error:
        reason = " ".join(str(error).split())[:160]
        raise ToolRetry(f"`{path[:80]}` is no JMESPath ({reason}). {_offered(tables)}") from None
    if part is None:
        raise ToolRetry(f"There is nothing at `{path[:80]}`. {_offered(tables)}")
    found = tables_in(part if isinstance(part, dict | list) else [part], plain)
    if not found:
        raise ToolRetry(f"What is at `{path[:80]}` is empty. {_offered(tables)}")
    return found


def _offered(tables: list[Table]) -> str:
    names = [f"`{table.path}`" for table in tables if table.path]
    if not names:
        return "Leave `path` empty to analyse all."
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return f"There are tables at {', '.join(names[:_LISTED])}{more}; leave `path` empty to analyse all."
