"""The tables that nested JSON holds: every array of objects, of rows, of numbers, and every object of columns.

A table is named by the JMESPath that leads to it: ``orders``, ``orders[].items``. Objects in objects become columns
named ``address.city``; arrays in records become tables of their own, whose rows also know the columns around them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentic import ToolError

VALUE, KEY = "value", "key"
_MAX_CELLS = 20_000_000
Row = dict[str, Any]


@dataclass(slots=True)
class Table:
    """Columns of equal length, name to values in row order; ``outer`` holds the columns of the records around.

    ``decimal_comma``: what the text around the numbers says of ``1,234``, where the column does not.
    """

    path: str
    columns: dict[str, list[Any]]
    rows: int
    outer: dict[str, list[Any]] = field(default_factory=dict)
    decimal_comma: bool = False

    @property
    def title(self) -> str:
        """The path, or words where the table is the whole."""
        return f"`{self.path}`" if self.path else "the data"


def tables_in(value: Any, path: str = "") -> list[Table]:
    """Every table in a JSON value, outermost first; a value without arrays is one table of its figures.

    Raises ToolError for records that have too few keys in common to make a table.
    """
    found: list[Table] = []
    if isinstance(value, list):
        _array(value, [{}] * len(value), path, found)
    elif isinstance(value, dict):
        _object(value, path, found)
        if not found and value:
            found.append(_single(value, path))
    return [table for table in found if table.rows and (table.columns or table.outer)]


def _object(value: Row, path: str, found: list[Table]) -> None:
    if _is_mapping_of_records(value):
        rows = [{KEY: name, **record} for name, record in value.items()]
        _records(rows, [{}] * len(rows), path, found)
        return
    columns = _parallel(value)
    if columns:
        found.append(Table(path, columns, len(next(iter(columns.values())))))
    for name, child in value.items():
        if name in columns:
            continue
        below = _joined(path, name)
        if isinstance(child, list):
            _array(child, [{}] * len(child), below, found)
        elif isinstance(child, dict):
            _object(child, below, found)


def _is_mapping_of_records(value: Row) -> bool:
    """``{"ann": {"age": 3}, "bob": {"age": 5}}``: objects alike, with a single value in common."""
    records = list(value.values())
    if len(records) < 2 or not all(isinstance(record, dict) for record in records):
        return False
    shared = set.intersection(*(set(record) for record in records))
    every = set.union(*(set(record) for record in records))
    alike = len(shared) * 2 >= len(every)
    return alike and any(all(_is_single(record[name]) for record in records) for name in shared)


def _parallel(value: Row) -> dict[str, list[Any]]:
    """The arrays of an object that are columns of one table: two or more of single values, all of one length."""
    arrays = {
        name: child
        for name, child in value.items()
        if isinstance(child, list) and child and all(_is_single(element) for element in child)
    }
    lengths = {len(array) for array in arrays.values()}
    return arrays if len(arrays) > 1 and len(lengths) == 1 else {}


def _array(elements: Sequence[Any], outers: Sequence[Row], path: str, found: list[Table]) -> None:
    """``outers``: for each element the columns of the records around it."""
    pairs = list(zip(elements, outers, strict=True))
    records = [(element, outer) for element, outer in pairs if isinstance(element, dict)]
    lists = [(element, outer) for element, outer in pairs if isinstance(element, list)]
    singles = [(element, outer) for element, outer in pairs if _is_single(element)]
    if records:
        _records([element for element, _ in records], [outer for _, outer in records], path, found)
    if lists:
        _lists(lists, f"{path}[]", found)
    if singles and not ((records or lists) and all(element is None for element, _ in singles)):
        values = [element for element, _ in singles]
        found.append(Table(path, {_last(path): values}, len(values), _columns([outer for _, outer in singles])))


def _lists(lists: Sequence[tuple[list[Any], Row]], path: str, found: list[Table]) -> None:
    widths = {len(row) for row, _ in lists}
    flat = all(_is_single(cell) for row, _ in lists for cell in row)
    if flat and len(widths) == 1 and widths != {1} and len(lists) > 1 and not any(outer for _, outer in lists):
        found.append(_matrix([row for row, _ in lists], path))
        return
    elements = [element for row, _ in lists for element in row]
    _array(elements, [outer for row, outer in lists for _ in row], path, found)


def _matrix(rows: list[list[Any]], path: str) -> Table:
    """Rows of equal length; the first names the columns if it alone is all text."""
    first = rows[0]
    names = [str(cell) for cell in first]
    headed = all(isinstance(cell, str) for cell in first) and len(set(names)) == len(names)
    if headed and any(not isinstance(cell, str) for row in rows[1:] for cell in row):
        rows = rows[1:]
    else:
        names = [f"column_{number}" for number in range(1, len(first) + 1)]
    return Table(path, {name: [row[at] for row in rows] for at, name in enumerate(names)}, len(rows))


def _records(records: Sequence[Row], outers: Sequence[Row], path: str, found: list[Table]) -> None:
    rows: list[Row] = []
    nested: dict[str, tuple[list[Any], list[Row]]] = {}
    for record, outer in zip(records, outers, strict=True):
        row: Row = {}
        arrays: dict[str, list[Any]] = {}
        _flatten(record, "", row, arrays)
        rows.append(row)
        around = {**outer, **row} if arrays else {}
        for name, array in arrays.items():
            elements, known = nested.setdefault(name, ([], []))
            elements.extend(array)
            known.extend([around] * len(array))
    columns = _columns(rows)
    outer_columns = {name: cells for name, cells in _columns(outers).items() if name not in columns}
    if columns:
        found.append(Table(path, columns, len(rows), outer_columns))
    for name, (elements, known) in nested.items():
        _array(elements, known, f"{path}[].{name}", found)


def _flatten(record: Row, prefix: str, row: Row, arrays: dict[str, list[Any]]) -> None:
    for name, cell in record.items():
        full = f"{prefix}{name}"
        if isinstance(cell, dict):
            _flatten(cell, f"{full}.", row, arrays)
        elif isinstance(cell, list):
            arrays[full] = cell
        else:
            while full in row:
                full += "_2"
            row[full] = cell


def _columns(rows: Iterable[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Name to values, None where a row lacks the name."""
    listed = list(rows)
    names = dict.fromkeys(name for row in listed for name in row)
    if len(names) * len(listed) > _MAX_CELLS:
        raise ToolError(f"{len(listed)} records with {len(names)} different keys make too large a table. Give fewer.")
    return {name: [row.get(name) for row in listed] for name in names}


def _single(value: Row, path: str) -> Table:
    """An object without arrays: its figures by their keys if there are two or more and nothing else, else one row."""
    row: Row = {}
    _flatten(value, "", row, {})
    figures = [cell for cell in row.values() if _is_number(cell)]
    if len(figures) > 1 and all(_is_number(cell) or cell is None for cell in row.values()):
        return Table(path, {KEY: list(row), VALUE: list(row.values())}, len(row))
    return Table(path, {name: [cell] for name, cell in row.items()}, 1)


def _is_single(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _last(path: str) -> str:
    """What values are called: the last name of the path that leads to them."""
    name = path.replace("[]", "").rpartition(".")[2]
    return name if re.fullmatch(r"\w[\w -]*", name) else VALUE


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
