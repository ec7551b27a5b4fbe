"""What the measured figures are held against."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bound:
    """A figure and what it may be: at most ``limit``, or at least where ``least`` is set."""

    what: str
    value: float
    limit: float
    unit: str = ""
    least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the figure is within its bound."""
        return self.value >= self.limit if self.least else self.value <= self.limit


def told(bounds: Sequence[Bound]) -> Iterator[str]:
    """The bounds as a table, those that do not hold in bold."""
    yield "\n## What is promised\n"
    yield "| | measured | promised | |"
    yield "|---|---|---|---|"
    for bound in bounds:
        unit = f" {bound.unit}" if bound.unit else ""
        held = "holds" if bound.holds else "**does not hold**"
        limit = f"at {'least' if bound.least else 'most'} {bound.limit:g}{unit}"
        yield f"| {bound.what} | {bound.value:.{2 if bound.value < 10 else 0}f}{unit} | {limit} | {held} |"
