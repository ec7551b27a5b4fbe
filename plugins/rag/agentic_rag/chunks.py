"""A document's text cut into chunks, which are what is found and shown, and pieces, which are what is embedded.

A small embedder blurs a chunk of a thousand characters into one vector; over pieces of a third of that it is exact.
A piece belongs to every chunk that holds the most of it, so that text in which two chunks overlap is embedded once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby

from agentic import Json, Page

PIECE_SIZE = 300
"""Characters of a piece at most."""
_BREAK = "\f"
"""Stands between sections of a page while it is split: their ends are the first places where it may be cut."""
_SEPARATORS = (_BREAK, "\n\n", "\n", ". ", " ", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A part of a document. ``start`` and ``end`` are character offsets in its text, which is its pages' texts joined.

    ``page`` is 0 where the format has none; ``heading``: the headings above its beginning, the outermost first.
    """

    number: int
    text: str
    start: int
    end: int
    page: int = 0
    heading: tuple[str, ...] = ()

    def as_json(self) -> Json:
        """As it is stored."""
        return {"text": self.text, "start": self.start, "end": self.end, "page": self.page, "heading": [*self.heading]}

    @classmethod
    def from_json(cls, number: int, stored: Json) -> Chunk:
        """As ``as_json`` gave it."""
        return cls(number=number, **{**stored, "heading": tuple(stored["heading"])})


@dataclass(frozen=True, slots=True)
class Piece:
    """Text to embed, for the chunks ``numbers``, of which there is at least one."""

    text: str
    numbers: tuple[int, ...]


def split(pages: Sequence[Page], size: int, overlap: int) -> list[Chunk]:
    """The chunks, in order, without those that hold nothing but space. Slow for a long text: call it in a thread."""
    text = "".join(page.text for page in pages)
    starts = [0, *accumulate(len(page.text) for page in pages)]
    chunks: list[Chunk] = []
    for start, end in _spans(pages, size, overlap):
        page = pages[bisect_right(starts, start, hi=len(pages)) - 1]
        chunks.append(
            Chunk(
                number=len(chunks), text=text[start:end], start=start, end=end, page=page.number, heading=page.heading
            )
        )
    return chunks


def pieces(pages: Sequence[Page], chunks: Sequence[Chunk]) -> list[Piece]:
    """The pieces of a document that is cut into ``chunks``."""
    text = "".join(page.text for page in pages)
    found: list[Piece] = []
    first = 0
    for start, end in _spans(pages, PIECE_SIZE, 0):
        while first < len(chunks) - 1 and chunks[first].end <= start:
            first += 1
        shared: dict[int, int] = {}
        for chunk in chunks[first:]:
            if chunk.start >= end:
                break
            shared[chunk.number] = min(end, chunk.end) - max(start, chunk.start)
        enough = min(max(shared.values(), default=0), (end - start) / 2)
        found.append(Piece(text[start:end], tuple(number for number, part in shared.items() if part >= enough)))
    missed = {chunk.number for chunk in chunks}.difference(*(piece.numbers for piece in found))
    return found + [Piece(chunk.text, (chunk.number,)) for chunk in chunks if chunk.number in missed]


def _spans(pages: Sequence[Page], size: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Where the parts of the joined text begin and end. None reaches over the end of a page with a number."""
    from langchain_text_splitters import RecursiveCharacterTextSplitter

    splitter = RecursiveCharacterTextSplitter(
        chunk_size=size, chunk_overlap=overlap, separators=[*_SEPARATORS], keep_separator="end", add_start_index=True
    )
    before = 0
    for _, group in groupby(pages, key=lambda page: page.number):
        texts = [page.text for page in group]
        joined = _BREAK.join(text.replace(_BREAK, " ") for text in texts)
        breaks = [place for place, character in enumerate(joined) if character == _BREAK]
        for part in splitter.create_documents([joined]):
            start = int(part.metadata["start_index"])
            end = start + len(part.page_content)
            yield before + start - bisect_right(breaks, start), before + end - bisect_right(breaks, end - 1)
        before += sum(map(len, texts))
