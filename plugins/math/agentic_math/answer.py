"""A value as the text that people and models read: exact first, then as a decimal where that differs."""

from __future__ import annotations

import re
from typing import Any

import sympy
from sympy.logic.boolalg import BooleanAtom

from agentic import ToolError
from agentic_math import nodes
from agentic_math.arguments import Quantity, Solutions, Text
from agentic_math.nodes import Node

MAX_CHARACTERS = 2000
_EDGE = 60
_DIGITS = 15


def render(value: Any, decimals: bool) -> str:
    """The answer's text, shortened to about MAX_CHARACTERS.

    ``decimals``: the input had decimal numbers, so that finite decimals stand for fractions. Raises ToolError where
    the value is undefined.
    """
    text = _rendered(value, decimals)
    if len(text) <= MAX_CHARACTERS:
        return text
    half = MAX_CHARACTERS // 2
    return f"{text[:half]} … {text[-half // 2 :]} (shortened; {len(text):,} characters in all)"


def _rendered(value: Any, decimals: bool) -> str:
    if isinstance(value, Text):
        return value.text
    if isinstance(value, Solutions):
        return _solutions(value, decimals)
    if isinstance(value, Quantity):
        return _quantity(value)
    if isinstance(value, sympy.MatrixBase):
        return _matrix(value, decimals)
    if isinstance(value, list):
        return "[" + ", ".join(_rendered(one, decimals) for one in value) + "]"
    if isinstance(value, BooleanAtom):
        return "true" if value == sympy.true else "false"
    if isinstance(value, sympy.logic.boolalg.Boolean):
        return _relation(value)
    return term(value, decimals)


def term(value: Any, decimals: bool) -> str:
    """A number or a term with unknowns."""
    if value.has(sympy.zoo, sympy.nan):
        raise ToolError("The result is undefined (a division by zero, or infinity minus infinity).")
    if value in (sympy.oo, -sympy.oo):
        return f"{value} (infinity)" if value == sympy.oo else "-oo (minus infinity)"
    if isinstance(value, sympy.Integer):
        return whole(int(value))
    if isinstance(value, sympy.Rational):
        return _rational(value, decimals)
    if isinstance(value, sympy.Float):
        return "≈ " + _float(value)
    if value.is_number and value.has(sympy.Float):
        return "≈ " + _floats_trimmed(value.evalf(_DIGITS, chop=True))
    value = _plain_complex(value)
    exact = str(value)
    approximate = _approximation(value, decimals)
    if approximate is None or approximate == exact:
        return exact
    if len(exact) > 120 or value.has(sympy.CRootOf) or (value.has(sympy.I) and "I" not in approximate):
        return f"≈ {approximate}"
    return f"{exact} ≈ {approximate}"


def wants_decimals(tree: Node) -> bool:
    """Whether the input had decimal numbers, or asked for rounding."""
    return any(
        (isinstance(node, nodes.Number) and not node.text.isalnum())
        or (isinstance(node, nodes.Call) and node.function == "round")
        for node in nodes.walk(tree)
    )


def _plain_complex(value: Any) -> Any:
    """``11 - 2*I`` for a product of complex numbers, where both parts are fractions."""
    if not value.has(sympy.I) or value.free_symbols:
        return value
    real, imaginary = value.as_real_imag()
    exact = isinstance(real, sympy.Rational) and isinstance(imaginary, sympy.Rational)
    return real + imaginary * sympy.I if exact else value


def whole(number: int) -> str:
    """An integer; a long one by its first and last digits and their count."""
    digits = _digit_count(abs(number))
    if digits <= MAX_CHARACTERS:
        return str(number)
    sign = "-" if number < 0 else ""
    first = abs(number) // 10 ** (digits - _EDGE)
    last = abs(number) % 10**_EDGE
    return f"{sign}{first}…{last:0{_EDGE}d} ({digits:,} digits; the first and last {_EDGE} are shown)"


def _digit_count(number: int) -> int:
    estimate = int((number.bit_length() - 1) * 0.30102999566398119521)
    return estimate + 1 if number >= 10**estimate and number < 10 ** (estimate + 1) else estimate + 2


def _rational(value: Any, decimals: bool) -> str:
    finite = _finite_decimal(value)
    if finite is not None and decimals:
        return finite
    numerator, denominator = int(value.p), int(value.q)
    if _digit_count(abs(numerator)) + _digit_count(denominator) > 60:
        return f"≈ {_float(sympy.N(value, _DIGITS))}"
    exact = f"{numerator}/{denominator}"
    return f"{exact} = {finite}" if finite is not None else f"{exact} ≈ {_float(sympy.N(value, _DIGITS))}"


