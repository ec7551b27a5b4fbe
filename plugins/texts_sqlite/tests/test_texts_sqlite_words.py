"""What counts as a word, in texts and in queries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentic import Texts
from agentic_texts_sqlite.index import SqliteTextIndex
from agentic_texts_sqlite.words import MOST_WORDS, query_of


@pytest.fixture
async def texts(tmp_path: Path) -> AsyncIterator[Texts]:
    index = SqliteTextIndex(tmp_path)
    yield index.collection("s")
    await index.aclose()


async def numbers(texts: Texts, query: str) -> list[int]:
    return [hit.number for hit in await texts.search(query, 10)]


@pytest.mark.parametrize(
    ("piece", "query"),
    [
        ("The invoices were cancelled", "cancelling an invoice"),
        ("Café Müller, crème brûlée", "cafe muller creme brulee"),
        ("cafe muller", "Café Müller"),
        ("re\u0301sume\u0301", "résumé"),
        ("the snake_case_name", "case name"),
        ("version 3.11 of it", "3.11"),
        ("東京都の人口は約千四百万人です", "東京の人口"),
        ("ภาษาไทยเป็นภาษาราชการ", "ภาษาไทย"),
        ("Das Straßenverkehrsamt", "straßenverkehrsamt"),
    ],
)
async def test_word_is_found_in_its_other_forms(texts: Texts, piece: str, query: str) -> None:
    await texts.add("doc", ["something else entirely", piece])
    assert await numbers(texts, query) == [1]


async def test_ideographs_are_found_by_two_that_follow_one_another(texts: Texts) -> None:
    await texts.add("doc", ["東京都", "京東", "東の京"])
    assert await numbers(texts, "東京") == [0]
    assert await numbers(texts, "東") == [1, 0, 2] or set(await numbers(texts, "東")) == {0, 1, 2}


async def test_rare_words_weigh_more_than_common_ones(texts: Texts) -> None:
    await texts.add("doc", ["the the the report", "the report on photosynthesis", *["the report of the day"] * 8])
    assert (await numbers(texts, "the report on photosynthesis"))[0] == 1


def test_query_has_each_word_once_and_not_too_many() -> None:
    assert query_of('River river "RIVER" bank') == '"river" OR "bank"'
    assert query_of(" ".join(map(str, range(10_000)))).count(" OR ") == MOST_WORDS - 1
    assert query_of("東京都") == '"東 京" OR "京 都"'
    assert query_of("東 x") == '"東" OR "x"'
