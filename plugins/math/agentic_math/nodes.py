"""What the grammar makes of a text: a tree that knows neither Python nor SymPy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written: ``12``, ``0.5``, ``1e-3``, ``0xff``."""

    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A constant or an unknown."""

    text: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit, in one of its spellings."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function applied to arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """``left sign right``, sign being one of ``+ - * / // ^ mod``. ``implicit``: no sign was written (``2x``)."""

    sign: str
    left: Node
    right: Node
    implicit: bool = False


@dataclass(frozen=True, slots=True)
class Negation:
    """``-value``."""

    value: Node


@dataclass(frozen=True, slots=True)
class Factorial:
    """``value!``."""

    value: Node


@dataclass(frozen=True, slots=True)
class Percent:
    """``value%``: a hundredth, and a share of what stands left of a plus or minus."""

    value: Node


@dataclass(frozen=True, slots=True)
class Relation:
    """``left sign right``, sign being one of ``= != < <= > >= ->``."""

    sign: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Items:
    """``[a, b]``, ``(a, b)`` or, at the top, ``a, b``."""

    values: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Conversion:
    """``value to unit``; ``label`` is the unit as the user wrote it."""

    value: Node
    unit: Node
    label: str


@dataclass(frozen=True, slots=True)
class Side:
    """``'+'`` or ``'-'``: from which side a limit is taken."""

    sign: str


Node: TypeAlias = (
    Number | Name | Unit | Call | Operation | Negation | Factorial | Percent | Relation | Items | Conversion | Side
)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below this one."""
    match node:
        case Call():
            return node.arguments
        case Operation() | Relation():
            return (node.left, node.right)
        case Negation() | Factorial() | Percent():
            return (node.value,)
        case Items():
            return node.values
        case Conversion():
            return (node.value, node.unit)
        case _:
            return ()


def walk(node: Node) -> list[Node]:
    """The node and everything below it, in the order of the text."""
    found: list[Node] = []
    waiting = [node]
    while waiting:
        current = waiting.pop()
        found.append(current)
        waiting.extend(reversed(children(current)))
    return found
