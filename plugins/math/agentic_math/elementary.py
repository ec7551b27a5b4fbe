"""Functions of numbers: elementary, whole-number and statistical ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import sympy

from agentic import ToolError, ToolRetry
from agentic_math.arguments import MAX_BITS, Text, matrix, scalar, size, whole

Function = Callable[[list[Any]], Any]

_DIRECT = """
sqrt:1 exp:1 sin:1 cos:1 tan:1 cot:1 sec:1 csc:1 asin:1 acos:1 atan:1 acot:1 asec:1 acsc:1 atan2:2
sinh:1 cosh:1 tanh:1 coth:1 asinh:1 acosh:1 atanh:1 floor:1 ceiling:1 sign:1 gamma:1 erf:1 erfc:1 zeta:1 beta:2 re:1
im:1 conjugate:1 arg:1
"""
_WHOLE = (
    "factorial2:1 binomial:2 totient:1 fibonacci:1 lucas:1 harmonic:1 bernoulli:1 catalan:1 nextprime:1 prevprime:1"
)
_GREATEST = 300_000
"""Greatest argument of functions whose value grows faster than any power: more than a million digits beyond it."""


def direct(name: str) -> Function:
    """SymPy's function of this name, with its arguments checked."""
    function = getattr(sympy, name)
    return lambda values: function(*(scalar(value, name) for value in values))


def of_whole(name: str) -> Function:
    """SymPy's function of this name, for whole numbers or unknowns of a size that can be computed."""
    # Some of them give Python's own integers for great numbers.
    return lambda values: sympy.sympify(getattr(sympy, name)(*(_bounded(value, name) for value in values)))


def _bounded(value: Any, name: str) -> Any:
    if isinstance(value, sympy.Symbol):
        return value
    number = whole(value, name)
    if name not in ("totient", "nextprime", "prevprime", "binomial") and number > 3_000_000:
        raise ToolError(f"{name}({size(number)}) is too great a number to compute.")
    return value


def factorial(values: list[Any]) -> Any:
    """``n!``; refuses what would have more than a million digits."""
    value = scalar(values[0], "factorial")
    if value.is_number and not (isinstance(value, sympy.Integer) and value >= 0):
        raise ToolRetry("factorial takes whole numbers from 0 on; for others use gamma(n + 1).")
    if isinstance(value, sympy.Integer) and value > _GREATEST:
        digits = int(math.lgamma(min(int(value), 10**300) + 1) / math.log(10))
        raise ToolError(f"This factorial has about {size(digits)} digits, too many to compute.")
    return sympy.factorial(value)


def logarithm(values: list[Any]) -> Any:
    """The natural logarithm, or the one to the base given second."""
    return sympy.log(*(scalar(value, "log") for value in values))


def root(values: list[Any]) -> Any:
    """The n-th root; of a negative number the real one, where n is odd."""
    value, degree = scalar(values[0], "root"), scalar(values[1], "root")
    if degree == 0:
        raise ToolRetry("root(x, n) needs an n other than 0.")
    odd = isinstance(degree, sympy.Integer) and degree % 2 == 1
    return -sympy.root(-value, degree) if value.is_negative and odd else sympy.root(value, degree)


def rounded(values: list[Any]) -> Any:
    """Round to a number of decimals, halves away from zero."""
    value = scalar(values[0], "round")
    shift = sympy.Integer(10) ** (whole(values[1], "round") if len(values) > 1 else 0)
    if abs(shift) > 10**50 or not value.is_number:
        raise ToolRetry("round takes a number and up to 50 decimals: round(pi, 2).")
    return sympy.sign(value) * sympy.floor(abs(value) * shift + sympy.Rational(1, 2)) / shift


def modulo(values: list[Any]) -> Any:
    """The remainder, with the sign of the divisor."""
    left, right = (scalar(value, "mod") for value in values)
    if right == 0:
        raise ToolError("Division by zero is undefined.")
    return sympy.Mod(left, right)


def permutations(values: list[Any]) -> Any:
    """Ordered choices of k out of n."""
    n, k = (whole(value, "permutations") for value in values)
    if not 0 <= k <= n or n > _GREATEST:
        raise ToolRetry("permutations(n, k) needs 0 <= k <= n, and n up to 300000.")
    return sympy.Integer(math.perm(n, k))


def common(function: str) -> Function:
    """``gcd`` or ``lcm`` of two or more values."""

    def compute(values: list[Any]) -> Any:
        listed = flat(values)
        if not listed:
            raise ToolRetry(f"{function} needs numbers, e.g. {function}(12, 18).")
        result = listed[0]
        for value in listed[1:]:
            result = getattr(sympy, function)(result, value)
        return result

    return compute


