"""The tool ``list_documents``: what the user has uploaded, and how far it is."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from agentic import Document, Tool, ToolContext, ToolResult, Traits
from agentic_rag.examples import LISTING

_SHOWN = 100
_PAGE = 500


class Arguments(BaseModel):
    """It takes none."""

    model_config = ConfigDict(extra="forbid")


class ListDocumentsTool(Tool):
    """Lists the documents of the user who asks."""

    name = "list_documents"
    description = "List the user's uploaded documents: names, kinds, sizes, and whether they can be searched yet."
    args = Arguments
    traits = Traits(untrusted=True, examples=LISTING)

    async def run(self, args: Any, ctx: ToolContext) -> ToolResult:
        """One line a document, the newest first."""
        documents: list[Document] = []
        while page := await ctx.space.documents.list(after=documents[-1].id if documents else None, limit=_PAGE):
            documents += page
            if len(page) < _PAGE:
                break
        if not documents:
            return ToolResult("The user has uploaded no documents.")
        lines = [f"The user's documents: {len(documents)}, the newest first."]
        lines += [f"- {_line(document)}" for document in documents[:_SHOWN]]
        if len(documents) > _SHOWN:
            lines.append(f"… and {len(documents) - _SHOWN} older ones.")
        return ToolResult("\n".join(lines))


def _line(document: Document) -> str:
    """Name, kind, size and state, on one line whatever the name holds."""
    state = {
        "ready": f"ready, {document.chunks} chunks",
        "indexing": f"still being indexed, {document.progress:.0%} done",
        "failed": f"failed: {document.error}",
    }[document.status]
    return " ".join(f"{document.name} ({document.media_type}, {_size(document.size)}): {state}".split())


def _size(size: int) -> str:
    if size < 1000:
        return f"{size} bytes"
    return f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"
