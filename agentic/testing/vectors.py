"""Kit for stores of vectors: :class:`VectorStoreConformance`.

A plugin subclasses the kit in its own tests and says how its store is made::

    class TestMyVectors(VectorStoreConformance):
        @pytest.fixture
        async def store(self, tmp_path):
            store = MyVectors(tmp_path)
            yield store
            await store.aclose()

        @pytest.fixture
        def reopen(self, tmp_path):
            return lambda: MyVectors(tmp_path)

        @pytest.fixture
        def program(self, tmp_path):
            return f"from my_vectors import MyVectors; store = MyVectors({str(tmp_path)!r})"

        @pytest.fixture
        def folder(self, tmp_path):
            return tmp_path

The tests are async: run them with pytest-asyncio in auto mode.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentic.ports.vectors import Hit, Vectors, VectorStore
from agentic.testing.memory_indexes import MemoryVectorStore
from agentic.testing.vectors_sharing import SharedVectorConformance

__all__ = ["MemoryVectorStore", "VectorStoreConformance"]

DIMENSIONS = 16
DOC_IDS = [
    "doc",
    "DOC",
    "..",
    ".",
    "../../up",
    "/root",
    "a/b",
    "a\\b",
    " ",
    "",
    "nul\x00byte",
    "con",
    "quote'\"; DROP TABLE x",
    "%",
    "*",
    "é",
    "e\u0301",
    "漢字",
    "😀",
    "half \ud83d",
    "d" * 1000,
    "d" * 1001,
]
SCOPES = ["a", "A", "a.b", "a-b", "a_b", ".", "..", ".a", "a.", "con", "0", "Zz" * 60, "z" * 120, "z" * 119]
NO_SCOPES = ["", "a/b", "../a", "a\x00", "a b", "ä", "a\n", "z" * 121, "*"]


class VectorStoreConformance(SharedVectorConformance):
    """Everything that the port promises. Override ``store`` and, where they apply, ``reopen``, ``program``, ``folder``.

    ``least_recall``: of the nearest of 2,000 random vectors, the part that is found; 1.0 for an exact store.
    """

    least_recall = 1.0

    @pytest.fixture
    async def store(self) -> VectorStore:
        """The store under test, empty and fresh."""
        raise NotImplementedError("override the fixture `store`")

    @pytest.fixture
    def reopen(self) -> Callable[[], VectorStore] | None:
        """Opens one more store on the same data, as another process would; None where there is no such thing."""
        return None

    @pytest.fixture
    def program(self) -> str | None:
        """Python that makes ``store`` on the same data, for a process that is killed; None where that loses all."""
        return None

    @pytest.fixture
    def folder(self) -> Path | None:
        """Where the store's files lie, which are searched for what was deleted; None where it has none."""
        return None

    async def test_empty_scope_finds_nothing_and_is_no_scope(self, store: VectorStore) -> None:
        vectors = mine(store)
        assert list(await vectors.search(row(1), 5)) == []
        assert await vectors.delete("doc") == 0
        assert dict(await vectors.documents()) == {}
        assert list(await store.scopes()) == []
        assert await store.drop("s") == 0
        assert list(await store.scopes()) == [], "asking leaves nothing"

    async def test_best_come_first_with_their_cosines(self, store: VectorStore) -> None:
        vectors = mine(store)
        await vectors.add("far", [0], rows(-1))
        await vectors.add("near", [4, 2, 9], rows((1, 0.1), (1, 0.5), 1))
        hits = await vectors.search(row(1), 10)
        assert [(hit.doc_id, hit.number) for hit in hits] == [("near", 9), ("near", 4), ("near", 2), ("far", 0)]
        expected = [1.0, 1 / 1.01**0.5, 1 / 1.25**0.5, -1.0]
        assert [hit.score for hit in hits] == pytest.approx(expected, abs=1e-4)

    async def test_k_bounds_what_is_found(self, store: VectorStore) -> None:
        vectors = mine(store)
        await vectors.add("doc", range(6), random_rows(6))
        for k in (0, 1, 5, 6, 7, 1000):
            assert len(await vectors.search(row(1), k)) == min(k, 6)

    async def test_piece_with_several_rows_counts_once_by_its_nearest(self, store: VectorStore) -> None:
        vectors = mine(store)
        await vectors.add("doc", [0, 1, 0, 1, 0, 2], rows(1, (1, 0.2), (1, 0.1), (1, 0.9), -1, (1, 0.4)))
        await vectors.add("many", [7] * 300, random_rows(300))
        hits = await vectors.search(row(1), 4)
        assert [(hit.doc_id, hit.number) for hit in hits[:3]] == [("doc", 0), ("doc", 1), ("doc", 2)]
        assert hits[0].score == pytest.approx(1.0, abs=1e-4)
        assert [(hit.doc_id, hit.number) for hit in hits[3:]] == [("many", 7)], "300 rows leave room for the others"

    async def test_search_stays_within_the_documents_named(self, store: VectorStore) -> None:
        vectors = mine(store)
        for name in ("a", "b", "c"):
            await vectors.add(name, [0, 1], random_rows(2, seed=ord(name)))
        assert {hit.doc_id for hit in await vectors.search(row(1), 10, ["a", "c", "unknown"])} == {"a", "c"}
        assert len(await vectors.search(row(1), 10, ["b", "b"])) == 2
        assert len(await vectors.search(row(1), 1, ["b"])) == 1
        for none in ([], ["unknown"]):
            assert list(await vectors.search(row(1), 10, none)) == []

    async def test_add_replaces_all_rows_of_the_document_alone(self, store: VectorStore) -> None:
        vectors = mine(store)
        await vectors.add("doc", [0, 1, 2, 3], rows(1, 2, 3, 4))
        await vectors.add("other", [0], rows(9))
        await vectors.add("doc", [5], rows(6))
        assert await found(vectors) == {("doc", 5), ("other", 0)}
        assert (await vectors.search(row(6), 1))[0].score == pytest.approx(1.0, abs=1e-4)
        await vectors.add("doc", [5], rows(7))
        assert (await vectors.search(row(6), 9, ["doc"]))[0].score == pytest.approx(0.0, abs=1e-4)

    async def test_document_without_rows_is_none(self, store: VectorStore) -> None:
        vectors = mine(store)
        await vectors.add("doc", [], random_rows(0))
        assert dict(await vectors.documents()) == {}
        await vectors.add("doc", [0], rows(1))
        await vectors.add("doc", [], random_rows(0))
        assert dict(await vectors.documents()) == {}
        assert list(await vectors.search(row(1), 5)) == []

    async def test_delete_counts_rows_and_leaves_the_others(self, store: VectorStore) -> None:
        vectors = mine(store)
        for name in ("a", "b", "c"):
            await vectors.add(name, [0, 0, 1], random_rows(3, seed=ord(name)))
        assert await vectors.delete("b") == 3
        assert await vectors.delete("b") == 0
        assert dict(await vectors.documents()) == {"a": "words", "c": "words"}
        assert await found(vectors) == {("a", 0), ("a", 1), ("c", 0), ("c", 1)}
        await vectors.add("b", [4], rows(1))
        assert await found(vectors, "b") == {("b", 4)}

    async def test_scopes_do_not_see_each_other(self, store: VectorStore) -> None:
        for number, scope in enumerate(SCOPES):
            await mine(store, scope).add("doc", [number], rows(1))
        assert sorted(await store.scopes()) == sorted(SCOPES)
        for number, scope in enumerate(SCOPES):
            assert await found(mine(store, scope)) == {("doc", number)}
        await mine(store, "a").delete("doc")
        assert await store.drop("..") == 1
        assert sorted(await store.scopes()) == sorted(set(SCOPES) - {"a", ".."})
        assert await found(mine(store, "A")) == {("doc", 1)}

    async def test_drop_removes_a_scope_whoever_embedded_it(self, store: VectorStore) -> None:
        await mine(store).add("doc", [0, 1], rows(1, 2))
        await other(store).add("theirs", [0], random_rows(1, dimensions=8))
        await mine(store, "stays").add("doc", [0], rows(1))
        assert await store.drop("s") == 3
        assert await store.drop("s") == 0
        assert list(await store.scopes()) == ["stays"]
        assert dict(await mine(store).documents()) == {}
        await mine(store).add("doc", [3], rows(1))
        assert await found(mine(store)) == {("doc", 3)}

    @pytest.mark.parametrize("scope", NO_SCOPES, ids=lambda scope: repr(scope[:20]))
    async def test_what_is_no_scope_is_refused(self, store: VectorStore, scope: str) -> None:
        await mine(store).add("doc", [0], rows(1))
        with pytest.raises(ValueError, match="scope"):
            await mine(store, scope).add("doc", [0], rows(1))
        with pytest.raises(ValueError, match="scope"):
            await store.drop(scope)
        assert list(await store.scopes()) == ["s"]

    async def test_document_ids_may_hold_any_text_and_stay_apart(self, store: VectorStore) -> None:
        vectors = mine(store)
        for number, doc_id in enumerate(DOC_IDS):
            await vectors.add(doc_id, [number], random_rows(1, seed=number))
        assert set(await vectors.documents()) == set(DOC_IDS)
        for number, doc_id in enumerate(DOC_IDS):
            assert await found(vectors, doc_id) == {(doc_id, number)}
        for doc_id in DOC_IDS:
            assert await vectors.delete(doc_id) == 1
        assert dict(await vectors.documents()) == {}

    async def test_vectors_of_another_embedder_are_passed_over_and_told(self, store: VectorStore) -> None:
        await mine(store).add("mine", [0], rows(1))
        await other(store).add("theirs", [0, 1], random_rows(2, dimensions=8))
        alike = store.collection("s", embedder="as many dimensions", dimensions=DIMENSIONS)
        await alike.add("alike", [0], rows(1))
        assert await found(mine(store)) == {("mine", 0)}
        assert await found(mine(store), "theirs", "alike") == set()
        assert dict(await mine(store).documents()) == {
            "mine": "words",
            "theirs": "another/model:latest",
            "alike": "as many dimensions",
        }
        await mine(store).add("theirs", [3], rows(1))
        assert (await mine(store).documents())["theirs"] == "words"
        assert await found(mine(store)) == {("mine", 0), ("theirs", 3)}
        assert list(await other(store).search(random_rows(1, dimensions=8)[0], 5)) == []
        assert await other(store).delete("mine") == 1

    async def test_wrong_shapes_are_refused_and_change_nothing(self, store: VectorStore) -> None:
        vectors = mine(store)
        await vectors.add("doc", [0], rows(1))
        for numbers, array in (([0, 1], rows(1)), ([0], random_rows(1, dimensions=8)), ([0], row(1)), ([], rows(1))):
            with pytest.raises(ValueError, match=r"shape|rows"):
                await vectors.add("doc", numbers, array)
        assert await found(vectors) == {("doc", 0)}

    async def test_nearest_are_those_of_a_plain_search(self, store: VectorStore) -> None:
        vectors, array, queries = mine(store), random_rows(2000), random_rows(50, seed=7)
        await vectors.add("doc", range(2000), array)
        right = 0
        for query in queries:
            best = set((-(array @ query)).argsort()[:5].tolist())
            right += len(best & {hit.number for hit in await vectors.search(query, 5)})
        assert right / 250 >= self.least_recall

    async def test_what_was_added_may_be_changed_by_its_owner(self, store: VectorStore) -> None:
        vectors, array = mine(store), rows(1)
        await vectors.add("doc", [0], array)
        array[:] = row(2)
        assert (await vectors.search(row(1), 1))[0].score == pytest.approx(1.0, abs=1e-4)

    async def test_health_is_none_when_it_works(self, store: VectorStore) -> None:
        assert await store.health() is None
        assert list(await store.scopes()) == [], "it leaves nothing"


