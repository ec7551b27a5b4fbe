"""Matrices and vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy

from agentic import ToolError, ToolRetry
from agentic_math.arguments import Text, matrix, square, whole

Function = Callable[[list[Any]], Any]
MAX_SIZE = 50


def inverse(values: list[Any]) -> Any:
    """The inverse. Raises ToolError for a singular matrix."""
    found = square(values[0], "inv")
    if found.det() == 0:
        raise ToolError("This matrix has no inverse: its determinant is 0.")
    return found.inv()


def eigenvalues(values: list[Any]) -> Any:
    """Eigenvalues, each as often as it occurs."""
    found = square(values[0], "eigenvalues").eigenvals()
    listed = [value for value, count in found.items() for _ in range(count)]
    if all(value.is_real for value in listed):
        listed.sort(key=lambda value: float(value) if value.is_number else 0)
    return listed


def eigenvectors(values: list[Any]) -> Any:
    """Eigenvalues and the vectors that belong to them, in words."""
    found = square(values[0], "eigenvectors").eigenvects()
    lines = []
    for value, count, vectors in found:
        listed = " and ".join(str([sympy.simplify(entry) for entry in vector]) for vector in vectors)
        lines.append(f"eigenvalue {value} (multiplicity {count}): {listed}")
    return Text("\n".join(lines))


def dot(values: list[Any]) -> Any:
    """The scalar product of two vectors."""
    left, right = _vectors(values, "dot")
    return sympy.Add(*(one * other for one, other in zip(left, right, strict=True)))


def cross(values: list[Any]) -> Any:
    """The vector product of two vectors with three entries."""
    left, right = _vectors(values, "cross")
    if left.rows != 3:
        raise ToolRetry("cross needs vectors with three entries: cross([1, 0, 0], [0, 1, 0]).")
    return list(left.cross(right))


def norm(values: list[Any]) -> Any:
    """The Euclidean length of a vector, or the Frobenius norm of a matrix."""
    return sympy.sqrt(sympy.Add(*(abs(entry) ** 2 for entry in matrix(values[0], "norm"))))


def filled(name: str) -> Function:
    """A matrix of zeros, ones, or the identity, of up to MAX_SIZE rows."""

    def make(values: list[Any]) -> Any:
        sizes = [whole(value, name) for value in values]
        if any(not 1 <= one <= MAX_SIZE for one in sizes):
            raise ToolRetry(f"{name} takes sizes from 1 to {MAX_SIZE}.")
        return {"identity": sympy.eye, "zeros": sympy.zeros, "ones": sympy.ones}[name](*sizes)

    return make


def _vectors(values: list[Any], function: str) -> tuple[Any, Any]:
    left, right = (matrix(value, function) for value in values)
    left, right = left.reshape(len(left), 1), right.reshape(len(right), 1)
    if left.rows != right.rows:
        raise ToolRetry(f"{function} needs two vectors of the same length: {function}([1, 2, 3], [4, 5, 6]).")
    return left, right


def table() -> dict[str, tuple[Function, int, int]]:
    """Name to function, fewest and most arguments."""
    return {
        "Matrix": (lambda values: matrix(values[0], "Matrix"), 1, 1),
        "det": (lambda values: square(values[0], "det").det(), 1, 1),
        "inv": (inverse, 1, 1),
        "transpose": (lambda values: matrix(values[0], "transpose").T, 1, 1),
        "eigenvalues": (eigenvalues, 1, 1),
        "eigenvectors": (eigenvectors, 1, 1),
        "rank": (lambda values: sympy.Integer(matrix(values[0], "rank").rank()), 1, 1),
        "trace": (lambda values: square(values[0], "trace").trace(), 1, 1),
        "rref": (lambda values: matrix(values[0], "rref").rref()[0], 1, 1),
        "nullspace": (lambda values: [list(vector) for vector in matrix(values[0], "nullspace").nullspace()], 1, 1),
        "dot": (dot, 2, 2),
        "cross": (cross, 2, 2),
        "norm": (norm, 1, 1),
        "identity": (filled("identity"), 1, 1),
        "zeros": (filled("zeros"), 1, 2),
        "ones": (filled("ones"), 1, 2),
    }