def _finite_decimal(value: Any) -> str | None:
    """The decimal of a fraction, if it ends within 15 places."""
    rest, places = int(value.q), 0
    while places < _DIGITS and rest != 1:
        places += 1
        rest //= sympy.igcd(rest, 10)
    if rest != 1:
        return None
    scaled = abs(int(value.p)) * 10**places // int(value.q)
    digits = str(scaled).rjust(places + 1, "0")
    sign = "-" if value < 0 else ""
    return sign + (f"{digits[:-places]}.{digits[-places:]}" if places else digits)


def _float(value: Any) -> str:
    """A SymPy float without trailing zeros."""
    text = str(value)
    if "." not in text:
        return text
    mantissa, mark, exponent = text.partition("e")
    return mantissa.rstrip("0").rstrip(".") + mark + exponent


def _approximation(value: Any, decimals: bool) -> str | None:
    """The value with decimal numbers in it; None where that says no more than the exact one."""
    if value.free_symbols or not value.is_number:
        return (
            _floats_trimmed(value.evalf(_DIGITS))
            if decimals and value.atoms(sympy.Rational) - value.atoms(sympy.Integer)
            else None
        )
    real, imaginary = value.as_real_imag()
    if isinstance(real, sympy.Integer) and isinstance(imaginary, sympy.Integer):
        return None
    return _floats_trimmed(value.evalf(_DIGITS, chop=True))


def _floats_trimmed(value: Any) -> str:
    return re.sub(r"(\d+\.\d*?)0+(?=\D|$)", lambda found: found[1].rstrip("."), str(value))


def _matrix(value: Any, decimals: bool) -> str:
    rows = value.tolist()
    if any(entry.has(sympy.zoo, sympy.nan) for row in rows for entry in row):
        raise ToolError("The result is undefined.")
    if all(isinstance(entry, sympy.Rational) for row in rows for entry in row) and decimals:
        return "[" + ", ".join("[" + ", ".join(_rational(one, True) for one in row) + "]" for row in rows) + "]"
    return str(rows)


def _relation(value: Any) -> str:
    if isinstance(value, sympy.And | sympy.Or):
        word = " and " if isinstance(value, sympy.And) else " or "
        return word.join(
            f"({_relation(one)})" if one.args and isinstance(one, sympy.And | sympy.Or) else _relation(one)
            for one in value.args
        )
    if isinstance(value, sympy.Eq):
        return f"{value.lhs} = {value.rhs}"
    if isinstance(value, sympy.Ne):
        return f"{value.lhs} != {value.rhs}"
    return str(value)


def _solutions(value: Solutions, decimals: bool) -> str:
    if not value.found:
        return "No solution."
    listed = [_assignment(value, solution, decimals) for solution in _ordered(value)]
    text = " or ".join(dict.fromkeys(listed))
    if re.search(r"\bI\b", text):
        text += " (I is the imaginary unit)"
    return f"{text} ({value.note})" if value.note else text


def _ordered(value: Solutions) -> list[dict[Any, Any]]:
    """Solutions by the size of the first unknown, where all are real numbers."""
    numbers = [solution.get(value.unknowns[0], sympy.I).evalf(_DIGITS, chop=True) for solution in value.found]
    if not all(number.is_real and number.is_number for number in numbers):
        return list(value.found)
    return [solution for _, solution in sorted(zip(numbers, value.found, strict=True), key=lambda pair: float(pair[0]))]


def _assignment(value: Solutions, solution: dict[Any, Any], decimals: bool) -> str:
    parts = []
    for unknown in value.unknowns:
        if unknown in solution:
            text = term(solution[unknown], decimals)
            parts.append(f"{unknown} {text}" if text.startswith("≈") else f"{unknown} = {text}")
        elif len(value.unknowns) > 1:
            parts.append(f"{unknown} free")
    return ", ".join(parts)


def _quantity(value: Quantity) -> str:
    number = value.number
    if isinstance(number, sympy.Rational):
        finite = _finite_decimal(number)
        text = finite if finite is not None else f"≈ {_float(sympy.N(number, _DIGITS))}"
    else:
        text = term(number, True)
    return f"{text} {value.label}"
