"""The same figures for each group of rows."""

from __future__ import annotations

from typing import Any

import pandas as pd

from agentic import ToolRetry
from agentic_data_analysis.columns import Column, scale_of
from agentic_data_analysis.figures import BETWEEN, EXACT, SAMPLE
from agentic_data_analysis.frame import Ask, Frame
from agentic_data_analysis.operations import NUMERIC
from agentic_data_analysis.page import Page, exact

_MISSING = "(missing)"
_ALL = ("sum", "mean", "median", "std", "min", "max")
_QUARTILES = (0.25, 0.5, 0.75)


def grouped(frame: Frame, ask: Ask, page: Page) -> None:
    """The operation for each group. Raises ToolRetry for correlation, which has no groups."""
    if ask.operation == "correlation":
        raise ToolRetry("correlation takes no group_by: leave it out.")
    # None stays: a text may well be called what is shown for it.
    labels = (frame.column(name).labels.astype(object) for name in ask.group_by)
    keys = pd.Series(list(zip(*(one.where(one.notna(), None) for one in labels), strict=True)), dtype=object)
    sizes = keys.value_counts()
    if ask.operation not in NUMERIC | {"summary"}:
        _counted(frame, ask, page, keys, sizes)
        return
    columns = frame.numbers(ask)
    if not columns:
        _listed(ask, page, {}, sizes, "rows")
        return
    if ask.operation == "summary":
        for column in columns:
            page.heading(f"`{column.title}`")
            figures = {name: _figure(column, name, keys) for name in _ALL}
            page.note(SAMPLE)
            _listed(ask, page, figures, sizes, "sum")
        return
    figures = {}
    for column in columns:
        figures.update(_figures(column, ask, keys))
    if ask.operation == "std":
        page.note(SAMPLE)
    _listed(ask, page, figures, sizes, next(iter(figures)))


def _figures(column: Column, ask: Ask, keys: pd.Series) -> dict[str, pd.Series]:
    """Heading to a series of one figure for each group."""
    if ask.operation != "quantiles":
        return {f"{ask.operation} {column.title}": _figure(column, ask.operation, keys)}
    assert column.floats is not None
    by_group = _by_group(column.floats, keys)
    wanted = ask.quantiles or _QUARTILES
    return {f"{column.title} {exact(at * 100)} %": by_group.quantile(at) for at in wanted}


def _figure(column: Column, operation: str, keys: pd.Series) -> pd.Series:
    if operation == "std":
        values = column.deviations
    else:
        values = column.whole if operation in EXACT and column.whole is not None else column.floats
    assert values is not None
    if operation in EXACT:
        return getattr(_by_group(values, keys), operation)()
    scale = scale_of(values)
    return getattr(_by_group(values / scale, keys), operation)() * scale


def _by_group(values: pd.Series, keys: pd.Series) -> Any:
    there = values.dropna()
    return there.groupby(keys[there.index], sort=False)


def _listed(ask: Ask, page: Page, figures: dict[str, pd.Series], sizes: pd.Series, ordered_by: str) -> None:
    """A row for each group, by one of the figures or else by size: the largest first, for min the smallest."""
    order = figures.get(ordered_by, sizes)
    ascending = ask.operation == "min"
    ranked = [*order.sort_values(ascending=ascending, kind="stable").index]
    ranked += [group for group in sizes.index if group not in order.index]
    rows = []
    for group in ranked[: ask.n]:
        cells = [_shown(series, group, name, ask, page) for name, series in figures.items()]
        rows.append([*_told(group), str(int(sizes[group])), *cells])
    left = f"; {ask.n} of them shown (n = {ask.n})" if len(ranked) > ask.n else ""
    if len(ranked) > 1:
        page.say(f"{len(ranked)} groups, by {ordered_by}, {'smallest' if ascending else 'largest'} first{left}:")
    page.table([*ask.group_by, "rows", *figures], rows)
    if ask.operation == "quantiles":
        page.note(BETWEEN)


def _told(group: tuple[str | None, ...]) -> list[str]:
    return [_MISSING if label is None else label for label in group]


def _shown(series: pd.Series, group: Any, name: str, ask: Ask, page: Page) -> str:
    number = series.get(group)
    if number is None or pd.isna(number):
        return "–"
    is_exact = (ask.operation if ask.operation != "summary" else name) in EXACT
    return page.exact(number) if is_exact else page.rounded(number)


def _counted(frame: Frame, ask: Ask, page: Page, keys: pd.Series, sizes: pd.Series) -> None:
    """Counts, missing values or the most frequent values of each group."""
    columns = frame.columns(ask) if ask.columns or ask.operation == "missing" else []
    if ask.operation == "value_counts":
        if not columns:
            raise ToolRetry("value_counts with group_by needs `columns`: whose values are to be counted in each group?")
        for column in columns:
            _most_frequent(column, ask, page, keys)
        return
    figures = {}
    for column in columns:
        flags = column.labels.isna() if ask.operation == "missing" else column.labels.notna()
        if column.kind != "text" and ask.operation == "missing" and column.missing == 0:
            continue
        word = "missing" if ask.operation == "missing" else "values"
        figures[f"{column.name} {word}"] = flags.astype(int).groupby(keys, sort=False).sum()
    _listed(ask, page, figures, sizes, "rows")


def _most_frequent(column: Column, ask: Ask, page: Page, keys: pd.Series) -> None:
    there = column.labels.dropna()
    counts = there.groupby([keys[there.index], there]).size().sort_values(ascending=False, kind="stable")
    left = f"; {ask.n} of {len(counts)} rows shown (n = {ask.n})" if len(counts) > ask.n else ""
    page.say(f"`{column.name}` in each group, most frequent first{left}:")
    page.table(
        [*ask.group_by, column.name, "count"],
        [[*_told(group), str(value), str(times)] for (group, value), times in counts.head(ask.n).items()],
    )
