"""Derivatives, integrals, limits, sums and the rewriting of terms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from agentic import ToolError, ToolRetry
from agentic_math.arguments import Text, matrix, only_unknown, scalar, symbol, whole

Function = Callable[[list[Any]], Any]


def derivative(values: list[Any]) -> Any:
    """``diff(f)``, ``diff(f, x)``, ``diff(f, x, 2)``, ``diff(f, x, y)``, ``diff(f, (x, 2))``."""
    term = scalar(values[0], "diff")
    listed = [one for value in values[1:] for one in (value if isinstance(value, list) else [value])]
    if not listed:
        listed = [only_unknown(term, "diff")]
    for value in listed:
        if isinstance(value, sympy.Integer):
            if not 0 < value <= 100:
                raise ToolRetry("diff takes derivatives of order 1 to 100: diff(f, x, 2).")
        else:
            symbol(value, "diff")
    if not isinstance(listed[0], sympy.Symbol):
        listed.insert(0, only_unknown(term, "diff"))
    return sympy.diff(term, *listed)


def integral(values: list[Any]) -> Any:
    """``integrate(f, x)``, ``integrate(f, (x, a, b))``, ``integrate(f, x, a, b)``; several ranges nest."""
    term = scalar(values[0], "integrate")
    ranges = _ranges(term, values[1:], "integrate")
    result = sympy.integrate(term, *ranges)
    if not result.has(sympy.Integral):
        return result
    if all(isinstance(one, tuple) for one in ranges) and result.is_number:
        number = sympy.N(result, 15)
        if not number.has(sympy.Integral):
            return number
    raise ToolError("No closed form was found for this integral. With limits it can be computed as a number.")


def limit(values: list[Any]) -> Any:
    """``limit(f, x, a)`` with an optional side, and ``limit(f, x -> a)``."""
    term = scalar(values[0], "limit")
    side = "+-"
    rest = [one for value in values[1:] for one in (value if isinstance(value, list) else [value])]
    if rest and isinstance(rest[-1], Text):
        side = rest.pop().text
    if len(rest) == 1:
        rest.insert(0, only_unknown(term, "limit"))
    if len(rest) != 2:
        raise ToolRetry("limit takes a term, an unknown and a point: limit(sin(x)/x, x, 0).")
    try:
        point = scalar(rest[1], "limit")
        result = sympy.limit(term, symbol(rest[0], "limit"), point, side if point.is_finite is not False else "+")
    except ValueError as error:
        raise ToolError("The limit does not exist: the limits from the left and from the right differ.") from error
    if result.has(sympy.zoo, sympy.nan, sympy.AccumBounds):
        one_sided = " From one side it may: limit(1/x, x, 0, '+')." if point.is_finite is not False else ""
        raise ToolError(f"The limit does not exist.{one_sided}")
    if result.has(sympy.Limit):
        raise ToolError("This limit could not be found.")
    return result


def total(values: list[Any]) -> Any:
    """``summation(f, (n, 1, 10))``, ``summation(f, n, 1, oo)``, or the sum of a list of numbers."""
    if isinstance(values[0], list) or all(isinstance(value, sympy.Number) for value in values):
        from agentic_math.elementary import flat

        return sympy.Add(*flat(values))
    term = scalar(values[0], "summation")
    ranges = _ranges(term, values[1:], "summation", limits=True)
    result = sympy.summation(term, *ranges)
    if not result.has(sympy.Sum):
        return result
    if not result.free_symbols:
        number = sympy.N(result, 15)
        if not number.has(sympy.Sum):
            return number
    raise ToolError("No closed form was found for this sum.")


def product(values: list[Any]) -> Any:
    """``product(f, (n, 1, 10))`` or the product of a list of numbers."""
    if isinstance(values[0], list) or all(isinstance(value, sympy.Number) for value in values):
        from agentic_math.elementary import flat

        return sympy.Mul(*flat(values))
    term = scalar(values[0], "product")
    result = sympy.product(term, *_ranges(term, values[1:], "product", limits=True))
    if result.has(sympy.Product):
        raise ToolError("No closed form was found for this product.")
    return result


def series(values: list[Any]) -> Any:
    """``series(f, x)``, ``series(f, x, a)``, ``series(f, x, a, n)``: up to the power n - 1, n at most 30."""
    term = scalar(values[0], "series")
    unknown = symbol(values[1], "series") if len(values) > 1 else only_unknown(term, "series")
    point = scalar(values[2], "series") if len(values) > 2 else sympy.Integer(0)
    order = whole(values[3], "series") if len(values) > 3 else 6
    if not 1 <= order <= 30:
        raise ToolRetry("series takes an order from 1 to 30: series(exp(x), x, 0, 6).")
    return sympy.series(term, unknown, point, order)


def substitute(values: list[Any]) -> Any:
    """``subs(f, x, 2)``."""
    value = values[0] if isinstance(values[0], sympy.MatrixBase) else scalar(values[0], "subs")
    return value.subs(symbol(values[1], "subs"), scalar(values[2], "subs"))


def decimal(values: list[Any]) -> Any:
    """``N(x)`` or ``N(x, digits)``, with 1 to 1000 digits."""
    digits = whole(values[1], "N") if len(values) > 1 else 15
    if not 1 <= digits <= 1000:
        raise ToolRetry("N takes 1 to 1000 digits: N(pi, 50).")
    if isinstance(values[0], list | sympy.MatrixBase):
        return matrix(values[0], "N").evalf(digits)
    return sympy.N(scalar(values[0], "N"), digits)


def rewriting(name: str) -> Function:
    """One of SymPy's functions that rewrite a term, entry by entry for a matrix."""
    function = getattr(sympy, name)

    def rewrite(values: list[Any]) -> Any:
        value = values[0]
        if isinstance(value, list | sympy.MatrixBase):
            return matrix(value, name).applyfunc(function)
        if isinstance(value, sympy.Rel):
            return value.func(function(value.lhs), function(value.rhs), evaluate=False)
        return function(scalar(value, name), *(scalar(one, name) for one in values[1:]))

    return rewrite


