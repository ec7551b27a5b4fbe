"""What a search finds, whoever searched: asked for, cleaned, freed of duplicates, and written for a model."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import parse_qsl, urlencode, urlsplit

from agentic import AgenticError

Recency = Literal["day", "week", "month", "year"]
Topic = Literal["general", "news"]

_LONGEST_TITLE = 200
_TRACKING = re.compile(r"utm_\w+|fbclid|gclid|msclkid|mc_[ce]id|igshid")
# Control characters and halves of a pair that is no Unicode are neither shown nor sent, and count as blanks.
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search: its words, how many results it may have, how recent they must be, and whether news are asked for."""

    text: str
    most: int
    recent: Recency | None = None
    topic: Topic = "general"


@dataclass(frozen=True, slots=True)
class Result:
    """A page that was found; ``date`` as the service gave it, empty where it gave none."""

    url: str
    title: str
    text: str
    date: str = ""


class SearchFailed(AgenticError):
    """A service did not search; the message tells why, names no key and quotes no answer."""

    code = "search_failed"


class Searcher(Protocol):
    """A service that searches the web. ``title`` names it for people."""

    title: str

    async def search(self, query: Query) -> Sequence[Result]:
        """What it finds, best first. Raises SearchFailed."""
        ...

    async def aclose(self) -> None:
        """Close connections and end threads."""
        ...


def tidy(found: Iterable[Result], *, most: int, characters: int) -> list[Result]:
    """Results with web addresses, one each, with their texts on one line and cut to ``characters``."""
    kept: dict[str, Result] = {}
    for result in found:
        url = result.url.strip()
        key = _identity(url)
        if key is None:
            continue
        text = shortened(result.text, characters)
        if key not in kept and len(kept) == most:
            continue
        if key not in kept or len(text) > len(kept[key].text):
            # A dict keeps the place of the first, so the longer text of a duplicate moves up.
            title = shortened(result.title, _LONGEST_TITLE) or url
            kept[key] = Result(url, title, text, shortened(result.date, 40))
    return list(kept.values())


def shortened(text: str, characters: int) -> str:
    """The text on one line, cut at a word where it is too long, and marked so."""
    text = _BLANKS.sub(" ", text).strip()
    if len(text) <= characters:
        return text
    cut = text[: characters - 1]
    at_word, _, rest = cut.rpartition(" ")
    return f"{at_word if len(rest) < 40 and at_word else cut} …"


def written(results: Sequence[Result]) -> str:
    """The results, numbered, each with its title, address, date and text."""
    parts = []
    for number, result in enumerate(results, 1):
        lines = [f"{number}. {result.title}", result.url, result.date, result.text]
        parts.append("\n   ".join(line for line in lines if line))
    return "\n\n".join(parts)


def _identity(url: str) -> str | None:
    """What two addresses of one page have in common; None for what is no web address, or looks like another's."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    is_plain = url.isprintable() and not {*' <>"\\'} & {*url} and "@" not in parts.netloc
    if parts.scheme not in ("http", "https") or not host or not is_plain:
        return None
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query, True) if not _TRACKING.fullmatch(name)])
    place = host.removeprefix("www.") + (f":{port}" if port not in (None, 80, 443) else "")
    return f"{place}{parts.path.rstrip('/')}?{query}"
