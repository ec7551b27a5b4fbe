"""A column's values as what they are: numbers, dates, booleans or text, and what of them is missing."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd

from agentic_data_analysis.numerals import read_numbers

Kind = Literal["number", "date", "boolean", "text", "empty"]
_MISSING_WORDS = frozenset({"na", "n/a", "nan", "null", "none", "nil", "-", "–", "—", "#n/a", "?"})
_ISO_DATE = re.compile(
    r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?\s?(?:Z|[+-]\d{2}:?\d{2})?)?|\d{4}-\d{2}"
)
_DAYS = ((re.compile(r"\d{4}/\d{1,2}/\d{1,2}"), ("%Y/%m/%d",)), (re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}"), ("%d.%m.%Y",)),
         (re.compile(r"\d{1,2}/\d{1,2}/\d{4}"), ("%m/%d/%Y", "%d/%m/%Y")))  # fmt: skip
_LARGEST_EXACT = 2**53
_SMALL, _LARGE = 1e-100, 1e100
_STRAYS_SHOWN = 3
_LOOKED_AT = 1000


@dataclass(slots=True)
class Column:
    """A column in row order, as pandas series of one length.

    ``labels``: each value as text, None where missing. ``floats``: the numbers, NaN where there is none. ``whole``:
    the same as Python ints where all are. ``dates``: in UTC, NaT where there is none. ``unit``: ``%`` or a currency
    sign that the texts had. ``count``: values that the figures rest on.
    """

    name: str
    kind: Kind
    labels: pd.Series
    missing: int
    floats: pd.Series | None = None
    whole: pd.Series | None = None
    dates: pd.Series | None = None
    unit: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many values are numbers, or dates, or just there."""
        for values in (self.floats, self.dates):
            if values is not None:
                return int(values.count())
        return len(self.labels) - self.missing

    @property
    def deviations(self) -> pd.Series | None:
        """The numbers as floats; such as floats cannot tell apart less the first of them.

        That changes neither how they spread nor how they go with others.
        """
        if self.whole is None or self.floats is None or not self.floats.abs().max() > _LARGEST_EXACT:
            return self.floats
        first = self.whole.dropna().iloc[0]
        apart = self.whole.map(lambda number: math.nan if number is None else _float(number - first)).astype(float)
        return self.floats if math.isinf(apart.max()) else apart

    @property
    def title(self) -> str:
        """The name, with the unit of its figures."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


def scale_of(values: pd.Series) -> float:
    """The power of two to divide numbers by so that their sums and squares stay numbers; 1 for ordinary ones."""
    largest = values.abs().max()
    if not largest > 0 or _SMALL < largest < _LARGE:
        return 1.0
    return math.ldexp(1.0, math.frexp(largest)[1] - 1)


def read_column(name: str, values: Sequence[Any], decimal_comma: bool = False) -> Column:
    """Find out what the values are."""
    there = [at for at, value in enumerate(values) if not _is_missing(value)]
    core = [at for at in there if not _is_missing_word(values[at])]
    for reader in (_booleans, _numbers, _dates):
        column = reader(name, values, core, decimal_comma) if core else None
        if column is not None:
            return column
    column = Column(name, "text" if there else "empty", _labels(values, there), len(values) - len(there))
    texts = [values[at] for at in core[:_LOOKED_AT] if isinstance(values[at], str)]
    if texts and (units := read_numbers(texts).mixed):
        column.notes.append(f"`{name}` mixes {units}, so no figures are computed of it.")
    return column


def _booleans(name: str, values: Sequence[Any], core: list[int], _: bool) -> Column | None:
    if not all(values[at] is True or values[at] is False or _folded(values[at]) in ("true", "false") for at in core):
        return None
    flags = [math.nan] * len(values)
    texts: list[str | None] = [None] * len(values)
    for at in core:
        texts[at] = _folded(values[at]) if isinstance(values[at], str) else str(values[at]).lower()
        flags[at] = float(texts[at] == "true")
    return Column(
        name, "boolean", pd.Series(texts, dtype=object), len(values) - len(core), floats=pd.Series(flags, dtype=float)
    )


def _numbers(name: str, values: Sequence[Any], core: list[int], decimal_comma: bool) -> Column | None:
    """A column of numbers if at least half of its values are; the others are left out, and told."""
    texts = [values[at] for at in core if isinstance(values[at], str)]
    reading = read_numbers(texts, decimal_comma)
    written = iter(reading.numbers)
    numbers: dict[int, int | float] = {}
    strays, infinite = [], 0
    for at in core:
        number = next(written) if isinstance(values[at], str) else _as_number(values[at])
        if number is None:
            strays.append(at)
        elif math.isinf(_float(number)):
            infinite += 1
        else:
            numbers[at] = number
    if not (numbers or infinite) or len(numbers) + infinite < len(strays):
        return None
    notes = _number_notes(name, [values[at] for at in strays], infinite, reading.decimal_comma)
    everything = [*numbers, *strays]
    labels = _labels(values, everything, numbers)
    column = Column(name, "number", labels, len(values) - len(core), unit=reading.unit, notes=notes)
    floats = [math.nan] * len(values)
    for at, number in numbers.items():
        floats[at] = float(number)
    column.floats = pd.Series(floats, dtype=float)
    if all(isinstance(number, int) for number in numbers.values()):
        column.whole = pd.Series([numbers.get(at) for at in range(len(values))], dtype=object)
        if any(abs(number) > _LARGEST_EXACT for number in numbers.values()):
            column.notes.append(
                f"`{name}` has numbers of over 15 digits: sum, min and max are exact, other figures rounded."
            )
    return column


def _number_notes(name: str, strays: list[Any], infinite: int, decimal_comma: bool) -> list[str]:
    notes = []
    if strays:
        shown = list(dict.fromkeys(_label(stray)[:30] for stray in strays))[:_STRAYS_SHOWN]
        examples = ", ".join(f'"{text}"' for text in shown)
        what = "value that is no number is" if len(strays) == 1 else "values that are no numbers are"
        notes.append(f"`{name}`: {len(strays)} {what} left out ({examples}).")
    if infinite:
        notes.append(f"`{name}`: {infinite} infinite {'value is' if infinite == 1 else 'values are'} left out.")
    if decimal_comma:
        notes.append(f"`{name}` is read with a decimal comma.")
    return notes


def _dates(name: str, values: Sequence[Any], core: list[int], _: bool) -> Column | None:
    texts = [values[at] for at in core]
    if not all(isinstance(text, str) for text in texts):
        return None
    formats: tuple[str, ...] = ()
    stripped = [text.strip() for text in texts]
    if all(map(_ISO_DATE.fullmatch, stripped)):
        formats = ("ISO8601",)
    for pattern, orders in _DAYS:
        if all(map(pattern.fullmatch, stripped)):
            formats = orders
    read = [pd.to_datetime(pd.Series(stripped), format=order, utc=True, errors="coerce") for order in formats]
    whole = [series for series in read if series.notna().all()]
    if not whole:
        return None
    notes = []
    if len(whole) > 1 and not whole[0].equals(whole[1]):
        notes.append(f"`{name}` may be month/day/year or day/month/year; it is read as month/day/year.")
    dates = pd.Series(pd.NaT, index=range(len(values)), dtype=whole[0].dtype)
    dates.iloc[core] = whole[0].to_numpy()
    labels = _labels(values, core, dict(zip(core, whole[0].to_numpy().tolist(), strict=True)))
    return Column(name, "date", labels, len(values) - len(core), dates=dates, notes=notes)


def _labels(values: Sequence[Any], there: Sequence[int], means: Mapping[int, Any] | None = None) -> pd.Series:
    """Each value as text. ``means``: what values come to; equal ones (``1.50`` and ``1.5``) have the first's text."""
    texts: list[str | None] = [None] * len(values)
    for at in there:
        texts[at] = _label(values[at])
    first: dict[Any, str | None] = {}
    for at, meant in (means or {}).items():
        texts[at] = first.setdefault(meant, texts[at])
    return pd.Series(texts, dtype=object)


def _label(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _is_missing(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def _is_missing_word(value: Any) -> bool:
    return isinstance(value, str) and len(value) < 12 and _folded(value) in _MISSING_WORDS


def _folded(value: Any) -> str:
    return value.strip().casefold() if isinstance(value, str) else ""


def _as_number(value: Any) -> int | float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _float(number: int | float) -> float:
    """The number as a float; infinite where it is too large for one."""
    try:
        return float(number)
    except OverflowError:
        return math.inf
