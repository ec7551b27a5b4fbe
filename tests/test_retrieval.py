"""Retrieval as it is installed: the embedder inside the process, vectors in FAISS, full text in SQLite."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentic import Document, Embedder, Page, Tool, ToolError
from agentic.catalog.catalog import Catalog
from agentic.catalog.load import load
from agentic.catalog.settings import read_settings
from agentic.testing.space import FakeSpace
from agentic.testing.tool import FakeContext, call

TEXTS = {
    "lease.txt": (
        "The rent is due on the third working day of each month and is paid to the landlord's account.",
        "Pets may be kept after the landlord has agreed in writing. Fish and small birds need no consent.",
        "Either side may end the lease with three months' notice to the end of a quarter.",
    ),
    "manual.txt": (
        "To reset the coffee machine, hold the red button for ten seconds until the lamp blinks twice.",
        "Remove limescale every two months: fill the tank with vinegar and water and start the cleaning programme.",
        "The guarantee covers faults of material for two years, but no damage by limescale.",
    ),
    "minutes.txt": (
        "The board decided to move the office to Leipzig in the spring, by four votes to one.",
        "Ms Okafor reported that the budget for travel was exceeded by eleven per cent.",
    ),
}
QUESTIONS = {
    "When do I have to pay for the flat?": ("lease.txt", "third working day"),
    "Am I allowed to have a goldfish?": ("lease.txt", "Fish and small birds"),
    "How do I get the espresso maker back to its initial state?": ("manual.txt", "hold the red button"),
    "Will they repair it for free if chalk has built up?": ("manual.txt", "no damage by limescale"),
    "What town will the office move to?": ("minutes.txt", "Leipzig"),
    "Who spoke about overspending on trips?": ("minutes.txt", "Ms Okafor"),
}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return load(read_settings(data_dir=tmp_path))


@pytest.fixture
def tool(catalog: Catalog) -> Tool:
    return catalog.tools()["rag_retrieval"]


async def _embedder(catalog: Catalog) -> Embedder:
    for provider in catalog.embedders().values():
        found = await provider.resolve("") if provider.local else None
        if found is not None:
            return found
    raise AssertionError("no embedder inside the process is installed")


@pytest.fixture
async def space(catalog: Catalog) -> AsyncIterator[FakeSpace]:
    space = FakeSpace(embedder=await _embedder(catalog))
    space.vector_store = catalog.choose("vector_store", "faiss", "VECTOR_DB_TYPE")
    space.text_index = catalog.choose("text_index", "sqlite", "TEXT_INDEX")
    indexer = catalog.choose("indexer", "rag", "INDEXER")
    for name, parts in TEXTS.items():
        pages = [Page(f"{part}\n", number=number) for number, part in enumerate(parts, 1)]
        size = sum(map(len, parts))
        document = Document(id=name, name=name, size=size, media_type="text/plain", status="indexing", created_at=1.0)
        await indexer.index(document, pages, space, lambda done: None)
    yield space
    await space.vector_store.aclose()
    await space.text_index.aclose()


async def test_questions_in_other_words_find_the_passage_that_answers(space: FakeSpace, tool: Tool) -> None:
    for question, (document, words) in QUESTIONS.items():
        result = await call(tool, {"query": question}, FakeContext(space=space))
        assert document in [citation.title for citation in result.citations[:2]], question
        assert words in result.content, question


async def test_what_no_document_treats_is_said_to_be_in_none(space: FakeSpace, tool: Tool) -> None:
    for question in ("How far is Mars from the sun?", "Who painted the Mona Lisa?", "How do I knit socks?"):
        result = await call(tool, {"query": question}, FakeContext(space=space))
        assert result.content.startswith("Nothing was found"), question
        assert result.citations == ()


async def test_after_another_embedder_was_chosen_nothing_is_mixed(space: FakeSpace, tool: Tool) -> None:
    space.current_embedder = FakeSpace().current_embedder
    with pytest.raises(ToolError, match=r"3 of 3 documents .*all-MiniLM-L6-v2-int8.* Run: agentic documents reindex"):
        await call(tool, {"query": "rent"}, FakeContext(space=space))