def is_prime(values: list[Any]) -> Any:
    """Whether a whole number is prime."""
    return sympy.true if sympy.isprime(whole(values[0], "is_prime")) else sympy.false


def nth_prime(values: list[Any]) -> Any:
    """The n-th prime, counted from 1."""
    n = whole(values[0], "prime")
    if n < 1:
        raise ToolRetry("prime(n) is the n-th prime, counted from 1.")
    return sympy.Integer(sympy.prime(n))


def primes_up_to(values: list[Any]) -> Any:
    """How many primes there are up to a number."""
    return sympy.Integer(sympy.primepi(whole(values[0], "primepi")))


def prime_factors(values: list[Any]) -> Any:
    """A whole number as a product of primes, in words."""
    number = whole(values[0], "factorint")
    if number.bit_length() > MAX_BITS // 100:
        raise ToolError("This number is too long to be factored.")
    found = sympy.factorint(number)
    return Text(" * ".join(f"{p}^{k}" if k > 1 else str(p) for p, k in sorted(found.items())) or "1")


def divisors(values: list[Any]) -> Any:
    """All positive divisors, in order."""
    return [sympy.Integer(one) for one in sympy.divisors(whole(values[0], "divisors"))]


def in_base(prefix: str, code: str) -> Function:
    """A whole number written in another base."""

    def compute(values: list[Any]) -> Any:
        number = whole(values[0], "bin")
        return Text(("-" if number < 0 else "") + prefix + format(abs(number), code))

    return compute


def flat(values: list[Any]) -> list[Any]:
    """The numbers of some arguments, lists and matrices opened."""
    found: list[Any] = []
    for value in values:
        if isinstance(value, list):
            found.extend(flat(value))
        else:
            found.extend(matrix(value, "") if isinstance(value, sympy.MatrixBase) else [scalar(value, "This function")])
    return found


def of_data(name: str, compute: Callable[[list[Any]], Any], at_least: int = 1) -> Function:
    """A function of a list of numbers, given as a list or as arguments."""

    def checked(values: list[Any]) -> Any:
        numbers = flat(values)
        if len(numbers) < at_least:
            raise ToolRetry(f"{name} needs at least {at_least} numbers, e.g. {name}([2, 4, 9]).")
        return compute(numbers)

    return checked


def mean(numbers: list[Any]) -> Any:
    """The sum by the count."""
    return sympy.Add(*numbers) / len(numbers)


def median(numbers: list[Any]) -> Any:
    """The middle one, or the mean of the two in the middle."""
    ordered = sorted(numbers)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def variance(numbers: list[Any]) -> Any:
    """The sample variance (divided by n - 1)."""
    middle = mean(numbers)
    return sympy.Add(*((number - middle) ** 2 for number in numbers)) / (len(numbers) - 1)


def table() -> dict[str, tuple[Function, int, int]]:
    """Name to function, fewest and most arguments."""
    found: dict[str, tuple[Function, int, int]] = {}
    for make, listed in ((direct, _DIRECT), (of_whole, _WHOLE)):
        for entry in listed.split():
            name, count = entry.split(":")
            found[name] = (make(name), int(count), int(count))
    many = 500
    return found | {
        "abs": (lambda values: sympy.Abs(scalar(values[0], "abs")), 1, 1),
        "root": (root, 2, 2),
        "cbrt": (lambda values: root([values[0], sympy.Integer(3)]), 1, 1),
        "log": (logarithm, 1, 2),
        "log10": (lambda values: sympy.log(scalar(values[0], "log10"), 10), 1, 1),
        "log2": (lambda values: sympy.log(scalar(values[0], "log2"), 2), 1, 1),
        "factorial": (factorial, 1, 1),
        "round": (rounded, 1, 2),
        "mod": (modulo, 2, 2),
        "permutations": (permutations, 2, 2),
        "gcd": (common("gcd"), 1, many),
        "lcm": (common("lcm"), 1, many),
        "is_prime": (is_prime, 1, 1),
        "prime": (nth_prime, 1, 1),
        "primepi": (primes_up_to, 1, 1),
        "factorint": (prime_factors, 1, 1),
        "divisors": (divisors, 1, 1),
        "bin": (in_base("0b", "b"), 1, 1),
        "hex": (in_base("0x", "x"), 1, 1),
        "oct": (in_base("0o", "o"), 1, 1),
        "min": (of_data("min", lambda numbers: sympy.Min(*numbers)), 1, many),
        "max": (of_data("max", lambda numbers: sympy.Max(*numbers)), 1, many),
        "mean": (of_data("mean", mean), 1, many),
        "median": (of_data("median", median), 1, many),
        "variance": (of_data("variance", variance, 2), 1, many),
        "stdev": (of_data("stdev", lambda numbers: sympy.sqrt(variance(numbers)), 2), 1, many),
    }
