"""The words in which people ask for arithmetic, in five languages, and the shapes that only look like it."""

from __future__ import annotations

import re

_QUESTIONS = r"""
    what(?:'s|\s+is|\s+are|\s+does|\s+do)|whats|how\s+much\s+(?:is|are|does|do)|calculate|compute|evaluate|work\s+out
    |figure\s+out|solve(?!\s*\()|find(?:\s+the\s+value\s+of)?|the\s+(?:value|result)\s+of
    |(?:the\s+)?(?:answer|solution)\s+(?:to|of)
    |was\s+(?:ist|sind|ergibt|ergeben|macht)|wie\s?viel\s+(?:ist|sind|ergibt|macht)|berechne|rechne|löse
    |combien\s+(?:font|fait|vaut|valent)|calculez|calculer|calcule|quel(?:le)?\s+est(?:\s+la\s+valeur\s+de)?
    |que\s+(?:vaut|valent)|c'est\s+quoi|résous|résoudre
    |cu[aá]nto\s+(?:es|son|da|vale)|calcula(?:r)?|qu[eé]\s+es|cu[aá]l\s+es(?:\s+el\s+(?:valor|resultado)\s+de)?|resuelve
    |quanto\s+(?:fa|fanno|[eé]|d[aá])|calcola|quanto\s+é
"""
_COURTESY = r"""
    please|hi|hello|hey|ok(?:ay)?|so|and|can\s+you|could\s+you|would\s+you|tell\s+me|give\s+me|show\s+me|i\s+need|help\s+me
    |bitte|kannst\s+du|sag\s+mir|mir|s'il\s+(?:te|vous)\s+pla[iî]t|peux-tu|dis-moi|por\s+favor|puedes|dime
    |the\s+equation|equation|die\s+gleichung|l'équation|la\s+ecuación|aus|exactly|quickly
"""
OPENING = re.compile(rf"(?:{_QUESTIONS}|{_COURTESY})(?=[\s:,(√\d-]|$)", re.IGNORECASE | re.VERBOSE)
"""One phrase that a request may begin with."""

ASKED = re.compile(_QUESTIONS, re.IGNORECASE | re.VERBOSE)
"""The phrases among them that ask for a result."""

POLITE_END = re.compile(
    r"(?:\s*(?:[?.=,]|\bplease|\bequal(?:s|\s+to)?|\bfor\s+me|\bbitte|\bs'il\s+(?:te|vous)\s+pla[iî]t|\bpor\s+favor|\baus))+\s*$",
    re.IGNORECASE,
)

