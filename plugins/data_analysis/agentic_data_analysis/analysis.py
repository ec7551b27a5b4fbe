"""From a request and its data to the answer's text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agentic import Json, ToolRetry
from agentic_data_analysis import figures
from agentic_data_analysis.frame import Ask, Frame, choose, quoted
from agentic_data_analysis.groups import grouped
from agentic_data_analysis.operations import NUMERIC
from agentic_data_analysis.page import Page
from agentic_data_analysis.source import Source, read
from agentic_data_analysis.summary import summary

_TABLES = 6

_OPERATIONS: dict[str, Callable[[Frame, Ask, Page], None]] = {
    "summary": summary,
    "count": figures.count,
    "missing": figures.missing,
    "quantiles": figures.quantiles,
    "value_counts": figures.value_counts,
    "correlation": figures.correlation,
}


def analyse(request: Json, data: str) -> str:
    """The answer as Markdown. ``request``: path, operation, columns, group_by, n, quantiles.

    Raises ToolRetry for what cannot be read or is not there.
    """
    source = read(data, request["path"])
    asked = Ask(
        request["operation"],
        tuple(request["columns"]),
        tuple(request["group_by"]),
        request["n"],
        tuple(request["quantiles"]),
    )
    if asked.quantiles and asked.operation != "quantiles":
        raise ToolRetry('`quantiles` needs operation "quantiles"; leave it empty otherwise.')
    frames, ask = choose([Frame(table) for table in source.tables], asked)
    if ask.operation in NUMERIC and not ask.columns:
        frames, ask = _with_figures(frames, ask)
    page = Page()
    _write(frames, ask, page)
    if len(frames) > _TABLES or not ask.columns:
        _tell_tables(source, frames, page)
    page.note(*source.notes)
    return page.text()


def _with_figures(frames: list[Frame], ask: Ask) -> tuple[list[Frame], Ask]:
    """The tables that have numbers; where none has, one whose dates or booleans answer as well, and these named."""
    least = 2 if ask.operation == "correlation" else 1
    having = [frame for frame in frames if len(frame.numbers(ask)) >= least]
    if having:
        return having, ask
    kind = "date" if ask.operation in ("min", "max") and not ask.group_by else "boolean"
    for frame in frames:
        names = tuple(column.name for column in frame.columns(ask) if column.kind == kind)
        if len(names) >= least:
            return [frame], replace(ask, columns=names)
    every = [name for frame in frames for name in frame.names()]
    need = "two columns of numbers" if least > 1 else "a column of numbers"
    raise ToolRetry(f"{ask.operation} needs {need}; the columns are {quoted(every)}.")


def _write(frames: list[Frame], ask: Ask, page: Page) -> None:
    for frame in frames[:_TABLES]:
        if len(frames) > 1:
            page.heading(frame.table.title)
        operation = grouped if ask.group_by else _OPERATIONS.get(ask.operation, figures.single)
        operation(frame, ask, page)
        for column in frame.columns_read():
            page.note(*column.notes)


def _tell_tables(source: Source, frames: list[Frame], page: Page) -> None:
    """Which tables were found and not shown."""
    shown = {id(frame.table) for frame in frames[:_TABLES]}
    others = [table.path or "top level" for table in source.tables if id(table) not in shown]
    if others:
        page.note(f"Not shown here: {quoted(others)}; give `path` for one of these.")
