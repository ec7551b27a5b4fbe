"""``/api/files``: a user's documents, uploaded, listed, served, searched and deleted."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from agentic.documents.library import Library
from agentic.errors import AgenticError, NotFound, PayloadTooLarge
from agentic.messages import Json, dump
from agentic.ports.documents import Document, DocumentStatus, Passage
from agentic.ports.space import Principal
from agentic.server.multipart import Form
from agentic.server.ranges import kept_file

logger = logging.getLogger(__name__)

BESIDE = 100_000
"""Bytes that the form of an upload may hold beside the file: its frame, and fields that nobody reads."""
INLINE = {"application/pdf", "text/plain"}
"""Types that browsers show without running anything that is in them; all others are downloaded."""

router = APIRouter(prefix="/api/files", tags=["documents"])

UPLOAD_SCHEMA = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                }
            }
        },
    }
}


class Search(BaseModel):
    """What is looked for; ``documents``: ids, in these alone."""

    model_config = ConfigDict(extra="forbid")

    query: Annotated[str, Field(min_length=1, max_length=10_000)]
    top_k: Annotated[int, Field(ge=1, le=50)] = 5
    documents: Annotated[list[str], Field(max_length=1000)] | None = None


@router.post("/upload", openapi_extra=UPLOAD_SCHEMA)
async def upload(
    request: Request, wait: Annotated[bool, Query(description="Answer when it was tried to take the file in")] = False
) -> Response:
    """Upload a document as multipart/form-data, in the field ``file``; it is taken in afterwards."""
    library, principal = _library(request), request.state.principal
    body = Body(request, int(library.max_upload_mb * 1_000_000) + BESIDE)
    try:
        form = Form(request.headers.get("content-type", ""), body.pieces())
        await form.begin()
        document = await library.add(principal, form.name, _admitted_to_its_end(form, request.state.admitted))
    except ClientDisconnect:
        logger.info("[Files] Upload cut off by its client")
        return Response(status_code=400)
    except AgenticError:
        await body.drain()
        raise
    if wait:
        document = await library.settled(principal, document.id)
    told = {"file_id": document.id, "doc_id": document.id, "filename": document.name, "size": document.size}
    return _answer({**told, "status": document.status, **({"error": document.error} if document.error else {})})


@router.get("/documents")
async def documents_page(
    request: Request,
    *,
    page: Annotated[int, Query(ge=1)] = 1,
    page_size: Annotated[int, Query(ge=1, le=200)] = 20,
    sort: Annotated[Literal["created_at", "name", "size", "status"], Query()] = "created_at",
    order: Annotated[Literal["asc", "desc"] | None, Query(description="desc by date, asc by all else")] = None,
    name: Annotated[str | None, Query(max_length=200, description="Part of the file's name")] = None,
    status: Annotated[DocumentStatus | None, Query()] = None,
) -> Response:
    """The caller's documents, a page of them, with the ``total`` of all that were asked for."""
    records = await _library(request).shelf(request.state.principal).records()
    found = [one.document for one in records if _fits(one.document, name, status)]
    is_backward = order == "desc" if order else sort == "created_at"
    found.sort(key=lambda one: _sort_key(one, sort), reverse=is_backward)
    shown = [shown_document(one) for one in found[(page - 1) * page_size : page * page_size]]
    return _answer({"documents": shown, "page": page, "page_size": page_size, "total": len(found)})


@router.get("/documents/{file_id}")
async def get_document(request: Request, file_id: str) -> Response:
    """One document, and how far it is taken in: ``status`` is indexing, ready or failed, with the reason."""
    return _answer(shown_document(await _library(request).shelf(request.state.principal).get(file_id)))


@router.head("/documents/{file_id}/content", include_in_schema=False)
@router.get("/documents/{file_id}/content")
async def get_content(request: Request, file_id: str) -> Response:
    """The file as it was uploaded, or a Range of it: PDF and plain text to be shown, the rest to be downloaded."""
    shelf = _library(request).shelf(request.state.principal)
    document = await shelf.get(file_id)
    place = "inline" if document.media_type in INLINE else "attachment"
    headers = {
        # FastAPI would take text to be UTF-8, which this need not be.
        "Content-Type": document.media_type if place == "inline" else "application/octet-stream",
        "Content-Disposition": f"{place}; filename*=UTF-8''{quote(document.name, safe='')}",
    }
    return await kept_file(request, partial(shelf.open, file_id), document.size, headers)


