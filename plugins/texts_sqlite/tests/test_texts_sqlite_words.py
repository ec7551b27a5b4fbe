"""What counts as a word, in texts and in queries."""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

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


WORDS = {
    "Yoruba": ("Àwọn ọ̀rọ̀ tí ó wà nínú ẹ̀kọ́", "ẹ̀kọ́", "Àwọn ọmọ wà níbí"),
    "accents without a letter of their own": ("a x\u0301y\u0323z b", "x\u0301y\u0323z", "x y z"),
    "Hindi": ("हिन्दी एक भाषा है", "हिन्दी", "हवा और नदी का दिन"),
    "Hindi, with a nukta": ("यह क़ानून नया है", "क़ानून", "कल नया दिन"),
    "Bengali": ("আমার সোনার বাংলা", "বাংলা", "বলো তার লেখা"),
    "Tamil": ("தமிழ் மொழி", "தமிழ்", "ழகரம் தம்பி மழை"),
    "Telugu": ("తెలుగు భాష", "తెలుగు", "తల గది లత"),
    "Sinhala, with a joiner": ("ශ්‍රී ලංකාව", "ශ්‍රී", "රසය ශබ්ද"),
    "Malayalam, with a non-joiner": ("തമിഴ്\u200cനാട് വലുത്", "തമിഴ്\u200cനാട്", "നടൻ തടി"),
    "Thai": ("ขอน้ำหนึ่งแก้ว", "น้ำ", "นก ดำ"),
    "Lao": ("ຂ້ອຍດື່ມນ້ຳ", "ນ້ຳ", "ນົກ ດຳ"),
    "Khmer": ("ខ្ញុំរៀនភាសាខ្មែរ", "ខ្មែរ", "រស់ មក ខាង"),
    "Burmese": ("ကျွန်တော် မြန်မာ စကားပြောသည်", "မြန်မာ", "နေ ကမ"),
    "Tibetan": ("བོད་སྐད་ཡིག", "སྐད", "སང་དང"),
    "Vietnamese": ("Tôi học tiếng Việt", "tiếng", "Tôi đi chợ"),
    "Greek": ("Ο δρόμος είναι μακρύς", "ΔΡΌΜΟΣ", "Ο ουρανός"),
    "Cherokee": ("ᏣᎳᎩ ᎦᏬᏂᎯᏍᏗ", "ꮳꮃꭹ", "ᎦᏬᏂᎯᏍᏗ"),
    "letters of private use": ("the \ue000glyph", "\ue000glyph", "the glyph"),
}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("script", WORDS)
async def test_word_with_marks_is_found_by_itself_alone(texts: Texts, script: str, form: Literal["NFC", "NFD"]) -> None:
    piece, word, other = WORDS[script]
    for written in ("NFC", "NFD"):
        await texts.add("doc", [unicodedata.normalize(written, one) for one in (other, piece)])
        assert await numbers(texts, unicodedata.normalize(form, word)) == [1]


@pytest.mark.parametrize(
    ("written", "other"),
    [
        ("مُحَمَّدٌ", "محمد"),
        ("شكرًا", "شكرا"),
        ("جميـــل", "جميل"),
        ("שָׁלוֹם", "שלום"),
        ("Donau\u00addampf\u00adschiff", "Donaudampfschiff"),
        ("葛\U000e0100城市", "葛城市"),
        ("नमस्\u200dते", "नमस्ते"),
    ],
)
async def test_what_may_be_left_out_of_a_word_does_not_matter(texts: Texts, written: str, other: str) -> None:
    await texts.add("doc", ["x", f"x {written} y", f"x {other} y"])
    for word in (written, other):
        assert sorted(await numbers(texts, word)) == [1, 2]


async def test_words_are_found_beside_signs_younger_than_the_index_knows(texts: Texts) -> None:
    await texts.add("doc", ["nothing", "Thanks🤗 for 5₿", "a\u2068word\u2069b"])
    assert await numbers(texts, "thanks") == await numbers(texts, "5") == [1]
    assert await numbers(texts, "word") == [2]


async def test_text_of_marks_is_a_query_too(texts: Texts) -> None:
    await texts.add("doc", ["हिन्दी", "river"])
    assert await numbers(texts, "हि" * 50_000) == []
    assert await numbers(texts, " ".join(["हि" * 1_000] * 300) + " river") == [1]
    for nothing in ("\u0301", "\u0301\u0302 \u093f", "\ufe0f", "\u0e49"):
        assert await numbers(texts, nothing) == []


def test_pairs_are_of_letters_not_of_their_marks() -> None:
    assert query_of("น้ำ") == '"น ำ"'
    assert query_of("東京\ufe00") == '"東 京"'


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
