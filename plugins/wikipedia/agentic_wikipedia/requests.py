"""Plain requests that name Wikipedia, by rule: ``look up black holes on Wikipedia`` asks for ``black holes``.

Rules lean to silence: a request that does not name Wikipedia, or that asks for a second thing, is left to the model.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from agentic import Json
from agentic_wikipedia.language import NAMES

MAX_REQUEST = 200
_TOPIC = r"(?P<topic>\S.*?)"
_WIKI = r"(?:the\s+)?(?:(?P<language>[a-z]+(?: english)?)\s+)?wikipedia"
_LOOK = r"(?:look(?:\s+up)?|search(?:\s+for)?|find|read(?:\s+about)?|check|show\s+me|get(?:\s+me)?|open)"
_SUM = r"(?:summari[sz]e|give\s+me|i\s+(?:need|want)|what\s+is\s+in|what's\s+in)"
_PATTERNS = {
    "": (
        rf"wikipedia\s*[:–-]\s*{_TOPIC}",
        rf"{_LOOK}\s+{_TOPIC}\s+(?:up\s+)?(?:on|in|at|from)\s+{_WIKI}",
        rf"(?:search|check|look\s+(?:in|on)|ask)\s+(?:on\s+)?{_WIKI}\s+(?:for|about)\s+{_TOPIC}",
        rf"(?:(?:{_LOOK}|{_SUM})\s+)?(?:an?\s+|the\s+)?(?:summary\s+of\s+)?{_WIKI}\s+"
        rf"(?:article|page|entry|summary)\s+(?:on|about|for|of)\s+{_TOPIC}",
        rf"what\s+does\s+{_WIKI}\s+(?:say|tell(?:\s+us|\s+me)?)\s+about\s+{_TOPIC}",
    ),
    "de": (
        rf"(?:suche?|finde|schlage?|schau)\s+{_TOPIC}\s+(?:auf|in|bei)\s+(?:der\s+)?wikipedia(?:\s+nach)?",
        rf"(?:zeig(?:e)?\s+mir\s+)?(?:den\s+)?wikipedia[- ]?artikel\s+(?:über|zu[mr]?)\s+{_TOPIC}",
        rf"was\s+(?:sagt|steht\s+(?:in|auf|bei))\s+(?:der\s+|die\s+)?wikipedia\s+(?:über|zu[mr]?)\s+{_TOPIC}",
    ),
    "fr": (
        rf"(?:cherche|recherche|trouve)[rz]?\s+{_TOPIC}\s+(?:sur|dans)\s+wikip[ée]dia",
        rf"(?:l['’]\s*)?article\s+(?:de\s+)?wikip[ée]dia\s+sur\s+{_TOPIC}",
        rf"que\s+dit\s+wikip[ée]dia\s+(?:sur|à\s+propos\s+de)\s+{_TOPIC}",
    ),
    "es": (
        rf"busca(?:r|me)?\s+{_TOPIC}\s+en\s+(?:la\s+)?wikipedia",
        rf"(?:el\s+)?art[íi]culo\s+de\s+(?:la\s+)?wikipedia\s+sobre\s+{_TOPIC}",
        rf"qu[ée]\s+dice\s+(?:la\s+)?wikipedia\s+(?:sobre|de)\s+{_TOPIC}",
    ),
    "it": (
        rf"cerca\s+{_TOPIC}\s+su\s+wikipedia",
        rf"(?:che\s+)?cosa\s+dice\s+wikipedia\s+(?:su|di)\s+{_TOPIC}",
    ),
}
_RULES = [(code, re.compile(one, re.IGNORECASE)) for code, several in _PATTERNS.items() for one in several]
_POLITE = re.compile(
    r"^\s*[¿¡]?\s*(?:(?:hey|hi|ok|please|bitte)[,\s]+)*(?:(?:can|could|would|will)\s+you\s+(?:please\s+)?)?",
    re.IGNORECASE,
)
_POLITE_END = re.compile(r"(?:[\s,]+(?:please|thanks|bitte|for me))*[\s.?!…]*$", re.IGNORECASE)
_LENGTH = re.compile(r"\s*,?\s+in\s+(?P<number>\d+|one|two|three|four|five|ten)\s+sentences?$", re.IGNORECASE)
_NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_UNSURE = re.compile(
    r"^(?:it|this|that|these|those|him|her|them|something|anything|more|information|info|das|es|ihn|sie|ça|lo|eso)$"
    r"|wikip[ée]dia|\n|[.?!;:]\s+\S"
    r"|\b(?:and|then|und|et|y|e)\s+(?:then\s+|also\s+)?(?:tell|summari[sz]e|compare|calculate|explain|give|show|write|"
    r"translate|list|find|search|look|count|draw|plot|make|say|what|who|when|where|how|was|wer|wie|dis|explique|dime)\b",
    re.IGNORECASE,
)
_ADDRESS = re.compile(
    r"https?://(?:(?!www\.)(?P<language>[a-z-]+)(?:\.m)?\.wikipedia\.org|\S+?)/wiki/(?P<title>[^\s?#]+)\S*",
    re.IGNORECASE,
)
_QUESTION = re.compile(
    r"[¿\s]*(?:(?:who|what)(?:\s+(?:is|was|are|were)|'s)|tell\s+me\s+about|we[rn]\s+(?:ist|war)|was\s+(?:ist|sind|war)|"
    r"qui\s+(?:est|était)|quién\s+(?:es|fue)|chi\s+(?:è|era)|quem\s+(?:é|foi)|wie\s+was)"
    r"\s+(?P<topic>\S[^?]*?)\s*[?.!]*",
    re.IGNORECASE,
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_QUOTES = " \t\"'“”„«»`"


def arguments_in(text: str) -> Json | None:
    """The tool's arguments for a request that asks for one article and names Wikipedia, else None."""
    request = text.strip()
    if not 0 < len(request) <= MAX_REQUEST or "wikip" not in request.lower() or "\n" in request:
        return None
    request = _POLITE_END.sub("", _POLITE.sub("", request, count=1), count=1)
    request, sentences = _without_length(request)
    for code, rule in _RULES:
        match = rule.fullmatch(request)
        if match is not None:
            return _arguments(match, code, sentences)
    return None


