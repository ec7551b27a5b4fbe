"""Searches of many rows find what a plain search finds, and memory holds what was used last."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy
import pytest

from agentic_vectors_faiss.coarse import Coarse
from agentic_vectors_faiss.rows import COARSE_FROM, Rows
from agentic_vectors_faiss.store import FaissStore

MANY = COARSE_FROM + 2_000


def unit(array: Any) -> Any:
    return (array / numpy.linalg.norm(array, axis=1, keepdims=True)).astype(numpy.float32)


def at_random(count: int, dimensions: int, seed: int = 0) -> Any:
    return unit(numpy.random.default_rng(seed).standard_normal((count, dimensions)))


def in_clusters(count: int, dimensions: int) -> Any:
    """Rows as embedders make them: near one another in groups, and far from even along the axes."""
    source = numpy.random.default_rng(1)
    centres = source.standard_normal((40, dimensions)) * numpy.linspace(3, 0.01, dimensions)
    return unit(centres[source.integers(40, size=count)] + source.standard_normal((count, dimensions)) * 0.3)


def along_axes(count: int, dimensions: int) -> Any:
    """The worst for parts that are taken as spread normally: nearly all of a row in a single place."""
    source = numpy.random.default_rng(2)
    array = source.standard_normal((count, dimensions)) * 0.01
    array[numpy.arange(count), source.integers(dimensions, size=count)] += 1
    return unit(array)


def nearly_alike(count: int, dimensions: int) -> Any:
    """Hundreds of rows at a time between which a rough copy sees no difference."""
    centres = at_random(count // 400 + 1, dimensions, seed=3)
    return unit(centres[numpy.arange(count) % len(centres)] + at_random(count, dimensions, seed=4) * 0.002)


def all_alike(count: int, dimensions: int) -> Any:
    """The same few rows again and again, and one of them with a thousandth more of something else."""
    array = numpy.tile(at_random(7, dimensions, seed=5), (count // 7 + 1, 1))[:count]
    array[4321] = unit(array[4321:4322] + at_random(1, dimensions, seed=6) * 0.001)[0]
    return array


KINDS = [at_random, in_clusters, along_axes, nearly_alike, all_alike]


@pytest.mark.parametrize("dimensions", [384, 65])
@pytest.mark.parametrize("make", KINDS, ids=lambda make: str(make.__name__))
def test_rough_copies_lose_nothing(make: Any, dimensions: int) -> None:
    array = make(MANY, dimensions)
    rows = Rows(dimensions)
    rows.change((), {"one": (numpy.arange(MANY), array)})
    queries = numpy.concatenate([at_random(20, dimensions, seed=5), array[:20], unit(array[20:40] + array[40:60])])
    scores = queries @ array.T
    for query, plain in zip(queries, scores, strict=True):
        found = rows.search(query, 10, None)
        best = pytest.approx(numpy.sort(plain)[::-1][:10], abs=1e-5)
        assert [score for _, _, score in found] == best
        # By their scores, since of two that are alike but for the last digit either may come first.
        assert [plain[number] for _, number, _ in found] == best


@pytest.mark.parametrize("make", KINDS, ids=lambda make: str(make.__name__))
def test_what_one_search_needed_takes_nothing_from_the_next(make: Any) -> None:
    """Few pieces and many, of a crowd of rows and of none, in turns: each finds what a plain search finds."""
    array = make(MANY, 96)
    rows = Rows(96)
    rows.change((), {"one": (numpy.arange(MANY), array)})
    easy, hard = array[:8], at_random(8, 96, seed=7)
    for query in numpy.stack([easy, hard], axis=1).reshape(-1, 96):
        plain = numpy.sort(array @ query)[::-1]
        for k in (1, 200, 3, 40):
            assert [score for _, _, score in rows.search(query, k, None)] == pytest.approx(plain[:k], abs=1e-5)


def test_rough_copies_are_what_answers_large_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    candidates = Coarse.candidates

    def counted(self: Coarse, vector: Any, count: int, scored: Any) -> Any:
        asked.append(count)
        return candidates(self, vector, count, scored)

    monkeypatch.setattr(Coarse, "candidates", counted)
    rows = Rows(384)
    rows.change((), {"one": (numpy.arange(MANY), at_random(MANY, 384))})
    for query in at_random(20, 384, seed=3):
        assert len(rows.search(query, 5, None)) == 5
    assert 20 <= len(asked) <= 30, "one look is enough nearly always, even where all rows are equally far"
    assert max(asked) < MANY / 4


def test_rough_copies_are_tried_now_and_then_where_they_were_no_use(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    candidates = Coarse.candidates

    def counted(self: Coarse, vector: Any, count: int, scored: Any) -> Any:
        tried.append(count)
        return candidates(self, vector, count, scored)

    monkeypatch.setattr(Coarse, "candidates", counted)
    rows = Rows(384)
    rows.change((), {"one": (numpy.arange(MANY), at_random(MANY, 384))})
    for query in at_random(60, 384, seed=3):
        assert len(rows.search(query, 200, None)) == 200
    assert 2 <= len(tried) <= 20, "the 200 nearest of these take a look at more than a quarter of them"
    easy = unit(at_random(1, 384, seed=8) + at_random(500, 384, seed=9) * 0.1)
    rows.change((), {"near one another": (numpy.arange(500), easy)})
    tried.clear()
    for query in easy[:60]:
        assert len(rows.search(query, 200, None)) == 200
    assert len(tried) > 20, "and these do not"


def test_rows_come_and_go_in_the_rough_copies_too() -> None:
    array = at_random(MANY, 64)
    rows = Rows(64)
    third = MANY // 3
    parts = {name: slice(number * third, (number + 1) * third) for number, name in enumerate("abc")}
    rows.change((), {name: (numpy.arange(third), array[part]) for name, part in parts.items()})
    assert rows.search(array[third], 1, None)[0][:2] == (1, 0)
    rows.change("b", {"d": (numpy.arange(third), at_random(third, 64, seed=9))})
    assert rows.documents == ["a", "c", "d"]
    assert rows.search(array[third], 1, None)[0][2] < 0.9, "it is gone"
    for place, row in ((0, array[5]), (1, array[2 * third + 5]), (2, at_random(third, 64, seed=9)[5])):
        [(found, number, score)] = rows.search(row, 1, None)
        assert (found, number, round(score, 3)) == (place, 5, 1.0)


@pytest.mark.parametrize("length", [100, 64])
def test_rows_that_come_after_others_have_gone_are_found(length: int) -> None:
    """What FAISS leaves behind of rows that went must not be mixed into the copies of those that come."""
    array = at_random(MANY, 64)
    rows = Rows(64)
    starts = range(0, MANY, length)
    rows.change(
        (), {f"{start}": (numpy.arange(len(part)), part) for start in starts if len(part := array[start:][:length])}
    )
    assert rows.search(array[0], 1, None)[0][:2] == (0, 0)
    for turn in range(3):
        come = at_random(length + turn, 64, seed=10 + turn)
        rows.change([str(turn * 2 * length)], {f"new{turn}": (numpy.arange(len(come)), come)})
        for number, row in enumerate(come):
            [(place, piece, _)] = rows.search(row, 1, None)
            assert (rows.documents[place], piece) == (f"new{turn}", number)


@pytest.mark.parametrize("gone", ["a", "b", "c", "ab", "bc", "ac", "abc"])
def test_rows_that_stay_are_found_and_those_that_go_leave_memory(gone: str) -> None:
    parts = {name: at_random(count, 16, seed=count) for name, count in (("a", 30), ("b", 40), ("c", 50))}
    rows = Rows(16)
    rows.change((), {name: (numpy.arange(len(part)), part) for name, part in parts.items()})
    rows.change(gone, {"d": (numpy.arange(5), at_random(5, 16, seed=9))})
    stay = {name: part for name, part in parts.items() if name not in gone} | {"d": at_random(5, 16, seed=9)}
    assert rows.documents == [*stay]
    for place, part in enumerate(stay.values()):
        for number, row in enumerate(part):
            [(found, piece, score)] = rows.search(row, 1, None)
            assert (found, piece) == (place, number)
            assert score == pytest.approx(1)
    for name in gone:
        assert not (rows._held @ parts[name].T > 0.999).any()


def test_piece_with_thousands_of_rows_leaves_room_for_others() -> None:
    array = numpy.repeat(at_random(1, 64), MANY, axis=0)
    rows = Rows(64)
    rows.change(
        (), {"one": (numpy.zeros(MANY, dtype=numpy.int64), array), "two": (numpy.arange(5), at_random(5, 64, seed=9))}
    )
    found = rows.search(array[0], 6, None)
    assert found[0][:2] == (0, 0)
    assert len(found) == 6


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FaissStore]:
    store = FaissStore(tmp_path, memory_mb=0.5, idle_s=60, clock=Clock())
    yield store
    await store.aclose()


async def searched(store: FaissStore, scope: str) -> int:
    vectors = store.collection(scope, embedder="e", dimensions=64)
    return len(await vectors.search(at_random(1, 64)[0], 3))


async def filled(store: FaissStore, *scopes: str) -> None:
    for scope in scopes:
        await store.collection(scope, embedder="e", dimensions=64).add("doc", range(800), at_random(800, 64))


async def test_users_longest_idle_are_let_go_where_memory_ends(store: FaissStore) -> None:
    await filled(store, "a", "b", "c")
    for scope in "abac":
        assert await searched(store, scope) == 3
    assert list(store._held) == ["a", "c"]
    assert await searched(store, "b") == 3, "it is read again"
    assert list(store._held) == ["c", "b"]


async def test_users_idle_for_long_are_let_go(store: FaissStore) -> None:
    await filled(store, "a", "b")
    await searched(store, "a")
    store._clock.now = 61  # type: ignore[attr-defined]
    await searched(store, "b")
    assert list(store._held) == ["b"]


async def test_single_user_beyond_the_memory_is_served(tmp_path: Path) -> None:
    store = FaissStore(tmp_path, memory_mb=0.001)
    await filled(store, "a")
    assert [await searched(store, "a"), await searched(store, "a")] == [3, 3]
    await store.aclose()
