"""Checks of what a function is given, and the values that are no SymPy objects."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import sympy

from agentic import ToolError, ToolRetry

MAX_BITS = 4_000_000
"""Size of the greatest whole number that is computed at all: about 1.2 million digits."""

_MAX_FRACTION_BITS = 100_000


@dataclass(frozen=True, slots=True)
class Solutions:
    """What solves an equation or a system: one mapping of unknown to value for each solution."""

    unknowns: tuple[Any, ...]
    found: tuple[dict[Any, Any], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A result that is read as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Quantity:
    """``number`` of the unit ``label``; ``number`` is exact."""

    number: Any
    label: str


def scalar(value: Any, function: str) -> Any:
    """The value, if it is a number or a term. Raises ToolRetry for lists, matrices and relations."""
    if isinstance(value, sympy.Expr) and not isinstance(value, sympy.MatrixBase):
        return value
    raise ToolRetry(f"{function} takes a number or a term here, not {described(value)}.")


def whole(value: Any, function: str) -> int:
    """The value as an int. Raises ToolRetry if it is no whole number."""
    if isinstance(value, sympy.Integer):
        return int(value)
    raise ToolRetry(f"{function} takes whole numbers here, not {described(value)}.")


def symbol(value: Any, function: str) -> Any:
    """The value, if it is an unknown such as x. Raises ToolRetry otherwise."""
    if isinstance(value, sympy.Symbol):
        return value
    raise ToolRetry(f"{function} needs an unknown such as x here, not {described(value)}.")


def matrix(value: Any, function: str) -> Any:
    """A matrix, from one or from a list of rows. Raises ToolRetry if the rows are not of one length."""
    if isinstance(value, sympy.MatrixBase):
        return value
    if not isinstance(value, list) or not value:
        raise ToolRetry(f"{function} takes a matrix such as Matrix([[1, 2], [3, 4]]), not {described(value)}.")
    rows = [row if isinstance(row, list) else [row] for row in value]
    if len({len(row) for row in rows}) != 1:
        raise ToolRetry(f"{function}: the rows of the matrix must have the same length.")
    return sympy.Matrix([[scalar(entry, function) for entry in row] for row in rows])


def square(value: Any, function: str) -> Any:
    """A square matrix. Raises ToolRetry if it has another shape."""
    found = matrix(value, function)
    if found.rows != found.cols:
        raise ToolRetry(f"{function} needs a square matrix; this one is {found.rows} by {found.cols}.")
    return found


def only_unknown(term: Any, function: str) -> Any:
    """The one unknown of a term. Raises ToolRetry if it has none, or several."""
    free = sorted(term.free_symbols, key=str)
    if len(free) == 1:
        return free[0]
    if not free:
        raise ToolRetry(f"{function}: there is no unknown in it; write e.g. {function}(x^2, x).")
    listed = ", ".join(map(str, free))
    raise ToolRetry(f"{function}: say for which unknown ({listed}), e.g. {function}(…, {free[0]}).")


def power(base: Any, exponent: Any) -> Any:
    """``base`` to the ``exponent``: exact, or as a number where a fraction's power would be too long to read.

    Raises ToolError if a whole number's power has more digits than are ever computed.
    """
    if not (isinstance(exponent, sympy.Integer) and isinstance(base, sympy.Rational)):
        return base**exponent
    bits = (max(abs(int(base.p)), int(base.q)).bit_length() - 1) * abs(int(exponent))
    is_fraction = base.q != 1
    if is_fraction and bits > _MAX_FRACTION_BITS and abs(exponent) < 10**30:
        return (sympy.Float(base, 60) ** exponent).n(15)
    if bits > MAX_BITS:
        digits = 1 + int(abs(int(exponent)) * Fraction(math.log10(max(abs(int(base.p)), int(base.q)))))
        raise ToolError(f"This power has about {size(digits)} digits, too many to compute. Try log10 of it, or mod.")
    return base**exponent


def size(digits: int) -> str:
    """A count for people: ``369,693,100``, and powers of ten beyond 10^18."""
    return f"{digits:,}" if digits < 10**18 else f"10^{int((digits.bit_length() - 1) * 0.30103)}"


def described(value: Any) -> str:
    """What kind of value this is, in words."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, sympy.MatrixBase):
        return "a matrix"
    if isinstance(value, sympy.logic.boolalg.Boolean):
        return "an equation"
    if isinstance(value, Solutions | Text | Quantity):
        return "the result of another function"
    text = str(value) if not isinstance(value, sympy.Integer) or abs(value) < 10**30 else "a long number"
    return f"`{text[:60]}`"
