"""Kit for full-text indexes: :class:`TextIndexConformance`.

A plugin subclasses the kit in its own tests and says how its index is made::

    class TestMyTexts(TextIndexConformance):
        @pytest.fixture
        async def index(self, tmp_path):
            index = MyTexts(tmp_path)
            yield index
            await index.aclose()

        @pytest.fixture
        def reopen(self, tmp_path):
            return lambda: MyTexts(tmp_path)

        @pytest.fixture
        def program(self, tmp_path):
            return f"from my_texts import MyTexts; index = MyTexts({str(tmp_path)!r})"

        @pytest.fixture
        def folder(self, tmp_path):
            return tmp_path

The tests are async: run them with pytest-asyncio in auto mode.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agentic.ports.texts import TextIndex, Texts
from agentic.testing.memory_indexes import MemoryTextIndex
from agentic.testing.texts_sharing import SharedTextConformance
from agentic.testing.vectors import DOC_IDS, NO_SCOPES, SCOPES

__all__ = ["MemoryTextIndex", "TextIndexConformance"]

SYNTAX = [
    '"',
    "'",
    "''",
    '"unclosed',
    "(",
    ")",
    "river AND",
    "NOT river",
    "river OR",
    "NEAR(river, 2)",
    "text : river",
    "text:river",
    "{text} : river",
    "-river",
    "+river",
    "^river",
    "river*",
    "*",
    "%",
    "_",
    "riv%",
    "river; DROP TABLE pieces; --",
    "river\x00bank",
    "\x00",
    "river \ud83d",
    "$1 ?1 :river @river",
    "\\",
    "/river/",
    "[river]",
    "river~2",
    "river^4",
]
NO_WORDS = ["", " ", "\n\t", "?!", "\x00", '"', "()", "\ud83d", "- -"]


class TextIndexConformance(SharedTextConformance):
    """Everything that the port promises.

    Override ``index`` and, where they apply, ``reopen``, ``program`` and ``folder``.
    """

    @pytest.fixture
    async def index(self) -> TextIndex:
        """The index under test, empty and fresh."""
        raise NotImplementedError("override the fixture `index`")

    @pytest.fixture
    def reopen(self) -> Callable[[], TextIndex] | None:
        """Opens one more index on the same data, as another process would; None where there is no such thing."""
        return None

    @pytest.fixture
    def program(self) -> str | None:
        """Python that makes ``index`` on the same data, for a process that is killed; None where that loses all."""
        return None

    @pytest.fixture
    def folder(self) -> Path | None:
        """Where the index's files lie, which are searched for what was deleted; None where it has none."""
        return None

    async def test_empty_scope_finds_nothing_and_is_no_scope(self, index: TextIndex) -> None:
        texts = index.collection("s")
        assert list(await texts.search("river", 5)) == []
        assert await texts.delete("doc") == 0
        assert list(await texts.documents()) == []
        assert list(await index.scopes()) == []
        assert await index.drop("s") == 0
        assert list(await index.scopes()) == [], "asking leaves nothing"

    async def test_pieces_that_hold_more_of_the_words_come_first(self, index: TextIndex) -> None:
        texts = index.collection("s")
        await texts.add("a", ["the bridge over the river", "a mountain"])
        await texts.add("b", ["a bridge of stone", "nothing of that", "the old bridge over the green river at night"])
        hits = await texts.search("bridge river", 10)
        assert {(hit.doc_id, hit.number) for hit in hits[:2]} == {("a", 0), ("b", 2)}
        assert [(hit.doc_id, hit.number) for hit in hits[2:]] == [("b", 0)]
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert hits[1].score > hits[2].score

    async def test_words_are_found_whatever_their_case(self, index: TextIndex) -> None:
        texts = index.collection("s")
        await texts.add("doc", ["The River Überlauf", "Москва река"])
        for query in ("river", "RIVER", "River", "überlauf", "ÜBERLAUF"):
            assert await places(texts, query) == {("doc", 0)}, query
        assert await places(texts, "МОСКВА") == {("doc", 1)}

    async def test_k_bounds_what_is_found(self, index: TextIndex) -> None:
        texts = index.collection("s")
        await texts.add("doc", [f"river {number}" for number in range(6)])
        for k in (0, 1, 5, 6, 7, 1000):
            assert len(await texts.search("river", k)) == min(k, 6)

    async def test_search_stays_within_the_documents_named(self, index: TextIndex) -> None:
        texts = index.collection("s")
        for name in ("a", "b", "c"):
            await texts.add(name, ["river", "bank"])
        assert await places(texts, "river", "a", "c", "unknown") == {("a", 0), ("c", 0)}
        assert await places(texts, "river", "b", "b") == {("b", 0)}
        for none in ([], ["unknown"]):
            assert list(await texts.search("river", 10, none)) == []

    @pytest.mark.parametrize("query", SYNTAX, ids=repr)
    async def test_nothing_in_a_query_is_syntax(self, index: TextIndex, query: str) -> None:
        texts = index.collection("s")
        await texts.add("doc", ["the river", "a mountain"])
        assert await places(texts, query) == ({("doc", 0)} if "river" in query else set())

    async def test_words_of_query_languages_are_words(self, index: TextIndex) -> None:
        texts = index.collection("s")
        await texts.add("doc", ["near and or not", "river"])
        for query in ("AND", "OR", "NOT", "NEAR"):
            assert await places(texts, query) == {("doc", 0)}, query

    async def test_text_without_words_finds_nothing(self, index: TextIndex) -> None:
        texts = index.collection("s")
        await texts.add("doc", ["river ? ! - \x00 ()", "", "\ud83d"])
        for query in NO_WORDS:
            assert list(await texts.search(query, 5)) == []

    async def test_long_text_is_a_query_too(self, index: TextIndex) -> None:
        texts = index.collection("s")
        await texts.add("doc", ["the river", "a mountain"])
        long = " ".join(f"word{number}" for number in range(5_000))
        assert ("doc", 0) in await places(texts, f"river {long}")
        assert await places(texts, "river " * 20_000) == {("doc", 0)}
        assert list(await texts.search("x" * 100_000, 5)) == []

    async def test_unusual_texts_are_indexed(self, index: TextIndex) -> None:
        texts = index.collection("s")
        odd = ["nul \x00 byte", "half \ud83d pair", "", "line\u2028separator", "long " * 50_000, "naïve e\u0301tude 😀"]
        await texts.add("doc", odd)
        for number, word in ((0, "byte"), (1, "pair"), (3, "separator"), (4, "long"), (5, "naïve")):
            assert ("doc", number) in await places(texts, word)

    async def test_add_replaces_all_pieces_of_the_document_alone(self, index: TextIndex) -> None:
        texts = index.collection("s")
        await texts.add("doc", ["river", "river", "mountain"])
        await texts.add("other", ["river"])
        await texts.add("doc", ["valley", "river"])
        assert await places(texts, "river") == {("doc", 1), ("other", 0)}
        assert await places(texts, "mountain") == set()

    async def test_document_without_pieces_is_none(self, index: TextIndex) -> None:
        texts = index.collection("s")
        await texts.add("doc", [])
        assert list(await texts.documents()) == []
        await texts.add("doc", ["river"])
        await texts.add("doc", [])
        assert list(await texts.documents()) == []
        assert list(await texts.search("river", 5)) == []

    async def test_delete_counts_pieces_and_leaves_the_others(self, index: TextIndex) -> None:
        texts = index.collection("s")
        for name in ("a", "b", "c"):
            await texts.add(name, ["river", "", "bank"])
        assert await texts.delete("b") == 3
        assert await texts.delete("b") == 0
        assert sorted(await texts.documents()) == ["a", "c"]
        assert await places(texts, "river") == {("a", 0), ("c", 0)}
        await texts.add("b", ["river"])
        assert await places(texts, "river", "b") == {("b", 0)}

    async def test_scopes_do_not_see_each_other(self, index: TextIndex) -> None:
        for number, scope in enumerate(SCOPES):
            await index.collection(scope).add("doc", [""] * number + ["river"])
        assert sorted(await index.scopes()) == sorted(SCOPES)
        for number, scope in enumerate(SCOPES):
            assert await places(index.collection(scope), "river") == {("doc", number)}
        await index.collection("a").delete("doc")
        assert await index.drop("..") == SCOPES.index("..") + 1
        assert sorted(await index.scopes()) == sorted(set(SCOPES) - {"a", ".."})
        assert await places(index.collection("A"), "river") == {("doc", 1)}

    async def test_scores_do_not_tell_of_other_scopes(self, index: TextIndex) -> None:
        """How rare a word is counts in the score, and how rare it is elsewhere is nobody's business."""
        await index.collection("s").add("doc", ["the river", "a mountain", "a valley"])
        [before] = await index.collection("s").search("river", 1)
        await index.collection("other").add("doc", ["river"] * 50)
        [after] = await index.collection("s").search("river", 1)
        assert before == after

    async def test_drop_removes_a_scope_alone(self, index: TextIndex) -> None:
        await index.collection("s").add("doc", ["river", "bank"])
        await index.collection("s").add("more", ["river"])
        await index.collection("stays").add("doc", ["river"])
        assert await index.drop("s") == 3
        assert await index.drop("s") == 0
        assert list(await index.scopes()) == ["stays"]
        assert list(await index.collection("s").documents()) == []
        await index.collection("s").add("doc", ["river"])
        assert await places(index.collection("s"), "river") == {("doc", 0)}

    @pytest.mark.parametrize("scope", NO_SCOPES, ids=lambda scope: repr(scope[:20]))
    async def test_what_is_no_scope_is_refused(self, index: TextIndex, scope: str) -> None:
        await index.collection("s").add("doc", ["river"])
        with pytest.raises(ValueError, match="scope"):
            await index.collection(scope).add("doc", ["river"])
        with pytest.raises(ValueError, match="scope"):
            await index.drop(scope)
        assert list(await index.scopes()) == ["s"]

    async def test_document_ids_may_hold_any_text_and_stay_apart(self, index: TextIndex) -> None:
        texts = index.collection("s")
        for number, doc_id in enumerate(DOC_IDS):
            await texts.add(doc_id, [""] * number + ["river"])
        assert set(await texts.documents()) == set(DOC_IDS)
        for number, doc_id in enumerate(DOC_IDS):
            assert await places(texts, "river", doc_id) == {(doc_id, number)}
        for number, doc_id in enumerate(DOC_IDS):
            assert await texts.delete(doc_id) == number + 1
        assert list(await texts.documents()) == []

    async def test_health_is_none_when_it_works(self, index: TextIndex) -> None:
        assert await index.health() is None
        assert list(await index.scopes()) == [], "it leaves nothing"


async def places(texts: Texts, query: str, *doc_ids: str) -> set[tuple[str, int]]:
    """The pieces that a search finds, of these documents where any are named."""
    hits = await texts.search(query, 1000, doc_ids or None)
    return {(hit.doc_id, hit.number) for hit in hits}