def topic_of(query: str) -> str:
    """A query without control characters and spare spaces; the title where it is the address of an article."""
    plain = " ".join(_CONTROL.sub(" ", query).split())
    address = _ADDRESS.fullmatch(plain)
    return _CONTROL.sub(" ", unquote(address["title"]).replace("_", " ")).strip() if address else plain


def language_of(query: str) -> str:
    """The language in whose Wikipedia the article is that a query gives the address of; empty for any other query."""
    address = _ADDRESS.fullmatch(query.strip())
    return (address and address["language"]) or ""


def subject_of(query: str) -> str:
    """What a question asks for, as a search finds it best: ``Ada Lovelace`` of ``Who was Ada Lovelace?``."""
    question = _QUESTION.fullmatch(query)
    return question["topic"].strip() if question else query


def _arguments(match: re.Match[str], code: str, sentences: int | None) -> Json | None:
    topic = match["topic"].strip(_QUOTES)
    named = (match.groupdict().get("language") or "").lower()
    if (
        not topic
        or _UNSURE.search(topic)
        or (named and named not in NAMES)
        or (sentences is not None and not sentences)
    ):
        return None
    language = NAMES.get(named, code)
    found: Json = {"query": topic}
    if sentences is not None:
        found["sentences"] = min(sentences, 10)
    return {**found, "language": language} if language else found


def _without_length(request: str) -> tuple[str, int | None]:
    match = _LENGTH.search(request)
    if match is None:
        return request, None
    number = match["number"].lower()
    return request[: match.start()], _NUMBERS[number] if number in _NUMBERS else int(number[:4])