def mine(store: VectorStore, scope: str = "s") -> Vectors:
    """The scope as the embedder ``words`` sees it."""
    return store.collection(scope, embedder="words", dimensions=DIMENSIONS)


def other(store: VectorStore, scope: str = "s") -> Vectors:
    """The scope as another embedder sees it, whose vectors are shorter."""
    return store.collection(scope, embedder="another/model:latest", dimensions=8)


def row(*parts: float | tuple[float, float]) -> Any:
    """One vector, see ``rows``."""
    return rows(*parts)[0]


def rows(*directions: float | tuple[float, float]) -> Any:
    """A unit vector for each: 1 is the first axis, -1 its opposite, 2 the second; (1, t) leans towards the second."""
    import numpy

    array = numpy.zeros((len(directions), DIMENSIONS), dtype=numpy.float32)
    for one, direction in zip(array, directions, strict=True):
        axis, lean = direction if isinstance(direction, tuple) else (direction, 0.0)
        one[int(abs(axis)) - 1] = 1 if axis > 0 else -1
        one[1] += lean
    return array / numpy.linalg.norm(array, axis=1, keepdims=True)


def random_rows(count: int, *, dimensions: int = DIMENSIONS, seed: int = 0) -> Any:
    """Unit vectors in any direction."""
    import numpy

    array = numpy.random.default_rng(seed).standard_normal((count, dimensions), dtype=numpy.float32)
    return array / numpy.linalg.norm(array, axis=1, keepdims=True)


async def found(vectors: Vectors, *doc_ids: str) -> set[tuple[str, int]]:
    """All pieces that a search finds, of these documents where any are named."""
    hits: Sequence[Hit] = await vectors.search(row(1), 1000, doc_ids or None)
    pairs = [(hit.doc_id, hit.number) for hit in hits]
    assert len(pairs) == len(set(pairs)), "a piece counts once"
    return set(pairs)
