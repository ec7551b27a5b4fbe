"""Numbers that are written as text: ``1,234.5``, ``1.234,5``, ``12%``, ``$ 99``, ``(3.50)``.

A whole column is looked at to tell ``1,234`` (one thousand) from ``1,234`` (a decimal comma).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_NUMERAL = re.compile(
    r"(?P<open>\()?(?P<sign>[+\-−])?\s?(?P<before>[$€£¥₹])?\s?(?P<sign2>[+\-−])?"
    r"(?P<body>\d[\d.,'’ \u00a0\u202f]*|[.,]\d+)(?P<exponent>[eE][+-]?\d{1,4})?\s?(?P<after>[%$€£¥₹])?(?P<close>\))?"
)
_SPACES = re.compile(r"(?<=\d)['’ \u00a0\u202f](?=\d{3}(?!\d))")
_PLAIN = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})")
_PLAIN_DECIMAL = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?")
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number's text in parts; ``unit`` is a currency sign, ``%`` or empty."""

    negative: bool
    body: str
    exponent: str
    unit: str


@dataclass(frozen=True, slots=True)
class Reading:
    """Texts as numbers (None: not a number), the one unit that they have, and whether the decimal sign is a comma.

    ``mixed`` names units that differ, where that is why nothing is a number.
    """

    numbers: list[int | float | None]
    unit: str = ""
    decimal_comma: bool = False
    mixed: str = ""


def read_numbers(texts: Sequence[str], decimal_comma: bool = False) -> Reading:
    """Read the texts of one column by one notation.

    ``decimal_comma`` decides where the texts themselves do not. Where units differ, nothing is a number: sums of
    dollars and euros, of per cents and counts, mean nothing.
    """
    if all(map(_PLAIN.fullmatch, texts)):
        return Reading([int(text) for text in texts])
    if not decimal_comma and all(map(_PLAIN_DECIMAL.fullmatch, texts)):
        return Reading([float(text) if "." in text else int(text) for text in texts])
    numerals = [_numeral(text) for text in texts]
    units = {numeral.unit for numeral in numerals if numeral is not None}
    if len(units - {""}) > 1 or ("%" in units and len(units) > 1):
        return Reading([None] * len(texts), mixed=" and ".join(sorted(unit or "plain numbers" for unit in units)))
    votes = Counter(_decimal_sign(numeral.body) for numeral in numerals if numeral is not None)
    comma = decimal_comma if votes[","] == votes["."] else votes[","] > votes["."]
    numbers = [None if numeral is None else _number(numeral, comma) for numeral in numerals]
    return Reading(numbers, max(units, default=""), comma and any("," in text for text in texts))


def _numeral(text: str) -> Numeral | None:
    text = text.strip()
    match = _NUMERAL.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None or bool(match["open"]) != bool(match["close"]) or (match["before"] and match["after"]):
        return None
    signs = [sign for sign in (match["sign"], match["sign2"]) if sign]
    if len(signs) > 1 or (signs and match["open"]):
        return None
    negative = bool(match["open"]) or signs in (["-"], ["−"])
    body = _SPACES.sub("", match["body"].strip())
    return Numeral(negative, body, match["exponent"] or "", match["before"] or match["after"] or "")


def _decimal_sign(body: str) -> str:
    """The decimal sign that a number shows, or an empty text where it may be either."""
    commas, points = body.count(","), body.count(".")
    if commas and points:
        return "," if body.rindex(",") > body.rindex(".") else "."
    sign, other, times = (",", ".", commas) if commas else (".", ",", points)
    if times > 1:
        return other
    if times == 0:
        return ""
    before, _, after = body.partition(sign)
    return "" if len(after) == 3 and 1 <= len(before) <= 3 and before != "0" else sign


def _number(numeral: Numeral, decimal_comma: bool) -> int | float | None:
    decimal, group = (",", ".") if decimal_comma else (".", ",")
    whole, sign, fraction = numeral.body.partition(decimal)
    if group in whole:
        if not re.fullmatch(rf"[1-9]\d{{0,2}}(?:\{group}\d{{2,3}})*\{group}\d{{3}}", whole):
            return None
        whole = whole.replace(group, "")
    # 007 and 01234 are names of something, not amounts.
    if (whole and not whole.isascii()) or not (whole + fraction).isdecimal() or (len(whole) > 1 and whole[0] == "0"):
        return None
    minus = "-" if numeral.negative else ""
    if not sign and not numeral.exponent:
        return int(minus + whole)
    number = float(f"{minus}{whole or 0}.{fraction or 0}{numeral.exponent}")
    return number if math.isfinite(number) else None
