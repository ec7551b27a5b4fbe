"""What is kept of a document: a record in its user's storage, the file and the pages in the store of files.

``documents/{id}`` holds the record, ``uploads/{id}_{name}`` the file as it came, ``pages/{id}`` what its reader found.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agentic.errors import NotFound, StorageError
from agentic.messages import Json
from agentic.ports.documents import Document
from agentic.ports.storage import StorageBackend, Stored

PREFIX = "documents/"
FILES = "uploads/"
PAGES = "pages/"
ID = re.compile(r"doc_[0-9a-f]{24}")
_LATEST_MS = (1 << 48) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A document as it is kept.

    ``pages``: how many its reader found; ``pieces``: by indexer, in how many the document is indexed; ``indexed_at``:
    wall time of the last time that it was. ``version`` is that of the stored record.
    """

    document: Document
    pages: int = 0
    pieces: Mapping[str, int] = field(default_factory=dict)
    indexed_at: float = 0.0
    version: int = 0

    def changed(self, **changes: Any) -> Record:
        """The record with these fields of its document in place of what they were."""
        return replace(self, document=replace(self.document, **changes))


def new_id() -> str:
    """An id that no document has. In key order the newest comes first, so that the newest are one page to read."""
    return f"doc_{_LATEST_MS - int(time.time() * 1000):012x}{secrets.token_hex(6)}"


def record_key(document_id: str) -> str:
    """Where the record lies. Raises NotFound for what is no document's id."""
    if not ID.fullmatch(document_id):
        raise unknown()
    return f"{PREFIX}{document_id}"


def file_key(document_id: str, name: str) -> str:
    """Where the file lies; ``name`` is one that :func:`agentic.runtime.files.file_name` has made."""
    return f"{FILES}{document_id}_{name}"


def pages_key(document_id: str) -> str:
    """Where the pages lie."""
    return f"{PAGES}{document_id}"


def unknown() -> NotFound:
    """The answer for a document that is not there, or is somebody else's."""
    return NotFound("There is no such document.")


async def find(storage: StorageBackend, document_id: str) -> Record:
    """The record in a user's storage. Raises NotFound."""
    stored = await storage.load(record_key(document_id))
    if stored is None:
        raise unknown()
    return from_stored(stored)


async def save(storage: StorageBackend, record: Record) -> Record:
    """Write the record if it is still of its version, 0 for a new one. Raises Conflict."""
    key = record_key(record.document.id)
    return replace(record, version=await storage.save(key, _to_json(record), if_version=record.version))


def from_stored(stored: Stored) -> Record:
    """The record in a stored document. Raises StorageError for what is none: people may edit some storages."""
    document_id = stored.key.removeprefix(PREFIX)
    try:
        value = dict(stored.value)
        own = {name: value.pop(name) for name in ("pages", "pieces", "indexed_at")}
        document = Document(id=document_id, **value)
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"The record of the document {document_id} is damaged.") from error
    return Record(document=document, version=stored.version, **own)


def _to_json(record: Record) -> Json:
    fields = (name for name in Document.__slots__ if name != "id")
    told = {name: getattr(record.document, name) for name in fields}
    return {**told, "pages": record.pages, "pieces": dict(record.pieces), "indexed_at": record.indexed_at}
