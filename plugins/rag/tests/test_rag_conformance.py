"""The tools of rag owe what every tool owes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from agentic import Json, Tool, ToolContext
from agentic.testing.space import FakeSpace
from agentic.testing.tool import FakeContext, ToolConformance
from agentic_rag.indexer import RagIndexer
from agentic_rag.listing_tool import ListDocumentsTool
from agentic_rag.retrieval_tool import RagRetrievalTool


@pytest.fixture
async def context(space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any]) -> ToolContext:
    contract = document("contract.txt", "The notice period is three months to the end of a quarter.")
    manual = document("manual.txt", "Hold the red button for ten seconds to reset the device.")
    for made, pages in (contract, manual):
        await indexer.index(made, pages, space, lambda done: None)
    return FakeContext(space=space)


class TestRagRetrieval(ToolConformance):
    @pytest.fixture
    def tool(self) -> Tool:
        return RagRetrievalTool()

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [
            {"query": "How long is the notice period?"},
            {"query": "reset the device", "documents": ["manual.txt"]},
        ]

    @pytest.fixture
    def context(self, context: ToolContext) -> ToolContext:
        return context


class TestListDocuments(ToolConformance):
    @pytest.fixture
    def tool(self) -> Tool:
        return ListDocumentsTool()

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [{}]

    @pytest.fixture
    def context(self, context: ToolContext) -> ToolContext:
        return context
