"""The figures of columns as they are: one operation over whole columns. pandas does the arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from agentic import ToolRetry
from agentic_data_analysis.columns import Column, scale_of
from agentic_data_analysis.frame import Ask, Frame
from agentic_data_analysis.page import Page, exact

QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
EXACT = frozenset({"sum", "min", "max"})
SAMPLE = "std is the standard deviation of a sample (divided by n − 1)."
BETWEEN = "Quantiles between two values are interpolated linearly."
_CONTEXT_COLUMNS = 5


def figure(column: Column, operation: str, page: Page) -> str:
    """Sum, mean, median, min, max or std of a column of numbers; ``–`` where there are too few values."""
    assert column.floats is not None
    values = column.floats.dropna()
    if len(values) < (2 if operation == "std" else 1):
        return "–"
    if operation in EXACT:
        whole = column.whole.dropna() if column.whole is not None else values
        return page.exact(getattr(whole, operation)())
    if operation == "std":
        page.note(SAMPLE)
        assert column.deviations is not None
        values = column.deviations.dropna()
    scale = scale_of(values)
    return page.rounded(getattr(values / scale, operation)() * scale)


def count(frame: Frame, ask: Ask, page: Page) -> None:
    """Rows, and for the columns named their values."""
    rows = frame.table.rows
    page.say(f"{rows} {'row' if rows == 1 else 'rows'}.")
    if ask.columns:
        columns = frame.columns(ask)
        page.table(
            ["column", "values", "missing", "distinct"],
            [[one.name, str(one.count), str(one.missing), str(one.labels.nunique())] for one in columns],
        )


def missing(frame: Frame, ask: Ask, page: Page) -> None:
    """How many values each column lacks."""
    columns, rows = frame.columns(ask), frame.table.rows
    lacking = sorted((one for one in columns if one.missing), key=lambda one: -one.missing)
    if not lacking:
        page.say(f"No missing values in {len(columns)} {'column' if len(columns) == 1 else 'columns'} of {rows} rows.")
        return
    page.say(
        f"Missing values in {len(lacking)} of {len(columns)} columns, {sum(one.missing for one in lacking)} in all:"
    )
    page.table(
        ["column", "missing", f"of {rows} rows"],
        [[one.name, str(one.missing), f"{page.rounded(100 * one.missing / rows)} %"] for one in lacking],
    )


def single(frame: Frame, ask: Ask, page: Page) -> None:
    """Sum, mean, median, min, max or std: a sentence for one column, a table for more."""
    if ask.operation in ("min", "max") and ask.columns:
        dated = [one for one in frame.columns(ask) if one.kind == "date"]
        if dated:
            _dated(dated, ask.operation, page)
            rest = tuple(name for name in ask.columns if name not in {one.name for one in dated})
            if not rest:
                return
            ask = Ask(ask.operation, rest, (), ask.n)
    columns = frame.numbers(ask)
    rows: list[tuple[Column, str, str]] = []
    for column in columns:
        shown = figure(column, ask.operation, page)
        place = _place(frame, column, ask.operation) if ask.operation in ("min", "max") else ""
        rows.append((column, shown, place))
    if len(rows) == 1:
        column, shown, place = rows[0]
        told = f"{column.count} {'value' if column.count == 1 else 'values'}, {column.missing} missing"
        page.say(f"{ask.operation} of `{column.title}`: {shown} ({told}){'; ' + place if place else ''}")
        return
    header = ["column", ask.operation, "values", "missing"]
    page.table(header, [[one.title, shown, str(one.count), str(one.missing)] for one, shown, _ in rows])


def quantiles(frame: Frame, ask: Ask, page: Page) -> None:
    """The quantiles asked for, or the usual ones."""
    wanted = ask.quantiles or QUANTILES
    columns = frame.numbers(ask)
    rows = []
    for at in wanted:
        cells = []
        for column in columns:
            assert column.floats is not None
            values = column.floats.dropna()
            cells.append(page.rounded(values.quantile(at)) if len(values) else "–")
        rows.append([f"{exact(at * 100)} %", *cells])
    page.table(["quantile", *(column.title for column in columns)], rows)
    page.note(BETWEEN)


def value_counts(frame: Frame, ask: Ask, page: Page) -> None:
    """The most frequent values of each column."""
    for column in frame.columns(ask):
        counts = column.labels.value_counts()
        there = int(counts.sum())
        left = f"; {ask.n} of them shown (n = {ask.n})" if len(counts) > ask.n else ""
        page.say(f"`{column.name}`: {len(counts)} distinct in {there} values, {column.missing} missing{left}")
        page.table(
            ["value", "count", "share"],
            [[str(v), str(times), f"{page.rounded(100 * times / there)} %"] for v, times in counts.head(ask.n).items()],
        )


def correlation(frame: Frame, ask: Ask, page: Page) -> None:
    """Pearson's coefficient of pairs of columns, the strongest first.

    Raises ToolRetry where there are fewer than two columns of numbers.
    """
    columns = frame.numbers(ask)
    if len(columns) < 2:
        raise ToolRetry("correlation needs two columns of numbers or more.")
    found = pairs(columns)
    if not found:
        page.say("No correlation is defined: every pair has a constant column or fewer than 3 rows with both values.")
        return
    if len(found) > ask.n:
        page.say(f"The strongest {ask.n} of {len(found)} pairs:")
    page.table(
        ["column", "column", "r", "rows"],
        [[one, other, page.rounded(r), str(rows)] for one, other, r, rows in found[: ask.n]],
    )
    page.note("r is Pearson's correlation coefficient, over the rows that have both values.")


def pairs(columns: Sequence[Column]) -> list[tuple[str, str, float, int]]:
    """Pairs of columns with r and the rows that it rests on, the strongest first; where r is undefined, none."""
    data = pd.DataFrame({one.name: _scaled(one.deviations) for one in columns})
    r = data.corr(min_periods=3)
    there = data.notna().astype(int)
    together = there.T @ there
    found = [
        (one, other, float(r.loc[one, other]), int(together.loc[one, other]))
        for one, other in combinations(data.columns, 2)
        if pd.notna(r.loc[one, other])
    ]
    return sorted(found, key=lambda pair: -abs(pair[2]))


def _scaled(values: pd.Series | None) -> pd.Series:
    assert values is not None
    return values / scale_of(values)


def _place(frame: Frame, column: Column, operation: str) -> str:
    """The row that has the least or greatest value, by its other columns."""
    assert column.floats is not None
    values: Any = column.whole.dropna() if column.whole is not None else column.floats.dropna()
    if values.empty or frame.table.rows < 2:
        return ""
    having = values[values == getattr(values, operation)()].index
    row = int(having[0])
    labels = {name: frame.column(name).labels.iloc[row] for name in frame.names(True) if name != column.name}
    told = [f"{name} {label}" for name, label in labels.items() if label is not None][:_CONTEXT_COLUMNS]
    many = f", the first of {len(having)} such rows" if len(having) > 1 else ""
    return f"row {row + 1}{': ' if told else ''}{', '.join(told)}{many}"


def _dated(columns: Sequence[Column], operation: str, page: Page) -> None:
    for column in columns:
        assert column.dates is not None
        page.say(f"{operation} of `{column.name}`: {day(getattr(column.dates, operation)())} ({column.count} dates)")


def day(moment: Any) -> str:
    """A date, with the time of day where it has one."""
    text = str(moment.isoformat())
    return text.removesuffix("T00:00:00+00:00").replace("+00:00", "Z")
