"""Equations, inequalities and systems of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy
from sympy.logic.boolalg import BooleanFalse, BooleanTrue

from agentic import ToolError, ToolRetry
from agentic_math.arguments import Solutions, Text, scalar, symbol

Function = Callable[[list[Any]], Any]
_FAVOURITES = "xyzwtuvabcn"
_GRID = [sympy.Rational(step, 10) for step in range(-503, 504)]
"""Where real solutions are looked for when there is no closed form: from -50 to 50."""


def solve(values: list[Any]) -> Any:
    """``solve(equation, x)`` or ``solve([equations], [x, y])``; a term stands for ``term = 0``.

    Raises ToolError where no way to a solution is known, ToolRetry where the input is no equation.
    """
    equations = values[0] if isinstance(values[0], list) else [values[0]]
    unknowns = [one for value in values[1:] for one in (value if isinstance(value, list) else [value])]
    if not equations:
        raise ToolRetry("solve needs an equation: solve(x^2 = 4, x).")
    while unknowns and len(values) > 2 and isinstance(unknowns[-1], sympy.Number):
        unknowns.pop()
    chosen = [symbol(one, "solve") for one in unknowns] or _unknowns(equations)
    if any(isinstance(one, BooleanTrue | BooleanFalse) for one in equations) or not chosen:
        return _truth(equations)
    if any(isinstance(one, sympy.Rel) and not isinstance(one, sympy.Eq) for one in equations):
        return _inequality(equations, chosen)
    terms = [_as_term(one) for one in equations]
    return _solutions(terms, tuple(chosen), given=bool(unknowns))


def equation(values: list[Any]) -> Any:
    """``equation(a, b)``: a = b."""
    return sympy.Eq(scalar(values[0], "equation"), scalar(values[1], "equation"), evaluate=False)


def roots(values: list[Any]) -> Any:
    """The solutions of ``term = 0``."""
    return solve([values[0], *values[1:]])


def _solutions(terms: list[Any], unknowns: tuple[Any, ...], given: bool) -> Any:
    if len(terms) == 1 and len(unknowns) > 1 and not given:
        unknowns = unknowns[:1]
    if any(term.has(sympy.Abs, sympy.Max, sympy.Min, sympy.floor, sympy.ceiling, sympy.sign) for term in terms):
        real = {one: sympy.Symbol(one.name, real=True) for one in unknowns}
        terms, unknowns = [term.subs(real) for term in terms], tuple(real.values())
    if all(sympy.simplify(term) == 0 for term in terms):
        return Text(f"True for every {', '.join(map(str, unknowns))}")
    try:
        single = len(terms) == 1 and len(unknowns) == 1
        # A system of one loses the roots that have no radicals.
        found = sympy.solve(terms[0] if single else terms, *unknowns, dict=True)
    except NotImplementedError:
        return _by_number(terms, unknowns)
    if not found and len(terms) == 1 and not terms[0].is_polynomial(*unknowns) and len(unknowns) == 1:
        return _by_number(terms, unknowns, none_is_answer=True)
    if single and not found and sympy.degree(terms[0], unknowns[0]) > 0:
        raise ToolError(f"No closed form for {unknowns[0]} was found. Give numbers for the other unknowns.")
    if single:
        found = _with_numbers(found, unknowns[0])
    return Solutions(unknowns, tuple(found), _period_note(terms, unknowns))


def _with_numbers(found: list[Any], unknown: Any) -> list[Any]:
    """Solutions with numbers for the roots that have no radicals: all at once, since one by one takes seconds each."""
    implicit = [solution[unknown] for solution in found if isinstance(solution[unknown], sympy.CRootOf)]
    polynomials = list(dict.fromkeys(root.poly for root in implicit))
    if len(implicit) != sum(polynomial.degree() for polynomial in polynomials):
        return found
    exact = [solution for solution in found if not isinstance(solution[unknown], sympy.CRootOf)]
    return exact + [{unknown: root} for polynomial in polynomials for root in polynomial.nroots(n=15)]


def _by_number(terms: list[Any], unknowns: tuple[Any, ...], none_is_answer: bool = False) -> Any:
    """Real solutions of one equation between -50 and 50, found where its sign changes."""
    unknown = unknowns[0]
    if len(terms) != 1 or terms[0].free_symbols != {unknown}:
        raise ToolError("No way to solve this was found. Fewer unknowns or simpler equations may work.")
    found = [{unknown: root} for root in _real_roots(terms[0], unknown)]
    if not found and not none_is_answer:
        raise ToolError("No closed form, and no real solution between -50 and 50 was found.")
    return Solutions(
        unknowns, tuple(found), "found as numbers between -50 and 50; there may be others" if found else ""
    )


def _real_roots(term: Any, unknown: Any) -> list[Any]:
    found: list[Any] = []
    before: Any = None
    for point in _GRID:
        value = term.evalf(15, subs={unknown: point})
        if not value.is_real or not value.is_finite:
            before = None
            continue
        if value == 0 or (before is not None and before[1] * value < 0):
            root = _between(term, unknown, point if before is None else before[0], point)
            if root is not None and all(abs(root - other) > 1e-9 for other in found):
                found.append(root)
        before = (point, value)
    return found


def _between(term: Any, unknown: Any, low: Any, high: Any) -> Any:
    """The root between two points by halving, or None where the sign changes at a pole."""
    left, right = sympy.Float(low, 25), sympy.Float(high, 25)
    sign = term.evalf(25, subs={unknown: left})
    for _ in range(70):
        middle = (left + right) / 2
        value = term.evalf(25, subs={unknown: middle})
        if not value.is_real:
            return None
        left, right = (left, middle) if sign * value <= 0 else (middle, right)
    return None if abs(term.evalf(25, subs={unknown: right})) > 1e-6 else sympy.Float(right, 15)


def _inequality(equations: list[Any], unknowns: list[Any]) -> Any:
    if len(unknowns) != 1:
        raise ToolRetry("Inequalities can be solved for one unknown: solve(x^2 < 4, x).")
    real = sympy.Symbol(unknowns[0].name, real=True)
    relations = [one.subs(unknowns[0], real) if isinstance(one, sympy.Rel) else sympy.Eq(one, 0) for one in equations]
    try:
        found = sympy.reduce_inequalities(relations, [real])
    except (NotImplementedError, TypeError) as error:
        raise ToolError("No way to solve this inequality was found.") from error
    if found == sympy.true:
        return Text(f"True for every real {real}")
    if found == sympy.false:
        return Text("No real solution.")
    return found


def _truth(equations: list[Any]) -> Any:
    """Whether equations between numbers hold."""
    for one in equations:
        if isinstance(one, BooleanFalse):
            return sympy.false
        if isinstance(one, sympy.Eq) and sympy.simplify(one.lhs - one.rhs) != 0:
            return sympy.false
        if isinstance(one, sympy.Expr):
            raise ToolRetry("There is no unknown to solve for; write e.g. solve(x^2 = 4, x).")
    return sympy.true


def _as_term(value: Any) -> Any:
    if isinstance(value, sympy.Eq):
        return value.lhs - value.rhs
    return scalar(value, "solve")


def _unknowns(equations: list[Any]) -> list[Any]:
    free = {one for value in equations if isinstance(value, sympy.Basic) for one in value.free_symbols}
    return sorted(free, key=lambda one: (_FAVOURITES.find(one.name) % 99, one.name))


def _period_note(terms: list[Any], unknowns: tuple[Any, ...]) -> str:
    periodic = any(
        function.has(*unknowns) for term in terms for function in term.atoms(sympy.sin, sympy.cos, sympy.tan)
    )
    return "within one period; others repeat" if periodic else ""


def table() -> dict[str, tuple[Function, int, int]]:
    """Name to function, fewest and most arguments."""
    return {"solve": (solve, 1, 12), "roots": (roots, 1, 2), "equation": (equation, 2, 2)}
