"""Plain requests to expressions, by rule: ``What is 17 * 23?`` asks for ``17 * 23``.

Rules lean to silence: what might be a date, a version, a score or a name is left alone. Every candidate must be an
expression that the grammar reads to its end, or one that can be nothing else and that it refuses.
"""

from __future__ import annotations

from agentic import ToolRetry
from agentic_math import names, nodes
from agentic_math.grammar import parse
from agentic_math.nodes import Node
from agentic_math.request_words import ASKED, OPENING, POLITE_END, SPOKEN, SPOKEN_FORMS, is_no_arithmetic
from agentic_math.unreadable import is_unreadable

MAX_REQUEST = 300
_CALCULUS = frozenset("diff integrate limit summation product solve simplify expand factor roots series".split())


def expression_in(text: str) -> str | None:
    """The expression that the whole of a request asks for, or None."""
    request = text.strip()
    if len(request) > MAX_REQUEST or "\n" in request or "`" in request or not _may_compute(request):
        return None
    request = request.replace("’", "'").replace("´", "'").strip("¿¡ ")
    rest, asked = _without_opening(request)
    finished = rest.endswith("=")
    rest = POLITE_END.sub("", rest).strip()
    if not _may_compute(rest) or is_no_arithmetic(rest, asked or finished):
        return None
    candidate = _spoken(rest)
    if candidate and _is_computation(candidate, asked or finished or candidate != rest):
        return candidate
    return rest if is_unreadable(rest, asked or finished) else None


def _without_opening(request: str) -> tuple[str, bool]:
    """The request without ``please``, ``what is``, ``calculate`` and the like, and whether any of them was there."""
    rest = request
    while match := OPENING.match(rest):
        rest = rest[match.end() :].lstrip(" :,")
    return rest, rest != request and ASKED.search(request[: len(request) - len(rest)]) is not None


def _may_compute(rest: str) -> bool:
    """A cheap look before anything is parsed: a digit, or a function's name or an unknown in a known form."""
    return "(" in rest or any(map(str.isdigit, rest)) or SPOKEN.search(rest.lower()) is not None


def _spoken(rest: str) -> str:
    """The request with its words turned to signs: ``the derivative of x^3`` becomes ``diff(x^3)``."""
    for pattern, replacement in SPOKEN_FORMS:
        rest = pattern.sub(replacement, rest)
    return rest.strip()


def _is_computation(candidate: str, asked: bool) -> bool:
    try:
        tree = parse(candidate)
    except ToolRetry:
        return False
    below = nodes.walk(tree)
    if any(isinstance(node, nodes.Name) and not _is_known(node.text) for node in below):
        return False
    if any(isinstance(node, nodes.Call) and node.function in _CALCULUS for node in below):
        return True
    unknowns = {node.text for node in below if isinstance(node, nodes.Name) and node.text not in names.CONSTANTS}
    if isinstance(tree, nodes.Relation | nodes.Items):
        return _is_equation(tree, unknowns)
    if unknowns - {"i"}:
        return False
    return _does_something(below, asked)


def _is_equation(tree: nodes.Relation | nodes.Items, unknowns: set[str]) -> bool:
    """An equation in one unknown, or as many equations as unknowns; never a formula such as ``E = m*c^2``."""
    equations = tree.values if isinstance(tree, nodes.Items) else (tree,)
    if not all(isinstance(one, nodes.Relation) and one.sign != "->" for one in equations):
        return False
    if any(
        isinstance(one, nodes.Relation) and isinstance(one.left, nodes.Name) and len(equations) == 1
        for one in equations
    ):
        return False
    has_number = any(isinstance(node, nodes.Number) for node in nodes.walk(tree))
    return has_number and 1 <= len(unknowns) <= len(equations)


def _does_something(below: list[Node], asked: bool) -> bool:
    """Whether there is more to it than a number, a unit or a bare difference that may be a range or a score."""
    signs = {
        node.sign for node in below if isinstance(node, nodes.Operation) and not (node.implicit and _is_glued(node))
    }
    if any(isinstance(node, nodes.Conversion | nodes.Call | nodes.Factorial) for node in below):
        return True
    return bool(signs) if asked else bool(signs - {"-", "/"}) or (len(below) > 3 and bool(signs))


def _is_glued(node: nodes.Operation) -> bool:
    """``5G`` and ``3 km``: a number and a name, nothing to compute."""
    return isinstance(node.right, nodes.Name | nodes.Unit)


def _is_known(name: str) -> bool:
    return name in names.CONSTANTS or names.is_unknown(name) or names.is_product(name)
