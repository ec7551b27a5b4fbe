"""Finding what was said in one user's conversations, newest first, within bounds of work that hold for any number."""

from __future__ import annotations

import asyncio
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from agentic.messages import Json, message_from_json
from agentic.runtime.conversations import Conversations

MOST_MESSAGES = 20_000
"""Stored messages that one search reads before it hands over to the next one."""
SHOWN = 3
"""Places that are shown of one conversation."""
AROUND = 80
"""Characters that are shown on each side of what was found."""
_BATCH = 20


async def search(conversations: Conversations, query: str, *, after: str | None, limit: int) -> Json:
    """The conversations in which one message, or the title, holds every word of ``query``, whatever its case.

    Gives ``{conversations, next, searched}``: heads as in a page, each with ``matches``, up to SHOWN of ``{role,
    timestamp, text}``; ``next`` is the value of ``after`` with which the search goes on, None where all was searched;
    ``searched`` counts the messages read. Raises SessionNotFound if the conversation ``after`` is gone.
    """
    words = _folded(query).split()
    found: list[Json] = []
    searched = 0
    last: str | None = None
    while len(found) < limit and searched < MOST_MESSAGES:
        heads = await conversations.page(after=after, limit=_BATCH)
        logs = await asyncio.gather(*(conversations.log(head["session_id"]) for head in heads))
        # Folding thousands of messages would keep the event loop from everybody else.
        matches = await asyncio.to_thread(_all_matches, logs, words)
        for head, log, places in zip(heads, logs, matches, strict=True):
            if len(found) == limit or searched >= MOST_MESSAGES:
                return {"conversations": found, "next": last, "searched": searched}
            searched += len(log)
            last = head["session_id"]
            if places or _holds(_folded(head["title"]), words):
                found.append({**head, "matches": places})
        if len(heads) < _BATCH:
            return {"conversations": found, "next": None, "searched": searched}
        after = last
    return {"conversations": found, "next": last, "searched": searched}


def _all_matches(logs: Sequence[Sequence[Json]], words: Sequence[str]) -> list[list[Json]]:
    return [_matches(log, words) for log in logs]


def _matches(log: Sequence[Json], words: Sequence[str]) -> list[Json]:
    """The first places of a conversation that hold all words."""
    places: list[Json] = []
    for item, text in _said(log):
        if _holds(_folded(text), words):
            places.append({"role": item["role"], "timestamp": item["timestamp"], "text": _around(text, words)})
            if len(places) == SHOWN:
                break
    return places


def _said(log: Sequence[Json]) -> Iterator[tuple[Json, str]]:
    """What user and model have said to each other; instructions of programs and internal results are neither."""
    for item in log:
        if item["role"] in ("user", "assistant") and not item.get("internal"):
            content = item["content"]
            yield item, content if isinstance(content, str) else message_from_json(item).text


def _holds(text: str, words: Sequence[str]) -> bool:
    return all(word in text for word in words)


def _around(text: str, words: Sequence[str]) -> str:
    """The text around its first word that was sought, on one line."""
    lowered = text.lower()
    places = [place for word in words if (place := lowered.find(word)) >= 0]
    start = max(0, (min(places) if places else _unfolded(text, words)) - AROUND)
    end = start + 2 * AROUND
    shown = " ".join(text[start:end].split())
    return f"{'…' if start else ''}{shown}{'…' if end < len(text) else ''}"


def _unfolded(text: str, words: Sequence[str]) -> int:
    """Where the first word begins in a text in which it stands as itself only when folded, which may change lengths."""
    folded = _folded(text)
    place = min(folded.find(word) for word in words)
    return bisect_right(range(len(text)), place, key=lambda end: len(_folded(text[:end]))) - 1


def _folded(text: str) -> str:
    """The text in one case, with each character in its one form: an é typed as two counts as one."""
    return unicodedata.normalize("NFKC", text).casefold()