_NUMBER = r"-?\d[\d.,]*"
_FORMS = (
    (r"^(?:the\s+)?derivative\s+of\s+(.+?)\s+with\s+respect\s+to\s+([a-z])$", r"diff(\1, \2)"),
    (r"^differentiate\s+(.+?)\s+with\s+respect\s+to\s+([a-z])$", r"diff(\1, \2)"),
    (r"^(?:(?:the\s+)?derivative\s+of|differentiate|(?:die\s+)?ableitung\s+von|(?:la\s+)?d[ée]riv(?:ée|ada)\s+de)\s+(.+)$",
     r"diff(\1)"),
    (r"^d/d([a-z])\s+(?:of\s+)?(.+)$", r"diff(\2, \1)"),
    (r"^(?:(?:the\s+)?integral\s+of|integrate)\s+(.+?)\s+d([a-z])\s+(?:from|between)\s+(\S+)\s+(?:to|and)\s+(\S+)$",
     r"integrate(\1, \2, \3, \4)"),
    (r"^(?:(?:the\s+)?integral\s+of|integrate)\s+(.+?)\s+(?:from|between)\s+(\S+)\s+(?:to|and)\s+(\S+)$",
     r"integrate(\1, \2, \3)"),
    (r"^(?:(?:the\s+)?integral\s+of|integrate)\s+(.+?)(?:\s+with\s+respect\s+to\s+|\s+d)([a-z])$",
     r"integrate(\1, \2)"),
    (r"^(?:(?:the\s+)?integral\s+of|integrate)\s+(?!\()(.+)$", r"integrate(\1)"),
    (r"^(?:the\s+)?limit\s+of\s+(.+?)\s+(?:as|when)\s+([a-z])\s+(?:approaches|goes\s+to|tends\s+to|->|→)\s+(\S+)$",
     r"limit(\1, \2, \3)"),
    (r"^for\s+([a-z])\s*[:,]?\s+(.+=.+)$", r"solve(\2, \1)"),
    (r"^(?:the\s+)?(determinant|inverse|eigenvalues|rank)\s+of\s+(?:the\s+)?(?:matrix\s+)?(\[.+\])$", r"\1(\2)"),
    (r"^(factor|expand|simplify)\s+(?!\()(.+)$", r"\1(\2)"),
    (r"^(.+=.+?)\s+for\s+([a-z])$", r"solve(\1, \2)"),
    (r"^how\s+many\s+(\w+)\s+(?:are\s+|is\s+)?(?:there\s+)?(?:in|is|are)\s+(?:an?\s+(\w+))$", r"1 \2 to \1"),
    (r"^how\s+many\s+(\w+)\s+(?:are\s+|is\s+)?(?:there\s+)?(?:in|is|are)\s+(\d.*)$", r"\2 to \1"),
    (rf"\b(?:the\s+)?square\s+root\s+of\s+({_NUMBER})", r"sqrt(\1)"),
    (rf"\b(?:(?:die\s+)?wurzel\s+(?:aus|von)|(?:la\s+)?racine\s+(?:carrée\s+)?de|(?:la\s+)?ra[ií]z\s+(?:cuadrada\s+)?de)\s+({_NUMBER})",
     r"sqrt(\1)"),
    (rf"\b(?:the\s+)?cube\s+root\s+of\s+({_NUMBER})", r"cbrt(\1)"),
    (rf"\b(?:the\s+)?factorial\s+of\s+({_NUMBER})", r"factorial(\1)"),
    (rf"({_NUMBER})\s+factorial\b", r"factorial(\1)"),
    (r"\s*\b(?:percent|per\s+cent|prozent|pour\s?cent|por\s+ciento)\b", r"%"),
    (r"%\s+(?:von|de|di)\s+", r"% of "),
    (r"(?<=[\w)])\s+squared\b", r"^2"),
    (r"(?<=[\w)])\s+cubed\b", r"^3"),
    (r"(?<=[\w)!%])\s+(?:plus|más|mas|und)\s+(?=[\w(√-])", r" + "),
    (r"(?<=[\w)!%])\s+(?:minus|moins|menos|less)\s+(?=[\w(√-])", r" - "),
    (r"(?<=[\w)!%])\s+(?:times|multiplied\s+by|mal|fois|multiplié\s+par|por|multiplicado\s+por|per)\s+(?=[\d(√-])",
     r" * "),
    (r"(?<=[\w)!%])\s+(?:divided\s+by|over|geteilt\s+durch|durch|divisé\s+par|sur|dividido\s+(?:por|entre)|entre|diviso)"
     r"\s+(?=[\w(√-])", r" / "),
    (r"(?<=[\w)!%])\s+(?:to\s+the\s+(?:power\s+(?:of\s+)?)?|raised\s+to\s+(?:the\s+)?(?:power\s+of\s+)?|hoch|puissance|"
     r"elevado\s+a(?:\s+la)?)\s*(-?\d+)(?:st|nd|rd|th)?(?:\s+power)?\b", r"^\1"),
    (rf"^({_NUMBER})\s*[xX]\s*({_NUMBER})$", r"\1 * \2"),
)  # fmt: skip
SPOKEN_FORMS = tuple((re.compile(pattern, re.IGNORECASE), replacement) for pattern, replacement in _FORMS)
"""Patterns of spoken mathematics and what they become, in the order in which they are tried."""

SPOKEN = re.compile(
    r"\b(?:derivative|differentiate|integral|integrate|limit|factor|expand|simplify|how many|ableitung|d[ée]riv)"
)
"""Words by which a request in lower case may be mathematics without a single digit."""

_LOOKALIKES = (
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}",
    r"(?<!\d)\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}\b",
    r"\d+\.\d+\.\d+",
    r"\d{1,2}:\d{2}",
    r"^\+\d[\d\s()/-]{5,}$",
    r"^\(?\d{3}\)?[\s-]\d{3}[\s-]\d{4}$|^\d{3}-\d{4}$|^0\d{2,5}[\s/-]\d{4,}$",
    r"^\d{1,2}/7$|^9/11$|^50/50$|^80/20$|^20/20$|^4/20$|^7/11$",
    r"\bv\d",
    r"https?:|www\.|@|#|\$\w*[a-z]",
)
_NO_ARITHMETIC = re.compile("|".join(f"(?:{shape})" for shape in _LOOKALIKES), re.IGNORECASE)
_BARE_RANGE = re.compile(r"^\d+\s*[-–—/:xX]\s*\d+$")


def is_no_arithmetic(rest: str, asked: bool) -> bool:
    """Whether it has the shape of a date, time, version, address, telephone number, range or score."""
    return _NO_ARITHMETIC.search(rest) is not None or (not asked and _BARE_RANGE.match(rest) is not None)
