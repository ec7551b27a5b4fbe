"""Taking documents in and removing them: whole or not at all, again and again, and for one embedder alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest

from agentic import ModelError, ModelUnavailable, Page, StorageError, ToolError
from agentic.testing.memory_indexes import MemoryTexts, WordEmbedder
from agentic.testing.space import FakeSpace
from agentic_rag import batching
from agentic_rag.batching import BATCH, EmbeddingQueue
from agentic_rag.indexer import RagIndexer
from agentic_rag.records import Records
from agentic_rag.settings import Settings


def quiet(done: float) -> None:
    """Nobody listens."""


class WatchedEmbedder(WordEmbedder):
    """Keeps the size of each call, refuses texts that hold ``poison``, and waits where it is told to."""

    def __init__(self, model_id: str = "words") -> None:
        super().__init__(model_id)
        self.calls: list[int] = []
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
        self.calls.append(len(texts))
        self.called.set()
        await self.gate.wait()
        if any("poison" in text for text in texts):
            raise ModelUnavailable("It choked.")
        return await super().embed(texts, kind)


async def test_indexing_tells_its_progress_from_beginning_to_end(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any]
) -> None:
    told: list[float] = []
    made, pages = document("long.txt", " ".join(f"word{number}" for number in range(9000)))
    count = await indexer.index(made, pages, space, told.append)
    assert count > 50
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.02, 1)
    assert len(told) > 4


async def test_a_document_without_text_is_refused_and_leaves_nothing(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any]
) -> None:
    made, pages = document("empty.txt", " \n ")
    with pytest.raises(ToolError, match="There is no text in it to be found"):
        await indexer.index(made, pages, space, quiet)
    assert await Records(space.storage).all() == []


async def test_indexing_again_replaces_what_there_was(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any]
) -> None:
    made, pages = document("a.txt", *(f"Old ferns {number}. " * 60 for number in range(5)))
    await indexer.index(made, pages, space, quiet)
    made, pages = document("a.txt", "New mosses grow here.")
    assert await indexer.index(made, pages, space, quiet) == 1
    assert [passage.text for passage in await indexer.search("ferns mosses", space)] == ["New mosses grow here."]
    assert await space.texts().delete(made.id) == 1


async def test_forgetting_removes_every_trace_and_counts_the_chunks(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any]
) -> None:
    made, pages = document("a.txt", "Ferns need water. " * 200)
    other, others = document("b.txt", "Mosses need shade.")
    count = await indexer.index(made, pages, space, quiet)
    await indexer.index(other, others, space, quiet)
    assert await indexer.forget(made.id, space) == count
    assert [passage.document_id for passage in await indexer.search("ferns water", space)] == [other.id]
    assert list(await (await space.vectors()).documents()) == list(await space.texts().documents()) == [other.id]
    assert await space.storage.read(f"documents/{made.id}") == []
    assert await indexer.forget(made.id, space) == await indexer.forget("never-seen", space) == 0


async def test_a_failure_in_the_middle_leaves_a_document_that_is_not_found_until_it_is_indexed_again(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made, pages = document("a.txt", "Ferns need water.")

    async def full(self: object, doc_id: str, texts: Sequence[str]) -> None:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(MemoryTexts, "add", full)
        with pytest.raises(StorageError, match="The disk is full"):
            await indexer.index(made, pages, space, quiet)
    assert await indexer.search("ferns", space) == ()
    await indexer.index(made, pages, space, quiet)
    assert [passage.text for passage in await indexer.search("ferns", space)] == ["Ferns need water."]


async def test_what_there_was_is_found_until_all_is_embedded(space: FakeSpace, document: Callable[..., Any]) -> None:
    embedder = WatchedEmbedder()
    space.current_embedder = embedder
    indexer = RagIndexer(Settings())
    made, pages = document("a.txt", "Ferns need water.")
    await indexer.index(made, pages, space, quiet)
    made, pages = document("a.txt", "A poison for ferns.")
    with pytest.raises(ModelUnavailable):
        await indexer.index(made, pages, space, quiet)
    assert [passage.text for passage in await indexer.search("ferns", space)] == ["Ferns need water."]


async def test_after_the_embedder_changed_search_is_refused_until_all_is_indexed_anew(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any]
) -> None:
    documents = [document("a.txt", "Ferns need water."), document("b.txt", "Mosses need water.")]
    for made, pages in documents:
        await indexer.index(made, pages, space, quiet)
    space.current_embedder = WordEmbedder("other", dimensions=64)
    with pytest.raises(ToolError, match=r"2 of 2 documents .* embedder words, .* stands for other.*documents reindex"):
        await indexer.search("water", space)
    await indexer.index(*documents[0], space, quiet)
    with pytest.raises(ToolError, match="1 of 2 documents"):
        await indexer.search("water", space)
    with pytest.raises(ToolError, match="1 of 2 documents"):
        await indexer.search("water", space, documents=[documents[0][0].id])
    await indexer.index(*documents[1], space, quiet)
    assert len(await indexer.search("water", space)) == 2


async def test_after_the_store_changed_search_is_refused_and_not_empty(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any]
) -> None:
    made, pages = document("a.txt", "Ferns need water.")
    await indexer.index(made, pages, space, quiet)
    space.vector_store = FakeSpace().vector_store
    with pytest.raises(ToolError, match=r"1 of 1 documents are not in the indexes .* Run: agentic documents reindex"):
        await indexer.search("water", space)


async def test_a_document_that_goes_while_one_searches_is_left_out(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.txt", "b.txt"):
        await indexer.index(*document(name, f"Ferns of {name} need water."), space, quiet)
    search = MemoryTexts.search

    async def search_and_remove(self: MemoryTexts, *args: Any) -> Any:
        hits = await search(self, *args)
        await Records(space.storage).forget("id-a.txt")
        return hits

    monkeypatch.setattr(MemoryTexts, "search", search_and_remove)
    assert [passage.document_id for passage in await indexer.search("ferns", space)] == ["id-b.txt"]


async def test_odd_queries_find_something_or_nothing_but_do_not_fail(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any]
) -> None:
    await indexer.index(*document("a.txt", "Ferns need water."), space, quiet)
    for query in ("", " ", "\x00", "ferns" * 5000, '"; DROP TABLE', "🌿", "\ud800"):
        assert len(await indexer.search(query, space)) <= 1
    assert await indexer.search("ferns", space, top_k=0) == ()
    assert await indexer.search("ferns", space, documents=[]) == ()
    assert await indexer.search("ferns", space, documents=["of somebody else"]) == ()


async def test_hits_that_touch_are_one_passage_and_it_is_not_endless(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any]
) -> None:
    text = " ".join(f"ferns{number % 7} water" for number in range(1000))
    await indexer.index(*document("a.txt", text), space, quiet)
    found = await indexer.search("water", space, top_k=2)
    assert len(found) == 2
    for passage in found:
        assert passage.text == text[passage.start : passage.end]
        assert len(passage.text) <= 3000
    assert max(len(passage.text) for passage in found) > 1000


async def test_pieces_of_several_documents_share_a_call() -> None:
    embedder, queue = WatchedEmbedder(), EmbeddingQueue()
    embedder.gate.clear()
    first = asyncio.create_task(queue.embed(embedder, ["one"], quiet))
    await embedder.called.wait()
    others = [asyncio.create_task(queue.embed(embedder, [f"text {n}" for n in range(9)], quiet)) for _ in range(8)]
    await asyncio.sleep(0)
    embedder.gate.set()
    rows = await asyncio.gather(first, *others)
    assert [len(part) for part in rows] == [1, *[9] * 8]
    assert embedder.calls == [1, BATCH, 8]
    expected = await WordEmbedder().embed([f"text {n}" for n in range(9)], "passage")
    assert all((part == expected).all() for part in rows[1:])


async def test_a_short_document_does_not_wait_for_the_whole_of_a_long_one() -> None:
    embedder, queue = WatchedEmbedder(), EmbeddingQueue()
    long = asyncio.create_task(queue.embed(embedder, ["long"] * (BATCH * 20), quiet))
    await asyncio.sleep(0)
    await queue.embed(embedder, ["short"], quiet)
    assert not long.done()
    assert len(await long) == BATCH * 20


async def test_a_text_that_cannot_be_embedded_spoils_its_own_document_alone() -> None:
    embedder, queue = WatchedEmbedder(), EmbeddingQueue()
    good, bad = await asyncio.gather(
        queue.embed(embedder, ["good"] * 5, quiet),
        queue.embed(embedder, ["fine", "poison"], quiet),
        return_exceptions=True,
    )
    assert len(good) == 5
    assert isinstance(bad, ModelUnavailable)
    assert len(await queue.embed(embedder, ["later"], quiet)) == 1


async def test_an_embedder_that_gives_too_few_vectors_is_an_error_and_no_endless_wait() -> None:
    class Lossy(WordEmbedder):
        async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
            return (await super().embed(texts, kind))[1:]

    with pytest.raises(ModelError, match="The embedder words gave 2 vectors for 3 texts"):
        await EmbeddingQueue().embed(Lossy(), ["a", "b", "c"], quiet)


async def test_an_embedder_that_hangs_fails_what_waits_for_it_and_holds_up_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also one that does not heed that it is cancelled."""
    monkeypatch.setattr(batching, "LONGEST_CALL_S", 0.2)
    released = asyncio.Event()

    class Hanging(WordEmbedder):
        async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> Any:
            while "hang" in texts and not released.is_set():
                with contextlib.suppress(asyncio.CancelledError):
                    await released.wait()
            return await super().embed(texts, kind)

    embedder, queue = Hanging(), EmbeddingQueue()
    both = [asyncio.create_task(queue.embed(embedder, [text] * (BATCH // 2), quiet)) for text in ("hang", "beside")]
    await asyncio.sleep(0)
    behind = asyncio.create_task(queue.embed(embedder, ["behind"], quiet))
    for hung in both:
        with pytest.raises(ModelUnavailable, match="gave no answer for 0 seconds"):
            await hung
    assert len(await behind) == 1
    released.set()


async def test_a_listener_that_fails_spoils_its_own_document_alone() -> None:
    embedder, queue = WatchedEmbedder(), EmbeddingQueue()

    def fails(done: float) -> None:
        raise RuntimeError("the disk of the listener is full")

    bad, good = await asyncio.gather(
        queue.embed(embedder, ["a"], fails), queue.embed(embedder, ["b"], quiet), return_exceptions=True
    )
    assert isinstance(bad, RuntimeError)
    assert len(good) == 1


async def test_what_is_cancelled_is_embedded_no_further() -> None:
    embedder, queue = WatchedEmbedder(), EmbeddingQueue()
    embedder.gate.clear()
    long = asyncio.create_task(queue.embed(embedder, ["long"] * (BATCH * 50), quiet))
    await embedder.called.wait()
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    embedder.gate.set()
    assert len(await queue.embed(embedder, ["next"], quiet)) == 1
    assert len(embedder.calls) <= 3


async def test_texts_of_two_embedders_are_never_in_one_call() -> None:
    one, other, queue = WatchedEmbedder("one"), WatchedEmbedder("other"), EmbeddingQueue()
    await asyncio.gather(queue.embed(one, ["a"] * 3, quiet), queue.embed(other, ["b"] * 4, quiet))
    assert (one.calls, other.calls) == ([3], [4])


async def test_a_passage_does_not_reach_over_the_end_of_a_page(
    space: FakeSpace, indexer: RagIndexer, document: Callable[..., Any]
) -> None:
    pages = [Page("ferns and water " * 55, number=number) for number in (1, 2, 3)]
    await indexer.index(*document("a.pdf", *pages), space, quiet)
    found = await indexer.search("water", space)
    assert {(passage.page, passage.citation.url.rpartition("=")[2]) for passage in found} == {
        (1, "1"),
        (2, "2"),
        (3, "3"),
    }
