"""Words that most pieces hold are not looked for in a large index, and nobody sees a difference but the time."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentic import Hit, Texts
from agentic_texts_sqlite import scope, statements
from agentic_texts_sqlite.index import SqliteTextIndex
from agentic_texts_sqlite.words import query_of

WORDS = [f"word{number}" for number in range(60)]


@pytest.fixture
async def texts(tmp_path: Path) -> AsyncIterator[Texts]:
    index = SqliteTextIndex(tmp_path)
    yield index.collection("s")
    await index.aclose()


def pieces(count: int) -> list[str]:
    """Three of four hold ``the``, and each two words of its own."""
    source = random.Random(count)
    return [" ".join([*source.sample(WORDS, 2), "the" if number % 4 else "a"]) for number in range(count)]


async def found(texts: Texts, query: str) -> list[Hit]:
    return [*await texts.search(query, 20)]


async def test_the_same_is_found_with_the_same_scores(texts: Texts, monkeypatch: pytest.MonkeyPatch) -> None:
    await texts.add("doc", pieces(scope.MANY))
    asked: list[str] = []
    search = statements.search

    def watched(connection: object, query: str, *args: object) -> list[Hit]:
        asked.append(query)
        return search(connection, query, *args)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(statements, "search", watched)
    fast = await found(texts, "the word7 of word8")
    monkeypatch.setattr(scope, "MANY", 10**9)
    slow = await found(texts, "the word7 of word8")
    assert asked == ['"word7" OR "of" OR "word8"', '"the" OR "word7" OR "of" OR "word8"']
    assert {hit.number for hit in fast if hit.score > fast[-1].score} <= {hit.number for hit in slow}
    assert [hit.score for hit in fast] == pytest.approx([hit.score for hit in slow], abs=1e-4)


async def test_a_query_of_common_words_alone_is_answered(texts: Texts) -> None:
    await texts.add("doc", pieces(scope.MANY))
    assert len(await found(texts, "the")) == 20


async def test_a_word_that_is_common_no_more_is_looked_for(texts: Texts) -> None:
    await texts.add("doc", pieces(scope.MANY))
    await found(texts, "the word7")
    await texts.add("more", ["word7"] * scope.MANY)
    await texts.add("one", ["the word7"])
    assert (await found(texts, "the word7"))[0].doc_id != "more"


async def test_words_of_a_small_index_are_all_looked_for(texts: Texts) -> None:
    await texts.add("doc", ["the river", "the bank", "the"])
    assert len(await found(texts, "the river")) == 3


def test_common_words_are_left_out_of_a_query_that_has_others() -> None:
    assert query_of("The river", {"the"}) == '"river"'
    assert query_of("The", {"the"}) == '"the"'
