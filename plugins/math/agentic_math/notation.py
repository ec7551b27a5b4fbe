"""Text to tokens: every way that people write numbers and signs becomes one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from agentic import ToolRetry

MAX_LENGTH = 2000
EXAMPLES = "`17*23`, `solve(x^2 - 4, x)`, `diff(sin(x)*x, x)`, `3 km to miles`"

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_FRACTIONS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅛": "1/8"}
_SIGNS = str.maketrans(
    {
        "×": "*",
        "·": "*",
        "⋅": "*",
        "∗": "*",
        "∙": "*",
        "÷": "/",
        "∕": "/",
        "⁄": "/",
        "−": "-",
        "–": "-",
        "—": "-",
        "∞": " oo ",
        "π": " pi ",
        "≤": "<=",
        "≥": ">=",
        "≠": "!=",
        "→": "->",
        "℃": " celsius ",
        "℉": " fahrenheit ",
    }
)
_NUMBER = r"0[xX][0-9a-fA-F]+|0[bB][01]+|(?:\d+(?:_\d+)*(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_TOKEN = re.compile(
    rf"""(?P<space>\s+)
    |(?P<side>'[+-]'|"[+-]")
    |(?P<number>{_NUMBER})
    |(?P<name>[^\W\d]\w*)
    |(?P<sign>\*\*|//|->|==|<=|>=|!=|[-+*/^%!=<>()\[\],;√∛])
    """,
    re.VERBOSE,
)
_COUNTED = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\d,])(?:\.\d+)?")
_COUNTED_WITH_POINTS = re.compile(r"(?<![\w.,])\d{1,3}(?:\.\d{3})+,\d+(?![\d,.])")
_DECIMAL_COMMA = re.compile(r"(?<![\w.,])\d+,(?:\d{1,2}|\d{4,})(?![\d,.])")
_REFUSED = {
    "'": "texts in quotes are not allowed",
    '"': "texts in quotes are not allowed",
    ".": "there is no access to attributes; write det(M) instead of M.det()",
    "\\": "LaTeX is not understood; write plain notation such as sqrt(x)/2",
    "{": "braces are not allowed; use parentheses or [lists]",
    "}": "braces are not allowed; use parentheses or [lists]",
    "|": "write abs(x) instead of |x|",
    ":": "there are no ranges, lambdas or assignments with a colon",
}


@dataclass(frozen=True, slots=True)
class Token:
    """One sign, number or name. ``start`` and ``end`` count characters of the normalised text."""

    kind: str
    text: str
    start: int
    end: int


def normalise(text: str) -> str:
    """The same expression in plain characters: ``x²`` becomes ``x^(2)``, ``17 × 23`` becomes ``17 * 23``."""
    text = re.sub(r"³\s?√", "∛", text)
    # What stands between two numbers is no unknown.
    text = re.sub(r"(?<=\d)\s+[xX]\s+(?=\d)", " * ", text)
    text = re.sub(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+", lambda found: f"^({found[0].translate(_SUPERSCRIPTS)})", text)
    text = re.sub(r"(\d*)\s?([½⅓⅔¼¾⅕⅛])", _mixed_fraction, text)
    text = text.translate(_SIGNS)
    text = re.sub(r"°\s?([CF])\b", lambda found: " celsius " if found[1] == "C" else " fahrenheit ", text)
    text = text.replace("°", " deg ")
    text = unicodedata.normalize("NFKC", text).strip()
    return _group_digits(text)


def tokens_of(text: str) -> list[Token]:
    """The tokens of a normalised text. Raises ToolRetry at the first character that no expression holds."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            character = text[position]
            reason = _REFUSED.get(character, f"the character {character!r} has no meaning here")
            raise refusal(text, position, reason)
        kind = str(match.lastgroup)
        if kind == "name":
            _check_name(text, match)
        if kind != "space":
            found.append(Token(kind, match[0], match.start(), match.end()))
        position = match.end()
    return found


def refusal(text: str, position: int, reason: str) -> ToolRetry:
    """An error that shows where a text cannot be read."""
    near = text[max(0, position - 12) : position + 12].strip()
    where = f" near `{near}`" if near else ""
    fault = text[position : position + 12].strip()
    if near and fault not in ("", near):
        where += f", from `{fault}` on"
    return ToolRetry(f"Cannot read the expression{where}: {reason}. Expressions that work: {EXAMPLES}.")


def _check_name(text: str, match: re.Match[str]) -> None:
    if match[0].startswith("_") or "__" in match[0]:
        raise refusal(text, match.start(), f"the name {match[0]!r} is not allowed")
    if len(match[0]) > 40:
        raise refusal(text, match.start(), "a name has 40 characters at most")


def _mixed_fraction(found: re.Match[str]) -> str:
    whole = f"{found[1]}+" if found[1] else ""
    return f"({whole}{_FRACTIONS[found[2]]})"


def _group_digits(text: str) -> str:
    """Take out thousands separators and decimal commas, where a comma cannot part two arguments."""
    if "," not in text:
        return text
    pieces, start = [], 0
    for inside, end in _argument_lists(text):
        piece = text[start:end]
        pieces.append(piece if inside else _without_commas(piece))
        start = end
    return "".join(pieces)


def _without_commas(text: str) -> str:
    text = _COUNTED_WITH_POINTS.sub(lambda found: found[0].replace(".", "").replace(",", "."), text)
    text = _COUNTED.sub(lambda found: found[0].replace(",", ""), text)
    return _DECIMAL_COMMA.sub(lambda found: found[0].replace(",", "."), text)


def _argument_lists(text: str) -> list[tuple[bool, int]]:
    """Stretches of the text: whether they lie within an argument list or a list, and where they end."""
    stretches: list[tuple[bool, int]] = []
    opened: list[bool] = []
    for position, character in enumerate(text):
        if character in "([":
            stretches.append((any(opened), position + 1))
            named = position > 0 and (text[position - 1].isalpha() or text[position - 1] == "_")
            opened.append(
                character == "[" or named or (text[position - 1 : position].isdigit() and _is_name(text, position))
            )
        elif character in ")]" and opened:
            stretches.append((any(opened), position))
            opened.pop()
    stretches.append((any(opened), len(text)))
    return stretches


def _is_name(text: str, end: int) -> bool:
    """Whether the word that ends here is a name with digits (``log10``), not a number."""
    found = re.search(r"\w+$", text[:end])
    return found is not None and not found[0][0].isdigit()
