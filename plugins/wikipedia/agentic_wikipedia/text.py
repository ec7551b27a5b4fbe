"""Text of an article as whole sentences of its language."""

from __future__ import annotations

MAX_CHARACTERS = 6000
_READ = 30_000


def sentences(text: str, language: str) -> list[str]:
    """The sentences of a text, without line breaks. The library is imported here: call it in a thread."""
    from sentencex import segment

    plain = " ".join(text[:_READ].split())
    return [sentence for one in segment(language, plain) if (sentence := one.strip())]


def joined(parts: list[str]) -> str:
    """Sentences as one text of at most MAX_CHARACTERS."""
    text = " ".join(parts)
    return text if len(text) <= MAX_CHARACTERS else text[:MAX_CHARACTERS].rsplit(" ", 1)[0] + " …"
