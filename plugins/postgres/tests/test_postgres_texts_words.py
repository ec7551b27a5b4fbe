"""What counts as a word, in texts and in queries."""

from __future__ import annotations

import pytest

from agentic import Texts
from agentic_postgres.texts.index import PostgresTextIndex
from agentic_postgres.texts.words import LONGEST, MOST_WORDS, asked, indexed


@pytest.fixture
def texts(index: PostgresTextIndex) -> Texts:
    return index.collection("s")


async def numbers(texts: Texts, query: str) -> list[int]:
    return [hit.number for hit in await texts.search(query, 10)]


FORMS = [
    ("The invoices were cancelled", "cancelling an invoice"),
    ("Café Müller, crème brûlée", "cafe muller creme brulee"),
    ("cafe muller", "Café Müller"),
    ("re\u0301sume\u0301", "résumé"),
    ("the snake_case_name", "case name"),
    ("either/or and C:\\folder", "folder either"),
    ("write to ann@example.org", "example ann"),
    ("version 3.11 of it", "3.11"),
    ("a ﬁne eﬃcient ligature", "fine efficient"),
    ("東京都の人口は約千四百万人です", "東京の人口"),
    ("ภาษาไทยเป็นภาษาราชการ", "ภาษาไทย"),
    ("Das Straßenverkehrsamt", "STRASSENVERKEHRSAMT"),
    ("हिन्दी में लिखा", "हिन्दी"),
    ("Γλώσσας του κόσμου", "ΓΛΏΣΣΑΣ"),
    ("Die Häuser der Städte", "städte häuser"),
]


async def test_words_are_found_in_their_other_forms(texts: Texts) -> None:
    await texts.add("doc", ["something else entirely", *(piece for piece, _ in FORMS)])
    for number, (_, query) in enumerate(FORMS, start=1):
        assert number in (await numbers(texts, query))[:2], query


async def test_ideographs_are_found_by_two_that_follow_one_another(texts: Texts) -> None:
    await texts.add("doc", ["東京都", "京東", "東の京"])
    assert await numbers(texts, "東京") == [0]
    assert set(await numbers(texts, "東")) == {0, 1, 2}


async def test_rare_words_weigh_more_than_common_ones(texts: Texts) -> None:
    await texts.add("doc", ["the day the day the report", "photosynthesis on a day", *["the report of the day"] * 8])
    assert (await numbers(texts, "day report photosynthesis"))[0] == 1


async def test_a_word_that_is_there_more_often_weighs_more_and_less_each_time(texts: Texts) -> None:
    counts = (1, 2, 3, 5, 40)
    pieces = [" ".join(["river"] * count + ["other"] * (60 - count)) for count in counts]
    await texts.add("doc", [*pieces, *["other " * 60] * 20])
    hits = await texts.search("river", 10)
    assert [hit.number for hit in hits] == [4, 3, 2, 1, 0]
    # BM25 with its usual constants: the ratios of scores are those of its formula, for pieces of equal length.
    expected = [count * 2.2 / (count + 1.2) for count in counts]
    assert [hit.score / hits[-1].score for hit in reversed(hits)] == pytest.approx(
        [one / expected[0] for one in expected], rel=1e-6
    )


async def test_words_that_every_text_has_are_looked_for_only_where_there_are_no_others(texts: Texts) -> None:
    await texts.add("doc", ["what is the river", "what is the bank", "who is who"])
    assert await numbers(texts, "what is the river") == [0]
    assert set(await numbers(texts, "what is the")) == {0, 1, 2}
    assert await numbers(texts, "The Who") == [2, 0, 1] or set(await numbers(texts, "The Who")) == {0, 1, 2}


def test_query_has_each_word_once_and_not_too_many() -> None:
    assert asked('River river "RIVER" bank') == ["river", "bank"]
    assert len(asked(" ".join(map(str, range(10_000))))) == MOST_WORDS
    assert asked("東京都") == ["東京", "京都"]
    assert asked("東 x") == ["東", "x"]


def test_words_are_letters_and_digits_alone_and_never_too_long() -> None:
    """What is put between quotes in SQL can neither end them nor be refused."""
    anything = "".join(chr(code) for code in range(0x11000) if not 0xD800 <= code < 0xE000) + "x" * 10_000
    words = indexed(anything)
    assert max(map(len, words)) == LONGEST
    assert not set("'\\\" :*&|!<>()\x00") & set("".join(words))


async def test_any_character_may_be_in_a_word_that_is_indexed(texts: Texts) -> None:
    letters = [chr(code) for code in range(0x20, 0x11000) if not 0xD800 <= code < 0xE000]
    await texts.add("doc", [" ".join(letters[start : start + 2000]) for start in range(0, len(letters), 2000)])
    assert 0 in await numbers(texts, "q")
