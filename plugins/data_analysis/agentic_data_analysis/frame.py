"""A table whose columns are read when they are needed, and found by the names that a model writes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agentic import ToolRetry
from agentic_data_analysis.columns import Column, read_column
from agentic_data_analysis.operations import Operation
from agentic_data_analysis.tables import Table

_LISTED = 20


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of the data. ``n``: rows to list at most; ``quantiles`` from 0 to 1."""

    operation: Operation = "summary"
    columns: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ()
    n: int = 10
    quantiles: tuple[float, ...] = ()


@dataclass(slots=True)
class Frame:
    """A table and those of its columns that were read already."""

    table: Table
    _read: dict[str, Column] = field(default_factory=dict)

    def names(self, with_outer: bool = False) -> list[str]:
        """The columns' names; with those of the records around them if asked for."""
        return [*self.table.columns, *(self.table.outer if with_outer else ())]

    def column(self, name: str) -> Column:
        """The column of exactly this name."""
        if name not in self._read:
            table = self.table
            values = table.columns[name] if name in table.columns else table.outer[name]
            self._read[name] = read_column(name, values, table.decimal_comma)
        return self._read[name]

    def columns_read(self) -> list[Column]:
        """The columns that were needed up to now."""
        return list(self._read.values())

    def columns(self, ask: Ask) -> list[Column]:
        """The columns asked for, or all but those that are grouped by."""
        names = ask.columns or tuple(name for name in self.names() if name not in ask.group_by)
        return [self.column(name) for name in names]

    def numbers(self, ask: Ask) -> list[Column]:
        """The columns of numbers among them; booleans count as 0 and 1 where they are named.

        Raises ToolRetry for a column that is named and has no numbers.
        """
        kinds = ("number", "boolean") if ask.columns else ("number",)
        found = [column for column in self.columns(ask) if column.kind in kinds]
        if ask.columns and len(found) < len(ask.columns):
            other = next(column for column in self.columns(ask) if column.kind not in kinds)
            what = "is empty" if other.kind == "empty" else f"holds {other.kind}"
            have = [name for name in self.names() if self.column(name).kind == "number"]
            raise ToolRetry(
                f"`{other.name}` {what}; {ask.operation} needs numbers. Columns with numbers: {quoted(have) or 'none'}."
            )
        return found


def choose(frames: Sequence[Frame], ask: Ask) -> tuple[list[Frame], Ask]:
    """The tables that have all that is named, and the request with names as the tables write them.

    Raises ToolRetry for a name that no table has, with the nearest ones.
    """
    columns = _split(frames, ask.columns)
    group_by = _split(frames, ask.group_by)
    for with_outer in (False, True):
        found: list[tuple[Frame, Ask]] = []
        for frame in frames:
            own = frame.names(with_outer)
            places = [match(name, own) for name in columns], [match(name, own) for name in group_by]
            if None not in places[0] and None not in places[1]:
                named = [tuple(dict.fromkeys(name for name in names if name)) for names in places]
                found.append((frame, Ask(ask.operation, named[0], named[1], ask.n, ask.quantiles)))
        if found:
            first = found[0][1]
            return [frame for frame, same in found if same == first], first
    raise ToolRetry(_unknown(frames, [*columns, *group_by]))


def match(name: str, names: Iterable[str]) -> str | None:
    """The column that a name means: the same, the same but for case and signs, or the one that ends in it."""
    known = list(names)
    if name in known:
        return name
    for reading in (_folded, lambda text: _folded(text.rpartition(".")[2])):
        found = [other for other in known if reading(other) == _folded(name)]
        if len(found) == 1:
            return found[0]
    return None


def quoted(names: Sequence[str]) -> str:
    """Names in a row, the first ones if there are many."""
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(f"`{name}`" for name in names[:_LISTED]) + more


def _split(frames: Sequence[Frame], names: Sequence[str]) -> list[str]:
    """The names, those with a comma taken apart where no column is called so."""
    known = [name for frame in frames for name in frame.names(True)]
    split: list[str] = []
    for name in names:
        parts = [name] if match(name, known) or name in known else name.split(",")
        split += [part.strip() for part in parts if part.strip()]
    return [name for name in split if name not in ("*", "all") or name in known]


def _unknown(frames: Sequence[Frame], names: Sequence[str]) -> str:
    known = list(dict.fromkeys(name for frame in frames for name in frame.names(True)))
    for name in names:
        if match(name, known) is None and name not in known:
            ends = [other for other in known if _folded(other.rpartition(".")[2]) == _folded(name)]
            folded = {_folded(other): other for other in known}
            near = ends or [folded[one] for one in difflib.get_close_matches(_folded(name), folded, n=3, cutoff=0.5)]
            meant = f" Did you mean {quoted(near)}?" if near else ""
            return f"There is no column `{name[:80]}`.{meant} Columns: {quoted(known)}."
    places = [f"{frame.table.title} has {quoted(frame.names(True))}" for frame in frames[:6]]
    return f"No one table has all of {quoted(names)}. {'; '.join(places)}. Name columns of one table."


def _folded(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum()) or name.strip()
