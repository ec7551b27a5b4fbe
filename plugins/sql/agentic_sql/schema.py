"""What is in a database: tables, columns, types, keys and about how many rows; it all happens in a thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy.engine.reflection import ObjectKind, ObjectScope

from agentic import ToolRetry
from agentic_sql.faults import nearest
from agentic_sql.system import System
from agentic_sql.table import as_text

Key = tuple[str, str]
"""Schema and name of a table; the schema is empty where it need not be written."""

_IN_FULL = 60
"""Tables whose columns are listed together; of more, the names alone."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as the database describes it: columns, the names of the primary key's, and foreign keys by column."""

    columns: Sequence[Mapping[str, Any]]
    primary: Sequence[str]
    foreign: Mapping[str, str]


def overview(system: System, connection: sqlalchemy.Connection, size: int) -> str:
    """Every table and view in a line each, with its columns while there is room; at most ``size`` bytes."""
    estimates = system.estimates(connection)
    if not estimates:
        return "There are no tables that may be read."
    known = list(estimates)
    described = shapes(system, connection, known) if len(known) <= _IN_FULL else {}
    lines = [f"{len(known):,} tables and views that may be read, ≈ is an estimate of the rows:", ""]
    left, cut = size - len(lines[0]), False
    for key in known:
        line = _headline(key, estimates[key], described.get(key))
        if len(line.encode()) > left or key not in described:
            line, cut = _headline(key, estimates[key], None), True
        left -= len(line.encode()) + 1
        if left < 0:
            lines.append("…")
            break
        lines.append(line)
    if cut:
        lines += ["", "Columns are left out for want of room: ask for one table by its name."]
    return "\n".join(lines)


def one(system: System, connection: sqlalchemy.Connection, table: str) -> str:
    """One table in detail. Raises ToolRetry with the nearest names where there is none of this name."""
    estimates = system.estimates(connection)
    key = _found(table, estimates)
    shape = shapes(system, connection, [key])[key]
    lines = [
        _title(key, estimates[key]),
        "",
        "| column | type | may be NULL | default | key |",
        "|---|---|---|---|---|",
    ]
    lines += [_column_line(column, shape) for column in shape.columns]
    lines += _footnotes(connection, key)
    return "\n".join(lines)


def _found(table: str, known: Mapping[Key, Any]) -> Key:
    """The table meant by a name, with or without schema, in quotes or not, in any case."""
    wanted = table.strip().replace('"', "").replace("`", "").lower()
    exact = [key for key in known if wanted in (_full_name(key).lower(), key[1].lower())]
    if len(exact) == 1:
        return exact[0]
    if exact:
        named = [key for key in exact if _full_name(key).lower() == wanted]
        if len(named) == 1:
            return named[0]
        raise ToolRetry(f"Several tables have this name: {', '.join(map(_full_name, exact))}.")
    close = nearest(wanted, map(_full_name, known))
    told = f"Nearest names: {', '.join(close)}." if close else "Ask without a table to see them all."
    raise ToolRetry(f"There is no table of this name. {told}")


def shapes(system: System, connection: sqlalchemy.Connection, keys: Iterable[Key]) -> dict[Key, Shape]:
    """What the tables and views consist of."""
    by_schema: dict[str, list[str]] = {}
    for schema, name in keys:
        by_schema.setdefault(schema, []).append(name)
    found: dict[Key, Shape] = {}
    for schema, names in by_schema.items():
        found |= _tables(connection, schema, names)
        for name in names:
            if (schema, name) not in found:
                found[schema, name] = Shape(system.view_columns(connection, schema, name), (), {})
    return found


def _tables(connection: sqlalchemy.Connection, schema: str, names: Sequence[str]) -> dict[Key, Shape]:
    inspector = sqlalchemy.inspect(connection)
    options = _options(schema, names)
    primary = inspector.get_multi_pk_constraint(**options)
    foreign = inspector.get_multi_foreign_keys(**options)
    found = {}
    for place, columns in inspector.get_multi_columns(**options).items():
        keys: Any = primary.get(place) or {}
        found[schema, str(place[1])] = Shape(
            columns, keys.get("constrained_columns") or (), _references(foreign.get(place) or ())
        )
    return found


def _options(schema: str, names: Sequence[str]) -> dict[str, Any]:
    """Tables alone: SQLAlchemy asks more of a view than one who only reads it may know."""
    return {
        "schema": schema or None,
        "filter_names": names,
        "kind": ObjectKind.TABLE,
        "scope": ObjectScope.DEFAULT,
    }


def _references(constraints: Iterable[Any]) -> dict[str, str]:
    return {
        column: f"{constraint['referred_table']}.{referred}"
        for constraint in constraints
        for column, referred in zip(constraint["constrained_columns"], constraint["referred_columns"], strict=False)
    }


def _full_name(key: Key) -> str:
    return ".".join(part for part in key if part)


def _title(key: Key, rows: int | None) -> str:
    return as_text(_full_name(key)) + (f" (≈ {rows:,} rows)" if rows is not None else "")


def _headline(key: Key, rows: int | None, shape: Shape | None) -> str:
    title = f"- {_title(key, rows)}"
    if shape is None:
        return title
    return f"{title}: {', '.join(_column(column, shape) for column in shape.columns)}"


def _column(column: Mapping[str, Any], shape: Shape) -> str:
    words = [as_text(column["name"]), _type(column), _key(column, shape)]
    return " ".join(word for word in words if word)


def _key(column: Mapping[str, Any], shape: Shape) -> str:
    name = column["name"]
    words = ["primary key"] if name in shape.primary else []
    if name in shape.foreign:
        words.append(f"→ {as_text(shape.foreign[name])}")
    return " ".join(words)


def _type(column: Mapping[str, Any]) -> str:
    kind = column["type"]
    try:
        told = str(kind)
    except sqlalchemy.exc.CompileError:
        told = type(kind).__name__.upper()
    if told == "NULL":
        return ""
    values = getattr(kind, "enums", None)
    return as_text(f"{told} of {', '.join(map(repr, values))}" if values else told)


def _column_line(column: Mapping[str, Any], shape: Shape) -> str:
    default = column.get("default")
    cells = [
        as_text(column["name"]),
        _type(column),
        "yes" if column.get("nullable", True) else "no",
        "" if default is None else as_text(str(default)),
        _key(column, shape),
    ]
    comment = column.get("comment")
    if comment:
        cells[0] += f" ({as_text(str(comment))})"
    return f"| {' | '.join(cells)} |"


def _footnotes(connection: sqlalchemy.Connection, key: Key) -> list[str]:
    """The indexes and the comment of a table."""
    inspector, options = sqlalchemy.inspect(connection), _options(key[0], [key[1]])
    indexes = [index for listed in inspector.get_multi_indexes(**options).values() for index in listed]
    lines = [
        f"- {'unique index' if index.get('unique') else 'index'} on "
        + ", ".join(as_text(str(column)) if column else "(an expression)" for column in index["column_names"])
        for index in indexes
    ]
    lines += [f"- comment: {as_text(comment)}" for comment in _comments(inspector, options)]
    return ["", *lines] if lines else []


def _comments(inspector: sqlalchemy.Inspector, options: dict[str, Any]) -> list[str]:
    try:
        found = inspector.get_multi_table_comment(**options)
    except NotImplementedError:
        return []
    return [text for told in found.values() if (text := told.get("text"))]
