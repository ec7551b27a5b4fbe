"""The process that computes: :func:`agentic.workers.serve` over SymPy."""

from __future__ import annotations

import sys

from sympy.core.cache import clear_cache

from agentic import Json, ToolError, ToolRetry
from agentic.workers import serve
from agentic_math.answer import render, wants_decimals
from agentic_math.evaluate import evaluate, functions
from agentic_math.grammar import parse

_RECURSION = 20_000


def main() -> None:
    """Compute ``{"expression": …}`` until standard input closes."""
    sys.setrecursionlimit(_RECURSION)
    sys.set_int_max_str_digits(0)
    functions()
    serve(
        lambda request, _: _alone(request),
        too_big="This needs more memory than a computation may use. Try a smaller problem.",
        too_deep="This is nested too deeply to be computed. Split it up.",
    )


def compute(expression: str) -> str:
    """What the expression comes to. Raises ToolRetry or ToolError where that is nothing."""
    try:
        tree = parse(expression)
        return render(evaluate(tree), wants_decimals(tree))
    except (ToolRetry, ToolError, MemoryError, RecursionError):
        raise
    except ZeroDivisionError:
        raise ToolError("Division by zero is undefined.") from None
    except Exception as error:
        # SymPy raises every kind for what it cannot do; the caller reads why.
        raise ToolError(f"SymPy cannot compute this ({type(error).__name__}). Write it in another way.") from error


def _alone(request: Json) -> str:
    try:
        return compute(request["expression"])
    finally:
        # It keeps nothing of what it computed.
        clear_cache()


if __name__ == "__main__":
    main()
