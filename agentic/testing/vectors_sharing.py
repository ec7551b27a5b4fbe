"""The part of the kit for vectors about many at once, several processes, crashes, and what a deletion leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentic.ports.vectors import Vectors, VectorStore
from agentic.testing.killed_writers import KilledWriter, files_with

Reopen = Callable[[], VectorStore] | None
DIMENSIONS = 16
ROWS = 50
WRITER = """
import asyncio
import numpy

async def write():
    vectors = store.collection("s", embedder="words", dimensions=16)
    rows = numpy.eye(16, dtype=numpy.float32)[numpy.arange(50) % 16]
    version = 0
    while True:
        version += 1
        await vectors.add("doc", range(version * 50, version * 50 + 50), rows)
        print(version, flush=True)

def write_for_ever():
    asyncio.run(write())

"""


class SharedVectorConformance:
    """What holds while others read and write. :class:`agentic.testing.vectors.VectorStoreConformance` includes it."""

    async def test_concurrent_work_loses_nothing(self, store: VectorStore) -> None:
        vectors = _bound(store)

        async def work(worker: int) -> None:
            for step in range(4):
                await vectors.add(f"doc{worker}", range(step + 1), _rows(step + 1))
                hits = await vectors.search(_rows(1)[0], 20, [f"doc{worker}"])
                assert sorted(hit.number for hit in hits) == list(range(step + 1))
            if worker % 2:
                assert await vectors.delete(f"doc{worker}") == 4

        await asyncio.gather(*(work(worker) for worker in range(12)))
        assert sorted(await vectors.documents()) == sorted(f"doc{worker}" for worker in range(0, 12, 2))
        assert len(await vectors.search(_rows(1)[0], 100)) == 6 * 4

    async def test_search_meanwhile_sees_the_old_rows_or_the_new(self, store: VectorStore) -> None:
        vectors = _bound(store)
        await vectors.add("doc", range(ROWS), _rows(ROWS))

        async def replace() -> None:
            for version in range(1, 6):
                await vectors.add("doc", range(version * ROWS, (version + 1) * ROWS), _rows(ROWS))

        replacing = asyncio.create_task(replace())
        while not replacing.done():
            await asyncio.sleep(0)
            assert len(await _versions(vectors)) == 1
        await replacing
        assert await _versions(vectors) == {5}

    async def test_cancelled_add_leaves_the_old_rows_or_the_new(self, store: VectorStore) -> None:
        vectors = _bound(store)
        await vectors.add("doc", range(ROWS), _rows(ROWS))
        for version in range(1, 6):
            adding = asyncio.create_task(vectors.add("doc", range(version * ROWS, (version + 1) * ROWS), _rows(ROWS)))
            for _ in range(version):
                await asyncio.sleep(0)
            adding.cancel()
            await asyncio.gather(adding, return_exceptions=True)
            assert len(await _versions(vectors)) == 1
        await vectors.add("doc", range(9 * ROWS, 10 * ROWS), _rows(ROWS))
        assert await _versions(vectors) == {9}

    async def test_changes_made_elsewhere_are_seen(self, store: VectorStore, reopen: Reopen) -> None:
        if reopen is None:
            pytest.skip("the fixture `reopen` is not given")
        elsewhere = reopen()
        try:
            here, there = _bound(store), _bound(elsewhere)
            await here.add("doc", [0], _rows(1))
            await here.add("gone", [0], _rows(1))
            assert len(await there.search(_rows(1)[0], 9)) == len(await here.search(_rows(1)[0], 9)) == 2
            for number in range(1, 6):
                await there.add("doc", [number], _rows(1))
                assert [hit.number for hit in await here.search(_rows(1)[0], 9, ["doc"])] == [number]
                await here.add("doc", [-number % 100], _rows(1))
                assert [hit.number for hit in await there.search(_rows(1)[0], 9, ["doc"])] == [-number % 100]
            await there.delete("gone")
            assert [hit.doc_id for hit in await here.search(_rows(1)[0], 9)] == ["doc"]
            assert dict(await here.documents()) == {"doc": "words"}
            assert await elsewhere.drop("s") == 1
            assert list(await here.search(_rows(1)[0], 9)) == []
            assert list(await store.scopes()) == []
            await here.add("doc", [7], _rows(1))
            assert [hit.number for hit in await there.search(_rows(1)[0], 9)] == [7]
        finally:
            await elsewhere.aclose()

    async def test_reopened_store_has_kept_everything(self, store: VectorStore, reopen: Reopen) -> None:
        if reopen is None:
            pytest.skip("the fixture `reopen` is not given")
        await asyncio.gather(*(_bound(store).add(f"doc{n}", [n], _rows(1)) for n in range(10)))
        await _bound(store).delete("doc3")
        await store.aclose()
        reopened = reopen()
        try:
            assert list(await reopened.scopes()) == ["s"]
            assert sorted(await _bound(reopened).documents()) == sorted(f"doc{n}" for n in range(10) if n != 3)
            hits = await _bound(reopened).search(_rows(1)[0], 100)
            assert sorted(hit.number for hit in hits) == [n for n in range(10) if n != 3]
        finally:
            await reopened.aclose()

    async def test_killed_in_the_middle_of_writing_it_has_the_old_rows_or_the_new(
        self, store: VectorStore, program: str | None
    ) -> None:
        if program is None:
            pytest.skip("the fixture `program` is not given")
        async with KilledWriter(program + WRITER) as writer:
            for rounds in (1, 2, 4, 8, 16):
                kept = await writer.killed(rounds)
                [version] = await _versions(_bound(store))
                assert kept <= version <= kept + 1
                assert dict(await _bound(store).documents()) == {"doc": "words"}
                assert await _bound(store).delete("doc") == ROWS

    async def test_deleted_is_gone_from_every_file(self, store: VectorStore, folder: Path | None) -> None:
        if folder is None:
            pytest.skip("the fixture `folder` is not given")
        vectors, array = _bound(store), _random(40)
        for name in ("stays", "marked-document", "marked-again"):
            await vectors.add(name, range(40), array)
            array = _random(40, seed=ord(name[-1]))
        marker = _random(40, seed=ord("s"))[3].tobytes()
        again = _random(40, seed=ord("t"))[3].tobytes()
        assert await vectors.search(_rows(1)[0], 5)
        assert await files_with(folder, marker), "the marker is found where it is"
        await vectors.delete("marked-document")
        await vectors.add("marked-again", [0], _rows(1))
        for gone in (b"marked-document", marker, again):
            assert await files_with(folder, gone) == []
        await store.drop("s")
        for gone in (b"marked", b"stays", _random(40)[3].tobytes()):
            assert await files_with(folder, gone) == []


def _bound(store: VectorStore) -> Vectors:
    return store.collection("s", embedder="words", dimensions=DIMENSIONS)


def _rows(count: int) -> Any:
    import numpy

    return numpy.eye(DIMENSIONS, dtype=numpy.float32)[numpy.arange(count) % DIMENSIONS]


def _random(count: int, seed: int = 0) -> Any:
    import numpy

    array = numpy.random.default_rng(seed).standard_normal((count, DIMENSIONS), dtype=numpy.float32)
    return array / numpy.linalg.norm(array, axis=1, keepdims=True)


async def _versions(vectors: Vectors) -> set[int]:
    """Of which versions the document's rows are; each has ``ROWS`` of them."""
    hits = await vectors.search(_rows(1)[0], 1000, ["doc"])
    assert len(hits) == ROWS
    return {hit.number // ROWS for hit in hits}
