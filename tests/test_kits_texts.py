"""The kit for full-text indexes passes what keeps its promises, and fails what breaks one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentic import Hit, Texts
from agentic.testing.memory_indexes import MemoryTexts
from agentic.testing.texts import MemoryTextIndex, TextIndexConformance

REFUSED = (AssertionError, pytest.fail.Exception, ValueError)


class TestMemoryTexts(TextIndexConformance):
    @pytest.fixture
    async def index(self) -> MemoryTextIndex:
        return MemoryTextIndex()


class Broken(MemoryTextIndex):
    """An index whose texts break one promise."""

    def __init__(self, kind: type[MemoryTexts]) -> None:
        super().__init__()
        self._kind = kind

    def collection(self, scope: str) -> Texts:
        return self._kind(self._scopes.setdefault(scope, {}))


class WorstFirst(MemoryTexts):
    async def search(self, query: str, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        return list(await super().search(query, k, doc_ids))[::-1]


class ReadsSyntax(MemoryTexts):
    async def search(self, query: str, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        if query.count('"') % 2:
            raise ValueError("unterminated string")
        return await super().search(query.replace("river*", "mountain"), k, doc_ids)


class IgnoresK(MemoryTexts):
    async def search(self, query: str, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        return await super().search(query, k + 1, doc_ids)


class MindsCase(MemoryTexts):
    async def search(self, query: str, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        hits = await super().search(query, k, doc_ids)
        return [hit for hit in hits if any(word in self._pieces[hit.doc_id][hit.number] for word in query.split())]


class TakesNoneForAll(MemoryTexts):
    async def search(self, query: str, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
        return await super().search(query, k, doc_ids or None)


class AddsToWhatWasThere(MemoryTexts):
    async def add(self, doc_id: str, texts: Sequence[str]) -> None:
        self._pieces.setdefault(doc_id, []).extend(texts)


class KeepsEmptyDocuments(MemoryTexts):
    async def documents(self) -> Sequence[str]:
        return [*self._pieces, "doc"]


class DeletesWhatBeginsAlike(MemoryTexts):
    async def delete(self, doc_id: str) -> int:
        alike = [doc for doc in self._pieces if doc.startswith(doc_id[:1])]
        return sum([await MemoryTexts.delete(self, doc) for doc in alike])


BROKEN: list[tuple[type[MemoryTexts], str, tuple[str, ...]]] = [
    (WorstFirst, "test_pieces_that_hold_more_of_the_words_come_first", ()),
    (ReadsSyntax, "test_nothing_in_a_query_is_syntax", ('"unclosed',)),
    (ReadsSyntax, "test_nothing_in_a_query_is_syntax", ("river*",)),
    (IgnoresK, "test_k_bounds_what_is_found", ()),
    (MindsCase, "test_words_are_found_whatever_their_case", ()),
    (TakesNoneForAll, "test_search_stays_within_the_documents_named", ()),
    (AddsToWhatWasThere, "test_add_replaces_all_pieces_of_the_document_alone", ()),
    (KeepsEmptyDocuments, "test_document_without_pieces_is_none", ()),
    (DeletesWhatBeginsAlike, "test_document_ids_may_hold_any_text_and_stay_apart", ()),
]


@pytest.mark.parametrize(("broken", "test", "more"), BROKEN)
async def test_index_that_breaks_a_promise_fails_the_kit(
    broken: type[MemoryTexts], test: str, more: tuple[str, ...]
) -> None:
    with pytest.raises(REFUSED):
        await getattr(TextIndexConformance(), test)(Broken(broken), *more)


class OneForAll(MemoryTextIndex):
    """One index under all scopes, whose names it puts before the ids: the scores tell of other scopes."""

    def collection(self, scope: str) -> Texts:
        everything = self._scopes.setdefault("all", {})

        class Scoped(MemoryTexts):
            async def add(self, doc_id: str, texts: Sequence[str]) -> None:
                everything[f"{scope}/{doc_id}"] = list(texts)

            async def search(self, query: str, k: int, doc_ids: Sequence[str] | None = None) -> Sequence[Hit]:
                hits = await MemoryTexts(everything).search(query, 1000)
                mine = [hit for hit in hits if hit.doc_id.startswith(f"{scope}/")]
                return [Hit(hit.doc_id.partition("/")[2], hit.number, hit.score / len(hits)) for hit in mine[:k]]

        return Scoped(everything)


class ForgetsNothing(MemoryTextIndex):
    async def drop(self, scope: str) -> int:
        return 0


class IgnoresCase(MemoryTextIndex):
    def collection(self, scope: str) -> Texts:
        return super().collection(scope.lower())


@pytest.mark.parametrize(
    ("broken", "test"),
    [
        (OneForAll, "test_scores_do_not_tell_of_other_scopes"),
        (ForgetsNothing, "test_drop_removes_a_scope_alone"),
        (IgnoresCase, "test_scopes_do_not_see_each_other"),
    ],
)
async def test_index_that_mistakes_scopes_fails_the_kit(broken: type[MemoryTextIndex], test: str) -> None:
    with pytest.raises(REFUSED):
        await getattr(TextIndexConformance(), test)(broken())


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


class LeavesFiles(MemoryTextIndex):
    """It writes what it is given into a file, which it never looks at again."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def collection(self, scope: str) -> Texts:
        path = self.path

        class Written(MemoryTexts):
            async def add(self, doc_id: str, texts: Sequence[str]) -> None:
                await super().add(doc_id, texts)
                await asyncio.to_thread(append, path, " ".join(texts).encode())

        return Written(self._scopes.setdefault(scope, {}))


async def test_index_that_leaves_deleted_bytes_fails_the_kit(tmp_path: Path) -> None:
    with pytest.raises(AssertionError):
        await TextIndexConformance().test_deleted_is_gone_from_every_file(LeavesFiles(tmp_path / "f"), tmp_path)
