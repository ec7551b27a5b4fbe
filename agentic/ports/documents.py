"""Ports: a user's documents, the readers that take them apart, and the indexers that are told of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from agentic.events import Citation

if TYPE_CHECKING:
    from agentic.ports.space import Space

DocumentStatus = Literal["indexing", "ready", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """An uploaded document. ``media_type`` is told by its content; ``progress`` goes from 0 to 1.

    ``error`` says, where ``status`` is failed, what is wrong and what to do; ``chunks``: in how many pieces it is
    indexed; ``created_at``: wall time in seconds.
    """

    id: str
    name: str
    size: int
    media_type: str
    status: DocumentStatus
    created_at: float
    error: str = ""
    progress: float = 0.0
    chunks: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a document's text as its reader found it, in order.

    ``number``: the page, from 1, or 0 where the format has none; ``heading``: the headings above its beginning, the
    outermost first. The text of a document is the texts of its pages, one after another.
    """

    text: str
    number: int = 0
    heading: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A part of a document that answers a query; a higher ``score`` is better, and comparable within one search.

    ``start`` and ``end`` are character offsets in the document's text; ``page`` and ``heading`` are of its beginning,
    as in :class:`Page`. ``citation`` is how an answer names it.
    """

    document_id: str
    text: str
    score: float
    page: int = 0
    heading: tuple[str, ...] = ()
    start: int
    end: int
    citation: Citation


class DocumentReader(Protocol):
    """Takes documents of some media types apart. Runs in a worker process that may be killed.

    The process makes its own instance, without arguments, from the class's module and name, and its own ``read`` is
    bounded in time, memory and output; so the class lies at the top of its module and keeps nothing between documents.
    """

    name: str
    media_types: tuple[str, ...]
    rank: int = 0

    def recognise(self, head: bytes, name: str) -> str | None:
        """The media type, one of ``media_types``, if these first bytes (up to 64 KiB) are of it; else None.

        The content decides; ``name``, the file's, settles only what content leaves open, such as Markdown or plain
        text. Cheap, and called in the server: nothing is parsed here.
        """
        ...

    def read(self, path: Path) -> Iterator[Page]:
        """The document's pages. Raises ToolError with what is wrong, for the user: encrypted, damaged, without text."""
        ...


class Documents(Protocol):
    """One user's documents. Another's id raises NotFound, as one that does not exist does."""

    async def list(self, *, after: str | None = None, limit: int = 100) -> Sequence[Document]:
        """The documents, the newest first; ``after`` is the id of the last one seen."""
        ...

    async def get(self, document_id: str) -> Document:
        """One document. Raises NotFound."""
        ...

    def open(self, document_id: str, start: int = 0) -> AsyncIterator[bytes]:
        """The file as it was uploaded, in pieces. Raises NotFound at the first step."""
        ...

    async def pages(self, document_id: str) -> Sequence[Page]:
        """What its reader found in it. Raises NotFound, and Conflict while it is not read yet."""
        ...


class Indexer(Protocol):
    """Is told of documents, so that it can find things in them later. ``space`` is the user's, under its plugin.

    ``index`` and ``forget`` may be called again after a crash in their middle, and then do the same: ``index`` replaces
    what it had stored of the document, ``forget`` of an unknown one is no error.
    """

    name: str
    rank: int = 0

    async def index(
        self, document: Document, pages: Sequence[Page], space: Space, progress: Callable[[float], None]
    ) -> int:
        """Take in a document; in how many pieces. ``progress`` is told the part done, 0 to 1; told too seldom, it
        counts as hanging (INDEX_TIMEOUT).

        Raises ToolError with a reason for the user. ModelError and StorageError are waited out; any other is a bug, and
        it is tried three times in all. Cancelled, as by a deletion, it ends only when nothing of it goes on.
        """
        ...

    async def forget(self, document_id: str, space: Space) -> int:
        """Remove every trace of a document; how many pieces that were. Does not raise for one that is unknown.

        Here ``space.vectors()`` needs no embedder, whose server may be away.
        """
        ...

    async def search(
        self, query: str, space: Space, *, top_k: int = 5, documents: Sequence[str] | None = None
    ) -> Sequence[Passage]:
        """At most ``top_k`` passages that fit the query, the best first; none where nothing does.

        ``documents``: ids, of these alone; an empty sequence finds nothing. An indexer that finds things in another way
        leaves this as it is. Raises ToolError with a reason for the user.
        """
        return ()
