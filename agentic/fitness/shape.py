"""Reads how a request is built: its parts, what joins them, what it points at, and what it brings along."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agentic.messages import Message
from agentic.ports.agent import Shape

# Patterns of words are tried on the text in lower case: ignoring case takes them two to three times as long.
CODE = re.compile(r"```|\bprint\s*\(|\bdef \w+\(|\bimport \w+|\bfor \w+ in \b|=>|;\s*$|\blambda \w|console\.log", re.M)
DATA = re.compile(r"[\[{]\s*[\"{\[]|^\|.*\||^[^,\n]{1,40}(?:,[^,\n]{1,40})+\n[^,\n]*,", re.M)
ADDRESS = re.compile(r"\bhttps?://\S+|\bwww\.\S+|\b[\w-]+\.(?:com|org|net|edu|io|de|fr)/\S*")
FORMULA = re.compile(r"\d\s*[-+*/^=×÷]\s*[\d(x]|\b[xy]\s*[\^*=+-]|\d\s*%|\w\^\d")
PASTED = re.compile(r"```.*?```|[\[{]\s*[\"{\[].*[\]}]|https?://\S+|\"[^\"]*\"|“[^”]*”|„[^“]*“|«[^»]*»", re.S)
BULLET = re.compile(r"(?:^|\n|\s)(?:[-*•]|\(?\d{1,2}[.)])\s+(?=\w)")
SENTENCE = re.compile(r"[.?!;。?!;]+(?:\s+|$)|\n+|[。?!]")
AND = re.compile(r"\b(?:and|plus|as well as|und|sowie|et|ainsi que|y|e|ed|en|oraz|и|ve|adn)\b|&|[、和と與与]")
THEN = re.compile(
    r"\b(?:then|afterwards?|after that|after which|next|finally|subsequently|once you|based on (?:that|it|this)|"
    r"depending on (?:that|it|this)|if so|if it|if not|use (?:it|that|this) to|with (?:it|that|this)|dann|danach|"
    r"anschließend|wenn ja|falls|puis|ensuite|après|si oui|luego|después|entonces|poi|quindi|dopo|depois|então|"
    r"daarna|vervolgens|potem|потом|затем|sonra)\b|然后|接着|その後|それから"
)
APART = re.compile(
    r"\b(?:compare|comparison|versus|vs|each|both|respectively|separately|also|as well as|plus|or|than|three|all of|"
    r"between|vergleiche?|sowie|außerdem|jeweils|beide|comparer?|ainsi que|chacun|compara|también|confronta|"
    r"anche|compara[r]?|também|vergelijk|porównaj|сравни|также)\b|比较|比べ"
)
BACK = re.compile(
    r"\b(?:it|its|that|this|those|these|they|them|their|he|his|him|she|her|hers|there|the (?:result|same|first|former|"
    r"latter|outcome|answer|total|one|author|director)|such|es|ihn|ihm|ihr|ihre|ihren|sein|seine|seinen|dessen|deren|dieser?|"
    r"dieses|dort|davon|daraus|son|sa|ses|leur|lui|celui|cela|ça|là|su|sus|ese|eso|esa|allí|lo|suo|sua|questo|"
    r"quello|esse|isso|его|её|их|этот)\b|convi[eé]rtela|convertila|[它其]"
)
NESTED = re.compile(
    r"\b(?:of|in|from|at|near|by|to|on) (?:the|a) [\w -]{2,40}? (?:of|that|who|whose|which|where|in which|in whom|"
    r"when)\b|\b(?:who|whose|which|where|when)\b[^,.?!]{3,60}, (?:and )?"
    r"(?:what|who|where|when|how|which|in what|in which)\b"
)
REFUSED = re.compile(
    r"\b(?:don'?t|do not|without|no need to|not|never|stop) (?:[\w ]{0,14}\b)?"
    r"(?:search|look|use|using|run|execut|tools?|google|browse|looking|running|searching|web)\w*|"
    r"\bno tools?\b|\bstay offline\b|\bfrom (?:your )?(?:own )?(?:memory|knowledge|head)\b|"
    r"\bohne (?:suche|nachzuschlagen|werkzeug)|\bsans (?:chercher|recherche)|\bsin buscar"
)
SMALL_TALK = re.compile(
    r"^\W*(?:hi+|hello|hey|yo|good (?:morning|evening|night|afternoon)|thanks?|thank you|thx|cheers|bye|ok(?:ay)?|cool|"
    r"great|nice|wow|lol|haha|sorry|hallo|guten (?:morgen|tag|abend)|danke|tschüs+|servus|bonjour|salut|merci|bonsoir|"
    r"hola|gracias|buenos días|ciao|grazie|olá|obrigad[oa]|hoi|dank je|cześć|dzięki|привет|спасибо|merhaba|"
    r"你好|谢谢|こんにちは|ありがとう|おはよう|안녕|مرحبا)(?![\w-])"
)
COMMA = re.compile(r"[,、،]")
PART = re.compile(rf"{SENTENCE.pattern}|[,;:、،]\s*|{THEN.pattern}|{AND.pattern}")
SHORT = 7
"""Words up to which a request may lean on what was said before it."""


def read_shape(text: str, history: Sequence[Message] = ()) -> Shape:
    """The facts about a request. Quotations, code and data count as one thing each, not as the words within."""
    plain = PASTED.sub(" _ ", text)
    lower = plain.lower()
    words = len(plain.split())
    sentences = [part for part in SENTENCE.split(lower) if part and part.strip(" _")]
    spoken = any(message.role == "user" for message in history)
    bullets = len(BULLET.findall(plain))
    points = len(BACK.findall(lower))
    return Shape(
        words=words,
        sentences=len(sentences),
        questions=len(re.findall(r"[??]", plain)),
        targets=max((1, *map(_row, sentences))),
        bullets=bullets if bullets > 1 else 0,
        joins=len(AND.findall(lower)),
        then=len(THEN.findall(lower)),
        apart=len(APART.findall(lower)),
        points_back=points,
        nested=len(NESTED.findall(lower)),
        code=CODE.search(text) is not None,
        data=DATA.search(text) is not None,
        addresses=len(ADDRESS.findall(text.lower())),
        formula=FORMULA.search(plain) is not None,
        refuses_tools=REFUSED.search(lower) is not None,
        small_talk=SMALL_TALK.search(lower) is not None,
        follows_up=spoken and (words <= SHORT or points > 0),
    )


def first_part(text: str) -> str:
    """The first of several parts, of two words or more: what has to be done first, in lower case.

    Empty where there is one part alone.
    """
    parts = [part.strip() for part in PART.split(PASTED.sub(" _ ", text).lower()) if part and part.strip()]
    first = next((part for part in parts if " " in part), "")
    return first if len(parts) > 1 else ""


def _row(sentence: str) -> int:
    """The things in a row: 3 in "A, B and C", 2 in "A and B", and 1 where there is no row."""
    return sum(1 for part in COMMA.split(AND.sub(",", sentence)) if part.strip(" _"))
