"""Every name that an expression may use. What is not here, and is not an unknown such as ``x``, is refused.

The functions themselves are in :mod:`agentic_math.functions`; this module needs no SymPy, so that the grammar can tell
a function from an unknown inside the server.
"""

from __future__ import annotations

import re

CONSTANTS = {
    "pi": "pi",
    "π": "pi",
    "e": "E",
    "E": "E",
    "I": "I",
    "oo": "oo",
    "inf": "oo",
    "infinity": "oo",
    "tau": "tau",
    "phi": "GoldenRatio",
    "GoldenRatio": "GoldenRatio",
    "EulerGamma": "EulerGamma",
    "True": "true",
    "False": "false",
}

ALIASES = {
    "ln": "log",
    "lg": "log10",
    "log_10": "log10",
    "log_2": "log2",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "arcsinh": "asinh",
    "arccosh": "acosh",
    "arctanh": "atanh",
    "Abs": "abs",
    "ceil": "ceiling",
    "C": "binomial",
    "comb": "binomial",
    "nCr": "binomial",
    "choose": "binomial",
    "perm": "permutations",
    "nPr": "permutations",
    "derivative": "diff",
    "Derivative": "diff",
    "differentiate": "diff",
    "integral": "integrate",
    "Integral": "integrate",
    "int": "integrate",
    "Limit": "limit",
    "lim": "limit",
    "Sum": "summation",
    "sum": "summation",
    "Product": "product",
    "prod": "product",
    "taylor": "series",
    "evalf": "N",
    "eigenvals": "eigenvalues",
    "eigenvects": "eigenvectors",
    "determinant": "det",
    "inverse": "inv",
    "matrix": "Matrix",
    "eye": "identity",
    "isprime": "is_prime",
    "avg": "mean",
    "average": "mean",
    "std": "stdev",
    "Max": "max",
    "Min": "min",
    "Mod": "mod",
    "Eq": "equation",
    "substitute": "subs",
    "factors": "factorint",
    "solveset": "solve",
    "linsolve": "solve",
    "nonlinsolve": "solve",
    "nsolve": "solve",
    "exponential": "exp",
}

FUNCTIONS = frozenset(
    """
    sqrt cbrt root abs exp log log10 log2 sin cos tan cot sec csc asin acos atan acot asec acsc atan2 sinh cosh tanh
    coth asinh acosh atanh floor ceiling round sign gamma erf erfc zeta beta re im conjugate arg factorial factorial2
    binomial permutations gcd lcm mod min max is_prime prime nextprime prevprime primepi factorint divisors totient
    fibonacci lucas harmonic bernoulli catalan diff integrate limit summation product series solve roots simplify
    expand factor cancel apart together collect trigsimp subs N Rational equation Matrix det inv transpose eigenvalues
    eigenvectors rank trace rref nullspace dot cross norm identity zeros ones mean median stdev variance bin hex oct
    convert degree
    """.split()
)

RESERVED = frozenset(
    """and as assert async await class def del elif else except exec finally for from global if import in into is lambda
    nonlocal not of or pass raise return the to try what while with yield at between over then when where""".split()
)
"""Words that are no names: Python's own, and those of the grammar."""

APPLIED_BARE = frozenset(
    "sqrt cbrt abs exp log log10 log2 sin cos tan cot sec csc asin acos atan sinh cosh tanh gamma".split()
)
"""Functions that may stand before their argument without parentheses: ``sin x``."""

GREEK = frozenset(
    """alpha beta gamma delta epsilon zeta eta theta iota kappa lamda mu nu xi rho sigma tau upsilon phi chi psi
    omega""".split()
)

_UNKNOWN = re.compile(r"[^\W\d_](?:_?\d{1,3}|_[^\W\d_])?")
_WORD = re.compile(r"[a-z]{2,24}(?:_[a-z0-9]{1,12}){0,3}")
_PRODUCT = re.compile(r"[abcxyz]{2,4}")


def function_named(name: str) -> str | None:
    """The one spelling of a known function, or None."""
    spelling = ALIASES.get(name, name)
    return spelling if spelling in FUNCTIONS else None


def is_unknown(name: str) -> bool:
    """Whether the name is an unknown as mathematics writes it: ``x``, ``x1``, ``x_1``, ``theta``."""
    return _UNKNOWN.fullmatch(name) is not None or name in GREEK


def is_word(name: str) -> bool:
    """Whether the name may be an unknown that is a word, such as ``price``."""
    return _WORD.fullmatch(name) is not None


def is_product(name: str) -> bool:
    """Whether the name is a product of unknowns written together, such as ``xy``."""
    return _PRODUCT.fullmatch(name) is not None
