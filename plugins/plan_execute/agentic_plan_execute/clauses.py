"""A request's clauses: the things that it asks for, told apart by punctuation and a few words."""

from __future__ import annotations

import re

LONGEST = 4_000
"""Characters of a request that are looked at; a longer one holds pasted matter."""
PARTS = re.compile(
    r"\s*(?:\n+|;|[?!](?=\s|$)|\.(?=\s|$)"
    r"|,?\s+(?:and\s+also|and\s+then|and|also|then|plus|as\s+well\s+as|after\s+that)\s+"
    r"|,\s+)\s*",
    re.IGNORECASE,
)
BULLET = re.compile(r"^(?:[-*•]|\(?\d{1,2}[.)])\s+")


def clauses(text: str) -> list[str]:
    """The clauses of a request in their order; one that holds code or data is not taken apart."""
    text = text[:LONGEST].strip()
    if "```" in text or "{" in text or "[" in text:
        return [text] if text else []
    parts = (BULLET.sub("", part.strip()).strip() for part in PARTS.split(text))
    return [part for part in parts if part]
