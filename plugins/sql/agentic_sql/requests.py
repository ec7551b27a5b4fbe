"""Reading a statement from a plain request, by rule; only where it is certain."""

from __future__ import annotations

import re

_FENCE = re.compile(r"```(?:sql|postgresql|postgres|mysql|sqlite)?[ \t]*\n(?P<query>[^`]+?)\s*```", re.IGNORECASE)
_STATEMENT = re.compile(r"(?:SELECT\s+\S[\s\S]*|WITH\s+\w+(?:\s*\([^)]*\))?\s+AS\s*\([\s\S]+)", re.IGNORECASE)
_FROM = re.compile(r"\bFROM\s+[\w\"`\[(]", re.IGNORECASE)
_PLAIN = re.compile(r"SELECT\s+(?:[\w.]+\(|[\d'(*\"])", re.IGNORECASE)
# "Select the best restaurant from this list" is English: between SELECT and FROM a statement has no such words.
_ENGLISH = re.compile(
    r"SELECT\s+(?:the|a|an|all\s+the|your|my|any|some|one|two|three|what|which|from|me)\s", re.IGNORECASE
)
_LONGEST = 4000
# Asked for in words, a statement in a fence is to be explained or mended, and not to be run.
_ABOUT = re.compile(
    r"\b(?:explain|why|wrong|fix|mend|error|optimi[sz]e|improve|rewrite|convert|translate|what does|how does|mean|"
    r"review|format|erklär\w*|warum|falsch|expli\w+|pourquoi|por qué)\b",
    re.IGNORECASE,
)


def statement_in(text: str) -> str | None:
    """The SELECT statement that a request is, or that stands alone in its fence; None where that is not certain."""
    if len(text) > _LONGEST:
        return None
    fences = _FENCE.findall(text)
    if len(fences) == 1 and text.count("```") == 2:
        around = _FENCE.sub(" ", text)
        return fences[0].strip() if _is_statement(fences[0]) and not _ABOUT.search(around) else None
    bare = text.strip()
    return bare if "```" not in text and _is_statement(bare) else None


def _is_statement(text: str) -> bool:
    query = text.strip()
    if not _STATEMENT.fullmatch(query) or _ENGLISH.match(query) or query.endswith(("?", ".", "!")):
        return False
    return bool(_FROM.search(query) or _PLAIN.match(query))
