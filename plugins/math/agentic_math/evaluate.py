"""The tree to a value: each node becomes a SymPy object by name, from closed tables."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

import sympy

from agentic import ToolError, ToolRetry
from agentic_math import calculus, elementary, matrices, names, nodes, quantities, solving, units
from agentic_math.arguments import Text, matrix, power, scalar
from agentic_math.nodes import Node

_RELATIONS = {"<": sympy.Lt, "<=": sympy.Le, ">": sympy.Gt, ">=": sympy.Ge, "!=": sympy.Ne}
_UNKNOWNS_EXPECTED = frozenset(
    "solve roots diff integrate limit summation product series simplify expand factor collect subs degree".split()
)


_MANY_VARIABLES = frozenset("solve diff integrate summation product".split())
_ONE_VARIABLE = frozenset("roots limit series collect subs degree".split())


@cache
def functions() -> dict[str, tuple[Any, int, int]]:
    """Every function by name, with the fewest and the most arguments that it takes."""
    return elementary.table() | calculus.table() | matrices.table() | solving.table()


def evaluate(root: Node) -> Any:
    """The value of an expression. A relation at the top is solved, several are solved together.

    Raises ToolRetry for what makes no sense, ToolError for what cannot be computed.
    """
    evaluator = _Evaluator(root)
    value = evaluator.value(root)
    if isinstance(root, nodes.Relation):
        return solving.solve([value])
    if isinstance(root, nodes.Items) and root.values and all(isinstance(one, nodes.Relation) for one in root.values):
        return solving.solve([value])
    if quantities.has_unit(value):
        return quantities.in_units_of(value, root)
    return value


class _Evaluator:
    """Evaluates one tree."""

    def __init__(self, root: Node) -> None:
        below = nodes.walk(root)
        self.words_allowed = any(
            isinstance(node, nodes.Relation) or (isinstance(node, nodes.Call) and node.function in _UNKNOWNS_EXPECTED)
            for node in below
        )
        self.bound = {name for node in below if isinstance(node, nodes.Call) for name in _variables(node)}
        self.bare_units = False

    def value(self, node: Node) -> Any:
        match node:
            case nodes.Number():
                return number(node.text)
            case nodes.Name():
                return self.named(node.text)
            case nodes.Unit():
                return sympy.Integer(1) if self.bare_units else quantities.unit(node.text)
            case nodes.Operation():
                return self.operation(node)
            case nodes.Negation():
                return -self.operand(node.value)
            case nodes.Call():
                return self.call(node)
            case nodes.Factorial():
                return elementary.factorial([self.value(node.value)])
            case nodes.Percent():
                return scalar(self.value(node.value), "%") / 100
            case nodes.Relation():
                return self.relation(node)
            case nodes.Items():
                return [self.value(one) for one in node.values]
            case nodes.Conversion():
                return self.conversion(node)
            case nodes.Side():
                return Text(node.sign)

    def operand(self, node: Node) -> Any:
        """A term or a matrix."""
        value = self.value(node)
        if isinstance(value, list):
            return matrix(value, "Arithmetic")
        return value if isinstance(value, sympy.MatrixBase) else scalar(value, "Arithmetic")

    def operation(self, node: nodes.Operation) -> Any:
        if node.sign == "mod":
            return self.modulo(node)
        left, right = self.operand(node.left), self.operand(node.right)
        if isinstance(node.right, nodes.Percent) and node.sign in "+-" and not isinstance(node.left, nodes.Percent):
            right = left * right
        if isinstance(left, sympy.MatrixBase) or isinstance(right, sympy.MatrixBase):
            return _with_matrices(node.sign, left, right)
        if node.sign == "^":
            return power(left, right)
        if node.sign in ("/", "//") and right == 0:
            raise ToolError("Division by zero is undefined.")
        if node.sign == "//":
            return sympy.floor(left / right)
        return {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__}[node.sign](right)

    def modulo(self, node: nodes.Operation) -> Any:
        """A remainder; that of a power is computed without the power."""
        right = scalar(self.value(node.right), "mod")
        power = node.left
        if isinstance(power, nodes.Operation) and power.sign == "^":
            base, exponent = self.operand(power.left), self.operand(power.right)
            if all(isinstance(one, sympy.Integer) for one in (base, exponent, right)) and exponent >= 0 and right > 0:
                return sympy.Integer(pow(int(base), int(exponent), int(right)))
        return elementary.modulo([self.value(node.left), right])

    def relation(self, node: nodes.Relation) -> Any:
        left, right = self.value(node.left), self.value(node.right)
        if node.sign == "->":
            return [left, right]
        left, right = scalar(left, node.sign), scalar(right, node.sign)
        if node.sign == "=":
            return sympy.Eq(left, right, evaluate=False)
        try:
            return _RELATIONS[node.sign](left, right)
        except TypeError as error:
            raise ToolRetry("Complex numbers cannot be compared by size.") from error

    def conversion(self, node: nodes.Conversion) -> Any:
        self.bare_units = isinstance(node.unit, nodes.Unit) and node.unit.text in units.TEMPERATURES
        try:
            bare = self.value(node.value) if self.bare_units else None
        finally:
            self.bare_units = False
        converted = quantities.convert_temperature(node.value, node.unit, bare)
        if converted is not None:
            return converted
        return quantities.convert(self.operand(node.value), self.operand(node.unit), node.label)

    def call(self, node: nodes.Call) -> Any:
        function, fewest, most = functions()[node.function]
        if node.function == "mod" and len(node.arguments) == 2:
            return self.modulo(nodes.Operation("mod", *node.arguments))
        if not fewest <= len(node.arguments) <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            plural = "" if wanted == "1" else "s"
            raise ToolRetry(f"{node.function} takes {wanted} argument{plural}; it was given {len(node.arguments)}.")
        return function([self.value(argument) for argument in node.arguments])

    def named(self, name: str) -> Any:
        if name in names.CONSTANTS and name not in self.bound:
            return constant(names.CONSTANTS[name])
        if name == "i" and "i" not in self.bound:
            return sympy.I
        if names.is_unknown(name):
            return sympy.Symbol(name)
        if names.is_product(name):
            return sympy.Mul(*(sympy.Symbol(letter) for letter in name))
        if name in names.CONSTANTS:
            return constant(names.CONSTANTS[name])
        if names.function_named(name):
            raise ToolRetry(f"{name} needs its arguments in parentheses: {name}(…).")
        if self.words_allowed and names.is_word(name):
            return sympy.Symbol(name)
        raise ToolRetry(
            f"The name {name!r} is unknown. Use numbers, unknowns such as x, functions such as sqrt(x) and units "
            "such as km; no words."
        )


def number(text: str) -> Any:
    """A number, exactly as written. Raises ToolRetry beyond 10^5000."""
    if text[:2].lower() in ("0x", "0b"):
        return sympy.Integer(int(text, 0))
    try:
        exact = Decimal(text.replace("_", ""))
    except InvalidOperation:
        # Its exponent is longer than any that Decimal can hold.
        exact = Decimal("Infinity")
    if exact and (exact.is_infinite() or abs(exact.adjusted()) > 5000):
        raise ToolRetry("Numbers go up to 10^5000 here.")
    return sympy.Rational(*exact.as_integer_ratio())


def constant(name: str) -> Any:
    """One of SymPy's constants."""
    return 2 * sympy.pi if name == "tau" else getattr(sympy, name)


