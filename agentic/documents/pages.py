"""The pages of a document as they are kept: a line of JSON each, ``[number, headings, text]``."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from agentic.ports.blobs import BlobStore
from agentic.ports.documents import Page


def line_of(page: Page) -> bytes:
    """One page as a line. What no medium keeps, NUL characters and halves of pairs, is left out."""
    return json.dumps([page.number, [_clean(one) for one in page.heading], _clean(page.text)]).encode() + b"\n"


async def load_pages(blobs: BlobStore, key: str) -> Sequence[Page]:
    """The pages kept under a key. Raises NotFound."""
    pieces = [piece async for piece in blobs.open(key)]
    # Thousands of pages would hold up everybody else's answers.
    return await asyncio.to_thread(_pages, pieces)


def _pages(pieces: Sequence[bytes]) -> Sequence[Page]:
    kept = map(json.loads, b"".join(pieces).splitlines())
    return tuple(Page(text, number, tuple(heading)) for number, heading, text in kept)


def _clean(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
