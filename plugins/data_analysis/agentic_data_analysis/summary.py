"""The full summary of a table: each column by what it holds, and what goes together."""

from __future__ import annotations

from agentic_data_analysis.columns import Column
from agentic_data_analysis.figures import BETWEEN, day, figure, pairs
from agentic_data_analysis.frame import Ask, Frame
from agentic_data_analysis.page import Page

_COLUMNS = 30
_TOP = 3


def summary(frame: Frame, ask: Ask, page: Page) -> None:
    """Rows and columns, then numbers, dates, text, and correlations."""
    every = frame.columns(ask)
    rows = frame.table.rows
    page.say(f"{_counted(rows, 'row')}, {_counted(len(every), 'column')}.")
    columns = every[:_COLUMNS]
    if len(every) > _COLUMNS:
        names = ", ".join(f"`{column.name}`" for column in every[_COLUMNS:][:_COLUMNS])
        page.note(f"{len(every) - _COLUMNS} columns are left out; name them in `columns` to see them: {names}.")
    numbers = [column for column in columns if column.kind == "number"]
    _numbers(numbers, page)
    _dates([column for column in columns if column.kind == "date"], page)
    _texts([column for column in columns if column.kind in ("text", "boolean", "empty")], page)
    _together(numbers, ask, page)


def _numbers(columns: list[Column], page: Page) -> None:
    if not columns:
        return
    header = ["numbers", "count", "missing", "sum", "mean", "median", "std", "min", "25 %", "75 %", "max"]
    rows = []
    for column in columns:
        assert column.floats is not None
        values = column.floats.dropna()
        inner = [figure(column, name, page) for name in ("sum", "mean", "median", "std", "min")]
        quarters = [page.rounded(values.quantile(at)) if len(values) else "–" for at in (0.25, 0.75)]
        cells = [*inner, *quarters, figure(column, "max", page)]
        rows.append([column.title, str(column.count), str(column.missing), *cells])
    page.table(header, rows)
    page.note(BETWEEN)


def _dates(columns: list[Column], page: Page) -> None:
    if not columns:
        return
    rows = []
    for column in columns:
        assert column.dates is not None
        first, last = column.dates.min(), column.dates.max()
        distinct = str(column.dates.nunique())
        cells = [str(column.count), str(column.missing), distinct, day(first), day(last), str((last - first).days)]
        rows.append([column.name, *cells])
    page.table(["dates", "count", "missing", "distinct", "first", "last", "days between"], rows)


def _texts(columns: list[Column], page: Page) -> None:
    if not columns:
        return
    rows = []
    for column in columns:
        counts = column.labels.value_counts()
        top = ", ".join(f"{str(value)[:20]} ({times})" for value, times in counts.head(_TOP).items())
        more = f", … {len(counts) - _TOP} more" if len(counts) > _TOP else ""
        rows.append([column.name, column.kind, str(column.count), str(column.missing), str(len(counts)), top + more])
    page.table(["others", "type", "count", "missing", "distinct", "most frequent (times)"], rows)


def _together(numbers: list[Column], ask: Ask, page: Page) -> None:
    found = pairs(numbers) if len(numbers) > 1 else []
    if not found:
        return
    shown = min(ask.n, len(found))
    page.say(f"Correlations (Pearson's r), the strongest {shown} of {len(found)}:" if shown < len(found)
             else "Correlations (Pearson's r):")  # fmt: skip
    page.table(
        ["column", "column", "r", "rows"],
        [[one, other, page.rounded(r), str(rows)] for one, other, r, rows in found[:shown]],
    )


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