@router.delete("/documents/{file_id}")
async def delete_document(request: Request, file_id: str) -> Response:
    """Delete a document in whatever state it is, with its index, and say what was removed."""
    receipt = await _library(request).delete(request.state.principal, file_id)
    removed = {"bytes": receipt.bytes, "pages": receipt.pages, "chunks": receipt.chunks, "indexers": receipt.indexers}
    removed |= {"notes": receipt.notes} if receipt.notes else {}
    return _answer({"file_id": file_id, "doc_id": file_id, "filename": receipt.name, "removed": removed})


@router.post("/search")
async def search_documents(request: Request, body: Search) -> Response:
    """The passages of the caller's documents that fit a query best, without a model."""
    library, principal = _library(request), request.state.principal
    found = await library.search(principal, body.query, top_k=body.top_k, documents=body.documents)
    shelf = library.shelf(principal)
    names: dict[str, str] = {}
    for document_id in {passage.document_id for passage in found}:
        # One that was deleted since it was found is not shown.
        with contextlib.suppress(NotFound):
            names[document_id] = (await shelf.get(document_id)).name
    shown = [shown_passage(one, names[one.document_id]) for one in found if one.document_id in names]
    return _answer({"passages": shown})


async def _admitted_to_its_end(form: Form, admitted: Callable[[], Awaitable[Principal]]) -> AsyncIterator[bytes]:
    """The file of a form. Raises what ``admitted`` raises when it has come, which may be hours after it began."""
    async for piece in form.file():
        yield piece
    await admitted()


class Body:
    """A request's body in pieces, and its rest read away: a client that still sends would not see the answer."""

    def __init__(self, request: Request, most: int) -> None:
        self._stream = request.stream()
        self._most = most
        self._read = 0
        told = request.headers.get("content-length", "0")
        if told.isdigit() and int(told) > most:
            raise self._too_large()

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body. Raises PayloadTooLarge, ClientDisconnect."""
        async for piece in self._stream:
            self._read += len(piece)
            if self._read > self._most:
                raise self._too_large()
            yield piece

    async def drain(self) -> None:
        """Read the rest, as far as a body that may be sent goes."""
        try:
            async for piece in self._stream:
                self._read += len(piece)
                if self._read > self._most:
                    return
        except ClientDisconnect:
            logger.info("[Files] Refused upload cut off by its client")

    def _too_large(self) -> PayloadTooLarge:
        most_mb = (self._most - BESIDE) / 1_000_000
        return PayloadTooLarge(f"The upload is larger than {most_mb:g} MB (MAX_UPLOAD_MB).", param="file")


def shown_document(document: Document) -> Json:
    """A document as the API tells it."""
    ids = {"file_id": document.id, "doc_id": document.id, "filename": document.name}
    fields = ("size", "media_type", "status", "error", "progress", "chunks", "created_at")
    return {**ids, **{field: getattr(document, field) for field in fields}}


def shown_passage(passage: Passage, name: str) -> Json:
    """A passage of the document of this name as the API tells it."""
    fields = ("text", "score", "page", "heading", "start", "end")
    told = {field: getattr(passage, field) for field in fields}
    citation = {"url": passage.citation.url, "title": passage.citation.title}
    return {"file_id": passage.document_id, "filename": name, **told, "citation": citation}


def _fits(document: Document, name: str | None, status: DocumentStatus | None) -> bool:
    is_named = name is None or name.casefold() in document.name.casefold()
    return is_named and status in (None, document.status)


def _sort_key(document: Document, sort: str) -> tuple[Any, str]:
    value = getattr(document, sort)
    return (value.casefold() if isinstance(value, str) else value, document.id)


def _library(request: Request) -> Library:
    library: Library = request.app.state.kernel.documents
    return library


def _answer(body: Json) -> Response:
    """What readers found may be more than FastAPI's own encoder can write."""
    return Response(dump(body), media_type="application/json")
