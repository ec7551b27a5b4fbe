"""The part of the kit for full text about many at once, several processes, crashes, and what a deletion leaves."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from agentic.ports.texts import TextIndex, Texts
from agentic.testing.killed_writers import KilledWriter, files_with

Reopen = Callable[[], TextIndex] | None
PIECES = 20
WRITER = """
import asyncio

async def write():
    texts = index.collection("s")
    version = 0
    while True:
        version += 1
        await texts.add("doc", [f"river version{version} piece{number}" for number in range(20)])
        print(version, flush=True)

def write_for_ever():
    asyncio.run(write())
"""


class SharedTextConformance:
    """What holds while others read and write. :class:`agentic.testing.texts.TextIndexConformance` includes it."""

    async def test_concurrent_work_loses_nothing(self, index: TextIndex) -> None:
        texts = index.collection("s")

        async def work(worker: int) -> None:
            for step in range(3):
                await texts.add(f"doc{worker}", ["river"] * (step + 1))
                hits = await texts.search("river", 20, [f"doc{worker}"])
                assert sorted(hit.number for hit in hits) == list(range(step + 1))
            if worker % 2:
                assert await texts.delete(f"doc{worker}") == 3

        await asyncio.gather(*(work(worker) for worker in range(8)))
        assert sorted(await texts.documents()) == sorted(f"doc{worker}" for worker in range(0, 8, 2))
        assert len(await texts.search("river", 100)) == 4 * 3

    async def test_search_meanwhile_sees_the_old_pieces_or_the_new(self, index: TextIndex) -> None:
        texts = index.collection("s")
        await texts.add("doc", _pieces(0))

        async def replace() -> None:
            for version in range(1, 6):
                await texts.add("doc", _pieces(version))

        replacing = asyncio.create_task(replace())
        while not replacing.done():
            await asyncio.sleep(0)
            assert len(await texts.search("river", 1000)) == PIECES
        await replacing
        assert await _versions(texts, 6) == {5}

    async def test_cancelled_add_leaves_the_old_pieces_or_the_new(self, index: TextIndex) -> None:
        texts = index.collection("s")
        await texts.add("doc", _pieces(0))
        for version in range(1, 6):
            adding = asyncio.create_task(texts.add("doc", _pieces(version)))
            for _ in range(version):
                await asyncio.sleep(0)
            adding.cancel()
            await asyncio.gather(adding, return_exceptions=True)
            assert len(await _versions(texts, version + 1)) == 1
        await texts.add("doc", _pieces(9))
        assert await _versions(texts, 10) == {9}

    async def test_changes_made_elsewhere_are_seen(self, index: TextIndex, reopen: Reopen) -> None:
        if reopen is None:
            pytest.skip("the fixture `reopen` is not given")
        elsewhere = reopen()
        try:
            here, there = index.collection("s"), elsewhere.collection("s")
            await here.add("doc", ["river"])
            await here.add("gone", ["river"])
            assert len(await there.search("river", 9)) == len(await here.search("river", 9)) == 2
            for number in range(1, 5):
                await there.add("doc", [""] * number + ["river"])
                assert [hit.number for hit in await here.search("river", 9, ["doc"])] == [number]
                await here.add("doc", ["river"])
                assert [hit.number for hit in await there.search("river", 9, ["doc"])] == [0]
            await there.delete("gone")
            assert [hit.doc_id for hit in await here.search("river", 9)] == ["doc"]
            assert list(await here.documents()) == ["doc"]
            assert await elsewhere.drop("s") == 1
            assert list(await here.search("river", 9)) == []
            assert list(await index.scopes()) == []
            await here.add("doc", ["", "river"])
            assert [hit.number for hit in await there.search("river", 9)] == [1]
            assert await index.drop("s") == 2
            await there.add("doc", ["river"])
            assert [hit.number for hit in await here.search("river", 9)] == [0]
        finally:
            await elsewhere.aclose()

    async def test_reopened_index_has_kept_everything(self, index: TextIndex, reopen: Reopen) -> None:
        if reopen is None:
            pytest.skip("the fixture `reopen` is not given")
        texts = index.collection("s")
        await asyncio.gather(*(texts.add(f"doc{n}", ["river"]) for n in range(10)))
        await texts.delete("doc3")
        await index.aclose()
        reopened = reopen()
        try:
            names = sorted(f"doc{n}" for n in range(10) if n != 3)
            assert list(await reopened.scopes()) == ["s"]
            assert sorted(await reopened.collection("s").documents()) == names
            assert sorted(hit.doc_id for hit in await reopened.collection("s").search("river", 100)) == names
        finally:
            await reopened.aclose()

    async def test_killed_in_the_middle_of_writing_it_has_the_old_pieces_or_the_new(
        self, index: TextIndex, program: str | None
    ) -> None:
        if program is None:
            pytest.skip("the fixture `program` is not given")
        async with KilledWriter(program + WRITER) as writer:
            for rounds in (1, 2, 4, 8, 16):
                kept = await writer.killed(rounds)
                texts = index.collection("s")
                assert len(await texts.search("river", 100)) == PIECES
                [version] = await _versions(texts, kept + 2)
                assert version >= kept
                assert await texts.delete("doc") == PIECES

    async def test_deleted_is_gone_from_every_file(self, index: TextIndex, folder: Path | None) -> None:
        if folder is None:
            pytest.skip("the fixture `folder` is not given")
        texts = index.collection("s")
        for number in range(12):
            await texts.add(f"name-{number:02}", [f"common words {' '.join(_words(number))} {n}" for n in range(12)])
        assert await files_with(folder, *_marks(5)), "the markers are found where they are"
        for number in (5, 0, 11, 3):
            assert await texts.delete(f"name-{number:02}") == 12
            assert await files_with(folder, b"name-%02d" % number, *_marks(number)) == []
        await texts.add("name-01", ["river"])
        assert await files_with(folder, *_marks(1)) == []
        assert await files_with(folder, *_marks(2))
        for number in range(12):
            await texts.delete(f"name-{number:02}")
        everything = [mark for number in range(12) for mark in _marks(number)]
        assert await files_with(folder, b"name-", b"common", b"river", *everything) == []
        await texts.add("name", _words(3))
        await index.drop("s")
        assert await files_with(folder, b"name", *_marks(3)) == []


def _words(number: int) -> list[str]:
    """Words that are in one document alone and have little in common: indexes keep what differs between neighbours."""
    return [hashlib.sha256(f"{number} {word}".encode()).hexdigest()[:16] for word in range(60)]


def _marks(number: int) -> list[bytes]:
    """The inner part of these words, which no stemmer changes and no compression cuts."""
    return [word[4:12].encode() for word in _words(number)]


def _pieces(version: int) -> list[str]:
    return [f"river version{version} piece{number}" for number in range(PIECES)]


async def _versions(texts: Texts, below: int) -> set[int]:
    """Of which versions the document's pieces are; each that is there must be whole."""
    found = set()
    for version in range(below):
        count = len(await texts.search(f"version{version}", 1000, ["doc"]))
        assert count in (0, PIECES)
        found |= {version} if count else set()
    return found
