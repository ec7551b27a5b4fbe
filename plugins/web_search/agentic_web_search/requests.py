"""Plain requests to arguments, by rule: what says in so many words that the web shall be searched, or a page be read.

Rules lean to silence: whatever asks for more than that is left to the model.
"""

from __future__ import annotations

import re

from agentic_web_search.settings import LONGEST_ADDRESS

_LONGEST_REQUEST = 400
_LONGEST_WORDS = 200

_POLITE = (
    r"(?:(?:hey|hi|hello|ok|okay|so|please|pls|kindly|just|now|quickly|bitte|kannst du|könntest du|por favor|s'il te "
    r"plaît|per favore|can you|could you|would you|will you|can u|i want you to|i need you to|i'd like you to|"
    r"go and|go|do a quick|do a|run a|quick)[,:]?\s+)*"
)
_WEB = r"(?:the\s+|teh\s+)?(?:inter\s?net|world wide web|web|net|google|bing|duckduckgo|duck duck go)"
_ABOUT = (
    r"(?:\s*[:,]\s*|\s+(?:for|about|on|to find(?: out)?(?: about)?|and (?:find|tell me)(?: out)?(?: about)?)\s+|\s+)"
)
_ASKING = r"(?:who|what|when|where|which|why|how|whether|if|the|for|some|latest|recent|current|today'?s)\b"
_SEARCHES = tuple(
    re.compile(rf"{_POLITE}{pattern}", re.IGNORECASE)
    for pattern in (
        # search the web for X · look on the internet for X
        rf"(?:search|serach|seach|browse|check|query|scour)\s+(?:(?:on|in|across|through)\s+)?{_WEB}{_ABOUT}(?P<x>.+)",
        rf"(?:look|search|check)\s+(?:on|in)\s+{_WEB}{_ABOUT}(?P<x>.+)",
        # search for X on the web · look up X online
        rf"(?:search|look|find|check)(?:\s+(?:for|up))?(?:\s+me)?\s+(?P<x>.+?)\s+(?:online|(?:on|in|over)\s+{_WEB})",
        # web search: X · internet search for X
        r"(?:web|internet|online|google)[ -]search(?:\s*:\s*|\s+(?:for|about|on)\s+)(?P<x>.+)",
        # google X: the verb where something is asked for after it, for the company has the same name
        rf"google(?:\s+for\s+|\s*:\s*|\s+(?={_ASKING}))(?P<x>.+)",
        # German, Dutch
        r"(?:such|suche|google|recherchiere|schaue?)\s+(?:mal\s+)?(?:bitte\s+)?(?:im|in dem)\s+(?:internet|web|netz)"
        r"(?:\s*:\s*|\s+(?:nach\s+|über\s+)?)(?P<x>.+)",
        r"zoek\s+(?:op|via)\s+(?:het\s+)?(?:internet|web)\s+(?:naar\s+)?(?P<x>.+)",
        # Spanish, Portuguese, Italian, French
        r"(?:busca|buscar|pesquise|pesquisa|procure|cerca|cercami|ricerca)\s+(?:en|na|no|sul|su|nel|in)\s*(?:el\s+|la\s+|l')?"
        r"(?:internet|web|google|rete)\s*(?:\s*:\s*|\s)(?:por\s+)?(?P<x>.+)",
        r"(?:cherche|cherchez|recherche|recherchez)\s+(?:sur|dans)\s+(?:l'|le\s+)?(?:internet|web|google)(?:\s*:\s*|\s+)(?P<x>.+)",
    )
)
_MARKS = ("web", "net", "google", "bing", "duck", "online", "rete")
"""What is searched: every request that is read has one of them, and they are looked for in next to no time."""
_MORE_THAN_ONE = re.compile(
    r"```|https?://|[.?!;]\s+\S|,?\s+(?:and|und|et|y|e|then)\s+(?:then\s+)?(?:calculate|compute|write|plot|draw|make|create|"
    r"translate|convert|compare|save|send|email|store|run|multiply|divide|add|summari[sz]e|use|put|draft|turn)\b",
    re.IGNORECASE,
)
_EMPTY = re.compile(
    r"(?:it|this|that|them|him|her|me|something|anything|stuff|more|again|please|yourself)", re.IGNORECASE
)

_URL = re.compile(r"https?://[^\s<>\"'`|\\^{}]+", re.IGNORECASE)
_READ = re.compile(
    r"\b(?:read|raed|open|summari[sz]e|sumari[sz]e|summary|sum up|tl;?dr|fetch|visit|look at|check out|go through|"
    r"key points|main points|gist|what does|what's (?:on|in|at)|what is (?:on|in|at)|what do(?:es)? it say|"
    r"lies|lesen|öffne|zusammenfassung|fasse?|was steht|lis|lisez|résume[rz]?|résumé|ouvre|ouvrez|lee|léeme|"
    r"resume|resumen|"
    r"resúme(?:me|lo)?|abre|leggi|riassumi|riassunto|apri|leia|resuma|resumo|abra|lees|samenvatting|vat)\b",
    re.IGNORECASE,
)
_OTHER_WISHES = re.compile(
    r"\b(?:code|script|function|program|python|javascript|bash|regex|curl|wget|requests|scrape|scraper|crawl|parse|"
    r"download|upload|translate|compare|calculate|compute|plot|chart|sql|api|endpoint|post|put|delete|webhook|deploy|"
    r"clone|install|docker|config|search|don'?t|do not|never|without|error|bug|fix|debug|explain the code|shorten|"
    r"valid|format|reachable|ping|dns|redirect)\b",
    re.IGNORECASE,
)
_HOST = re.compile(r"https?://[^/?#]*[^\W_]", re.IGNORECASE)
_CLOSING = {")": "(", "]": "["}


def query_in(text: str) -> str | None:
    """What a request wants searched on the web, or None where it does not say that and nothing else."""
    if not 0 < len(text) <= _LONGEST_REQUEST or "\n" in text.strip():
        return None
    lower = text.lower()
    if not any(mark in lower for mark in _MARKS):
        return None
    # Single blanks: the patterns would take runs of them apart in every way there is.
    request = " ".join(text.replace("’", "'").split()).rstrip(" .!?")
    if _MORE_THAN_ONE.search(request):
        return None
    for pattern in _SEARCHES:
        found = pattern.fullmatch(request)
        if found:
            wanted = re.sub(r"[\s,]+(?:please|pls|bitte|thanks)$", "", found["x"].strip(" \"'“”:"), flags=re.IGNORECASE)
            is_clear = any(sign.isalnum() for sign in wanted) and not _EMPTY.fullmatch(wanted)
            return wanted if is_clear else None
    return None


def address_in(text: str) -> str | None:
    """The one web address that a request wants read, or None where there is another number of them or another wish."""
    if "http" not in text[:_LONGEST_REQUEST].lower() or "```" in text:
        return None
    found = list(_URL.finditer(text))
    if len(found) != 1:
        return None
    address = _without_punctuation(found[0][0])
    words = f"{text[: found[0].start()]} {text[found[0].end() :]}".replace("’", "'")
    if len(words) > _LONGEST_WORDS or _OTHER_WISHES.search(words) or not _READ.search(words):
        return None
    return address if _HOST.match(address) and len(address) <= LONGEST_ADDRESS else None


def _without_punctuation(address: str) -> str:
    """The address without what ends a sentence or closes a bracket that it did not open."""
    while address:
        last = address[-1]
        opening = _CLOSING.get(last)
        if last in ".,;:!?*_" or (opening and address.count(opening) < address.count(last)):
            address = address[:-1]
        else:
            break
    return address
