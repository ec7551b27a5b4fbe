"""The kit for stores of vectors passes what keeps its promises, and fails what breaks one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentic import Hit, Vectors
from agentic.testing.memory_indexes import MemoryVectors
from agentic.testing.vectors import MemoryVectorStore, VectorStoreConformance

REFUSED = (AssertionError, pytest.fail.Exception, ValueError)


class TestMemoryVectors(VectorStoreConformance):
    @pytest.fixture
    async def store(self) -> MemoryVectorStore:
        return MemoryVectorStore()


class Broken(MemoryVectorStore):
    """A store whose vectors break one promise."""

    def __init__(self, kind: type[MemoryVectors]) -> None:
        super().__init__()
        self._kind = kind

    def collection(self, scope: str, *, embedder: str, dimensions: int) -> Vectors:
        return self._kind(self._scopes.setdefault(scope, {}), embedder, dimensions)


class WorstFirst(MemoryVectors):
    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        return list(await super().search(vector, k, doc_ids))[::-1]


class MeasuresDistance(MemoryVectors):
    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        return [Hit(hit.doc_id, hit.number, 1 - hit.score) for hit in await super().search(vector, k, doc_ids)]


class IgnoresK(MemoryVectors):
    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        return await super().search(vector, k + 1, doc_ids)


class CountsRows(MemoryVectors):
    """A piece with several rows is found several times."""

    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        hits = [
            Hit(doc_id, number, float(score))
            for doc_id, (embedder, numbers, rows) in self._rows.items()
            if embedder == self._embedder and (doc_ids is None or doc_id in doc_ids)
            for number, score in zip(numbers, rows @ vector, strict=True)
        ]
        return sorted(hits, key=lambda hit: -hit.score)[:k]


class TakesNoneForAll(MemoryVectors):
    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        return await super().search(vector, k, doc_ids or None)


class AddsToWhatWasThere(MemoryVectors):
    async def add(self, doc_id: str, numbers: Sequence[int], vectors: Any) -> None:
        import numpy

        old = self._rows.get(doc_id)
        await super().add(doc_id, numbers, vectors)
        if old is not None and old[0] == self._embedder:
            embedder, kept, rows = self._rows[doc_id]
            self._rows[doc_id] = (embedder, old[1] + kept, numpy.concatenate([old[2], rows]))


class MixesEmbedders(MemoryVectors):
    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        alike = {doc: kept for doc, kept in self._rows.items() if kept[2].shape[1] == self._dimensions}
        return await MemoryVectors(
            {doc: (self._embedder, numbers, rows) for doc, (_, numbers, rows) in alike.items()},
            self._embedder,
            self._dimensions,
        ).search(vector, k, doc_ids)


class HidesOtherEmbedders(MemoryVectors):
    async def documents(self) -> Mapping[str, str]:
        return {doc: embedder for doc, embedder in (await super().documents()).items() if embedder == self._embedder}


class TakesAnyShape(MemoryVectors):
    async def add(self, doc_id: str, numbers: Sequence[int], vectors: Any) -> None:
        self._rows[doc_id] = (self._embedder, list(numbers), vectors.copy())


class KeepsTheCallersArray(MemoryVectors):
    async def add(self, doc_id: str, numbers: Sequence[int], vectors: Any) -> None:
        await super().add(doc_id, numbers, vectors)
        self._rows[doc_id] = (self._embedder, list(numbers), vectors)


class DeletesWhatBeginsAlike(MemoryVectors):
    async def delete(self, doc_id: str) -> int:
        alike = [doc for doc in self._rows if doc.startswith(doc_id[:1])]
        return sum([await MemoryVectors.delete(self, doc) for doc in alike])


class FindsHalf(MemoryVectors):
    async def search(self, vector: Any, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        return list(await super().search(vector, 2 * k, doc_ids))[::2]


BROKEN: list[tuple[type[MemoryVectors], str]] = [
    (WorstFirst, "test_best_come_first_with_their_cosines"),
    (MeasuresDistance, "test_best_come_first_with_their_cosines"),
    (IgnoresK, "test_k_bounds_what_is_found"),
    (CountsRows, "test_piece_with_several_rows_counts_once_by_its_nearest"),
    (TakesNoneForAll, "test_search_stays_within_the_documents_named"),
    (AddsToWhatWasThere, "test_add_replaces_all_rows_of_the_document_alone"),
    (MixesEmbedders, "test_vectors_of_another_embedder_are_passed_over_and_told"),
    (HidesOtherEmbedders, "test_vectors_of_another_embedder_are_passed_over_and_told"),
    (TakesAnyShape, "test_wrong_shapes_are_refused_and_change_nothing"),
    (KeepsTheCallersArray, "test_what_was_added_may_be_changed_by_its_owner"),
    (DeletesWhatBeginsAlike, "test_document_ids_may_hold_any_text_and_stay_apart"),
    (FindsHalf, "test_nearest_are_those_of_a_plain_search"),
]


@pytest.mark.parametrize(("broken", "test"), BROKEN)
async def test_store_that_breaks_a_promise_fails_the_kit(broken: type[MemoryVectors], test: str) -> None:
    with pytest.raises(REFUSED):
        await getattr(VectorStoreConformance(), test)(Broken(broken))


class IgnoresCase(MemoryVectorStore):
    def collection(self, scope: str, *, embedder: str, dimensions: int) -> Vectors:
        return super().collection(scope.lower(), embedder=embedder, dimensions=dimensions)


class ForgetsNothing(MemoryVectorStore):
    async def drop(self, scope: str) -> int:
        return 0


class ListsEverything(MemoryVectorStore):
    async def scopes(self) -> Sequence[str]:
        return list(self._scopes)


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (IgnoresCase, "test_scopes_do_not_see_each_other"),
        (ForgetsNothing, "test_drop_removes_a_scope_whoever_embedded_it"),
        (ListsEverything, "test_empty_scope_finds_nothing_and_is_no_scope"),
    ],
)
async def test_store_that_mistakes_scopes_fails_the_kit(broken: type[MemoryVectorStore], test: str) -> None:
    with pytest.raises(REFUSED):
        await getattr(VectorStoreConformance(), test)(broken())


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


class LeavesFiles(MemoryVectorStore):
    """It writes what it is given into a file, which it never looks at again."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def collection(self, scope: str, *, embedder: str, dimensions: int) -> Vectors:
        path = self.path

        class Written(MemoryVectors):
            async def add(self, doc_id: str, numbers: Sequence[int], vectors: Any) -> None:
                await super().add(doc_id, numbers, vectors)
                await asyncio.to_thread(append, path, doc_id.encode() + vectors.tobytes())

        return Written(self._scopes.setdefault(scope, {}), embedder, dimensions)


async def test_store_that_leaves_deleted_bytes_fails_the_kit(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        await VectorStoreConformance().test_deleted_is_gone_from_every_file(LeavesFiles(tmp_path / "f"), tmp_path)


LOSES_WHAT_IT_ACKNOWLEDGED = """
class store:
    @staticmethod
    def collection(scope, embedder, dimensions):
        return store

    @staticmethod
    async def add(doc_id, numbers, vectors):
        pass
"""


async def test_store_that_loses_what_it_acknowledged_fails_the_kit() -> None:
    kit = VectorStoreConformance()
    with pytest.raises(AssertionError):
        await kit.test_killed_in_the_middle_of_writing_it_has_the_old_rows_or_the_new(
            MemoryVectorStore(), LOSES_WHAT_IT_ACKNOWLEDGED
        )