def degree(values: list[Any]) -> Any:
    """The degree of a polynomial."""
    term = scalar(values[0], "degree")
    unknown = symbol(values[1], "degree") if len(values) > 1 else only_unknown(term, "degree")
    return sympy.Integer(sympy.degree(term, unknown))


def _ranges(term: Any, values: list[Any], function: str, limits: bool = False) -> list[Any]:
    """Unknowns and ``(unknown, from, to)``, however they were written."""
    if len(values) == 3 and isinstance(values[0], sympy.Symbol) and not isinstance(values[1], list):
        values = [values]
    if len(values) == 2 and all(isinstance(value, sympy.Expr) and not value.free_symbols for value in values):
        values = [[only_unknown(term, function), *values]]
    if not values and not limits:
        return [only_unknown(term, function)]
    if (limits and not all(isinstance(value, list) for value in values)) or (limits and not values):
        raise ToolRetry(f"{function} takes a range: {function}(1/n^2, (n, 1, 10)).")
    return [_range(value, function) for value in values]


def _range(value: Any, function: str) -> Any:
    if not isinstance(value, list):
        return symbol(value, function)
    if len(value) != 3:
        raise ToolRetry(f"{function} takes a range of three parts: {function}(x^2, (x, 0, 1)).")
    return (symbol(value[0], function), scalar(value[1], function), scalar(value[2], function))


def table() -> dict[str, tuple[Function, int, int]]:
    """Name to function, fewest and most arguments."""
    once = ("simplify", "factor", "cancel", "apart", "together", "trigsimp", "expand")
    return {name: (rewriting(name), 1, 2 if name == "apart" else 1) for name in once} | {
        "collect": (rewriting("collect"), 2, 2),
        "diff": (derivative, 1, 10),
        "integrate": (integral, 1, 5),
        "limit": (limit, 2, 4),
        "summation": (total, 1, 500),
        "product": (product, 1, 500),
        "series": (series, 1, 4),
        "subs": (substitute, 3, 3),
        "N": (decimal, 1, 2),
        "Rational": (
            lambda values: (
                scalar(values[0], "Rational") / scalar(values[-1] if len(values) > 1 else sympy.Integer(1), "Rational")
            ),
            1,
            2,
        ),
        "degree": (degree, 1, 2),
    }
