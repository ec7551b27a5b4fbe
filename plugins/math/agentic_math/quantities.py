"""Units as SymPy terms: every unit is a number times powers of seven base symbols, so that arithmetic checks itself."""

from __future__ import annotations

from functools import cache
from typing import Any

import sympy

from agentic import ToolRetry
from agentic_math import nodes, units
from agentic_math.arguments import Quantity, described
from agentic_math.nodes import Node

BASE_SYMBOLS = {name: sympy.Symbol(f"_{name}", positive=True) for name in units.BASES}
_SYMBOLS = frozenset(BASE_SYMBOLS.values())


@cache
def unit(spelling: str) -> Any:
    """The term of a unit. Raises ToolRetry if there is none of this name."""
    if spelling in units.ANGLES:
        return {"pi/180": sympy.pi / 180, "1": sympy.Integer(1)}[units.ANGLES[spelling]]
    name = units.SPELLINGS.get(spelling)
    if name is None:
        if spelling in units.TEMPERATURES:
            raise ToolRetry("Temperatures can only be converted, one at a time: `convert 20 celsius to fahrenheit`.")
        raise ToolRetry(
            f"There is no unit {spelling!r} here. Units are km, mile, kg, lb, h, l, kWh, celsius and so on."
        )
    definition = units.DEFINITIONS[name]
    return BASE_SYMBOLS[name] if definition == "base" else _defined(definition)


def _defined(definition: str) -> Any:
    """Read ``1 kg*m^2/s^2`` of the table."""
    number, dimensions = definition.split()
    term: Any = sympy.Rational(number)
    sign = 1
    for piece in dimensions.replace("*", " * ").replace("/", " / ").split():
        if piece in "*/":
            sign = 1 if piece == "*" else -1
            continue
        base, _, power = piece.partition("^")
        term *= BASE_SYMBOLS[base] ** (sign * int(power or 1))
    return term


def has_unit(value: Any) -> bool:
    """Whether a term holds a unit."""
    return isinstance(value, sympy.Basic) and not _SYMBOLS.isdisjoint(value.free_symbols)


def convert(value: Any, target: Any, label: str) -> Quantity:
    """The value as a number of the target. Raises ToolRetry if the two measure different things."""
    ratio = sympy.simplify(value / target)
    if has_unit(ratio):
        raise ToolRetry(f"{kind(value)} cannot be converted to {kind(target)} ({label}).")
    return Quantity(ratio, label)


def convert_temperature(value: Node, target: Node, number: Any) -> Quantity | None:
    """Convert between scales with zeros of their own; None where the two nodes are no temperatures."""
    if not isinstance(target, nodes.Unit) or target.text not in units.TEMPERATURES:
        return None
    found = [node.text for node in nodes.walk(value) if isinstance(node, nodes.Unit)]
    if len(found) != 1 or found[0] not in units.TEMPERATURES:
        raise ToolRetry("Write one temperature with its scale: `convert 100 fahrenheit to celsius`.")
    scale, zero = _scale(found[0])
    target_scale, target_zero = _scale(target.text)
    kelvins = number * scale + zero
    if kelvins < 0:
        raise ToolRetry("This temperature lies below absolute zero.")
    symbols = {"celsius": "°C", "centigrade": "°C", "C": "°C", "fahrenheit": "°F", "F": "°F"}
    return Quantity((kelvins - target_zero) / target_scale, symbols.get(target.text, "K"))


def _scale(name: str) -> tuple[Any, Any]:
    scale, zero = units.TEMPERATURES[name]
    factor, _, rest = zero.partition("*")
    return sympy.Rational(scale), sympy.Rational(factor) * sympy.Rational(rest or 1)


def kind(value: Any) -> str:
    """What a term measures, in words."""
    if not has_unit(value):
        return f"a plain number ({described(value)})"
    dimensions = []
    for name, base in BASE_SYMBOLS.items():
        power = sympy.simplify(value).as_powers_dict().get(base, 0)
        if power:
            dimensions.append(units.BASES[name] + ("" if power == 1 else f"^{power}"))
    return "a quantity of " + ("*".join(dimensions) or "mixed dimensions")


def in_units_of(value: Any, node: Node) -> Quantity:
    """A value in the units that its expression used. Raises ToolRetry if it adds different dimensions."""
    value = sympy.simplify(value)
    used = list(dict.fromkeys(found.text for found in nodes.walk(node) if isinstance(found, nodes.Unit)))
    for spelling in used:
        ratio = value / unit(spelling)
        if not has_unit(ratio):
            return Quantity(ratio, spelling)
    powers = value.as_powers_dict()
    label, target = [], sympy.Integer(1)
    for name, base in BASE_SYMBOLS.items():
        power = powers.get(base, 0)
        if power:
            spelling = next(
                (one for one in used if unit(one).free_symbols == {base} and (unit(one) / base).is_number), name
            )
            target *= unit(spelling) ** power
            label.append(spelling if power == 1 else f"{spelling}^{power}")
    ratio = sympy.simplify(value / target)
    if has_unit(ratio):
        raise ToolRetry("The expression adds quantities that measure different things.")
    return Quantity(ratio, _joined(label))


def _joined(parts: list[str]) -> str:
    """``m``, ``s^-1`` as ``m/s``."""
    above = [part for part in parts if "^-" not in part]
    below = [part.replace("^-", "^") for part in parts if "^-" in part]
    below = [part.removesuffix("^1") for part in below]
    return "*".join(above or ["1"]) + "".join(f"/{part}" for part in below)
