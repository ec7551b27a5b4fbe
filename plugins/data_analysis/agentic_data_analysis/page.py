"""The answer as Markdown: tables, exact and rounded figures, and notes on what was left out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

MAX_CHARACTERS = 8000
_CELL = 60
_NOTES = 12
ROUNDED = "Figures with ≈ are rounded to 4 decimals (below 1: to 4 significant digits), others are not."


class Page:
    """What is written for the model, line by line; :meth:`text` puts it together."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._notes: dict[str, None] = {}
        self._rounded = False

    def heading(self, text: str) -> None:
        """A heading over what follows."""
        self._lines += ["", f"### {text}"]

    def say(self, text: str) -> None:
        """A line of its own."""
        self._lines += ["", text]

    def table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """A Markdown table; long cells are cut."""
        self._lines += ["", _row(header), "|" + "---|" * len(header), *(_row(row) for row in rows)]

    def note(self, *texts: str) -> None:
        """Notes come at the end, each once."""
        self._notes.update(dict.fromkeys(texts))

    def exact(self, number: Any) -> str:
        """A sum, minimum or maximum: whole numbers whole, others without the noise of binary fractions."""
        return exact(number)

    def rounded(self, number: Any) -> str:
        """A mean and the like, rounded where that changes it."""
        value = float(number)
        plain = exact(value)
        if not math.isfinite(value) or abs(value) >= 1e15:
            return plain
        text = f"{value:.4f}".rstrip("0").rstrip(".") if abs(value) >= 1 else f"{value:.4g}"
        if text == plain or float(text) == float(plain):
            return plain
        self._rounded = True
        return f"≈ {text}"

    def text(self) -> str:
        """The whole, cut at MAX_CHARACTERS with a word on how much is left out."""
        body = "\n".join(self._lines).strip()
        if len(body) > MAX_CHARACTERS:
            kept = body[:MAX_CHARACTERS].rpartition("\n")[0] or body[:MAX_CHARACTERS]
            left = body.count("\n") - kept.count("\n")
            body = f"{kept}\n\n(Shortened: {left} more lines. Name `columns` or an `operation` to get less.)"
        notes = list(self._notes)
        if len(notes) > _NOTES:
            notes = [*notes[:_NOTES], f"{len(notes) - _NOTES} more notes are left out."]
        if self._rounded:
            notes.append(ROUNDED)
        return "\n\n".join([body, "\n".join(f"- {note}" for note in notes)] if notes else [body])


def exact(number: Any) -> str:
    """A number's text: an int whole, a float to 15 digits, ``undefined`` for NaN."""
    if isinstance(number, int):
        return str(number)
    value = float(number)
    if math.isinf(value):
        return f"{'below -' if value < 0 else 'over '}1.8e308"
    if math.isnan(value):
        return "undefined"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return f"{value:.15g}"


def clipped(text: str) -> str:
    """A text short enough for a cell, on one line and without bars."""
    flat = " ".join(text.split()).replace("|", "\\|")
    return flat if len(flat) <= _CELL else f"{flat[: _CELL - 1]}…"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(clipped(cell) for cell in cells) + " |"