def _with_matrices(sign: str, left: Any, right: Any) -> Any:
    if sign == "^" and isinstance(left, sympy.MatrixBase) and isinstance(right, sympy.Integer) and abs(right) <= 1000:
        return matrices.inverse([left]) ** -right if right < 0 else left**right
    if sign == "/" and not isinstance(right, sympy.MatrixBase):
        return left / right
    try:
        if sign in "+-*":
            return {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right}[sign]()
    except (sympy.matrices.exceptions.ShapeError, TypeError) as error:
        raise ToolRetry(f"These two matrices cannot be combined with {sign}: their shapes do not fit.") from error
    raise ToolRetry("Matrices can be added, multiplied, divided by numbers, and raised to whole powers up to 1000.")


def _variables(call: nodes.Call) -> Iterator[str]:
    """The names that a call gives as its variables: there ``e`` and ``i`` are letters like any other."""
    places = call.arguments[1:] if call.function in _MANY_VARIABLES else ()
    # `limit(term, point)` names no variable.
    if call.function in _ONE_VARIABLE and not (call.function == "limit" and len(call.arguments) == 2):
        places = call.arguments[1:2]
    for place in places:
        values = place.values if isinstance(place, nodes.Items) else (place,)
        letters = [value.text for value in values if isinstance(value, nodes.Name)]
        # Of a range such as (x, 1, e) only the first is the variable.
        yield from letters if len(letters) == len(values) else letters[: isinstance(values[0], nodes.Name)]
