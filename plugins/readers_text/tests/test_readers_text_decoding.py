"""Bytes become the text that was written, whatever its encoding; what is no text is not taken for it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from agentic import DocumentReader, Page
from agentic.testing.reader import text_in
from agentic_readers_text.plain_text import PlainTextReader

Read = Callable[[DocumentReader, bytes], list[Page]]

TEXTS = {
    "cp1252": "Die Brücke über den großen Fluss – „für Fußgänger“ – kostete 3 €, sagte Müller’s Büro.",
    "latin-1": "L'été dernier, la forêt brûlait près du château; où étaient les élèves, à côté?",
    "cp1250": "Příliš žluťoučký kůň úpěl ďábelské ódy, zažółć gęślą jaźń.",
    "cp1251": "Привет мир, это проверка кодировки текста.",
    "cp1255": "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
    "cp1257": "Visi žmonės gimsta laisvi ir lygūs savo orumu ir teisėmis.",
    "iso8859-2": "Wszyscy ludzie rodzą się wolni i równi pod względem swej godności i swych praw.",
    "iso8859-5": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "iso8859-6": "يولد جميع الناس أحرارا متساوين في الكرامة والحقوق.",
    "koi8-u": "Всі люди народжуються вільними і рівними у своїй гідності та правах.",
    "mac-cyrillic": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "koi8-r": "Привет мир, это проверка кодировки текста, и ещё немного слов.",
    "cp1253": "Καλημέρα κόσμε, αυτό είναι ένα κείμενο.",
    "shift_jis": "日本語の文章を書いてみました。今日はいい天気です。",
    "gb18030": "这是一个中文文本的例子,今天天气很好。",
    "cp1256": "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق.",
    "tis-620": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
    "cp866": "Все люди рождаются свободными и равными в своем достоинстве и правах.",
    "iso2022-jp": "日本語の文章を書いてみました。今日はいい天気です。",
    "utf-16-le": "Plain words and naïve café.",
    "utf-16-be": "Plain words and naïve café.",
    "utf-32": "Plain words and naïve café.",
    "utf-32-le": "Plain words and naïve café.",
    "utf-32-be": "Все люди рождаются свободными.",
    "utf-8-sig": "Plain words and 日本語.",
}


@pytest.mark.parametrize(("encoding", "text"), TEXTS.items(), ids=TEXTS)
def test_encodings_are_found_out(read: Read, encoding: str, text: str) -> None:
    data = f"{text}\n{text}\n".encode(encoding)
    assert PlainTextReader().recognise(data, "") == "text/plain"
    assert text_in(read(PlainTextReader(), data)) == f"{text}\n{text}\n"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text",
    [
        "Все люди рождаются свободными, 30 статей.\n",
        "כל בני האדם נולדו בני חורין.\n",
        "人人生而自由,在尊严和权利上一律平等。\n第 2 条\n",
        "모든 인간은 태어날 때부터 자유롭다.\n",
        "सभी मनुष्यों को स्वतन्त्रता प्राप्त है.\n",
    ],
)
def test_wide_characters_need_no_mark_in_any_script(read: Read, text: str, encoding: str) -> None:
    data = text.encode(encoding)
    assert PlainTextReader().recognise(data, "") == "text/plain"
    assert text_in(read(PlainTextReader(), data)) == text


@pytest.mark.parametrize(
    "text", ["temp: 20°C ± 0.5\n", "5 €\n", "½ cup\n", "§ 12\n", "a naïve señor Müller\n", "It’s “fine” – he said…\n"]
)
def test_signs_and_letters_here_and_there_are_western(read: Read, text: str) -> None:
    assert text_in(read(PlainTextReader(), text.encode("cp1252"))) == text


def test_a_late_letter_tells_the_encoding(read: Read) -> None:
    data = b"plain words\n" * 50_000 + "naïve café, señor Müller\n".encode("cp1252")
    assert text_in(read(PlainTextReader(), data)).endswith("naïve café, señor Müller\n")


def test_damage_does_not_turn_utf8_into_another_encoding(read: Read) -> None:
    data = "äöü ".encode() * 20 + b"\xff broken " + "äöü".encode() * 20
    text = text_in(read(PlainTextReader(), data))
    assert text.startswith("äöü ") and text.endswith("äöü") and "\ufffd broken" in text


def test_a_text_that_holds_the_mark_of_damage_is_sound(read: Read) -> None:
    assert text_in(read(PlainTextReader(), "lost \ufffd here, ü\n".encode() * 3)) == "lost \ufffd here, ü\n" * 3


def test_bytes_without_meaning_are_marked(read: Read) -> None:
    text = text_in(read(PlainTextReader(), b"caf\xe9 and \x81 and na\xefve\n" * 3))
    assert text == "café and \ufffd and naïve\n" * 3


def test_control_characters_and_colours_are_dropped(read: Read) -> None:
    data = b"\x1b[1;31mERROR\x1b[0m disk\x00 full\x07\r\nnext\x0bline\tend\n" + b"words " * 100
    assert PlainTextReader().recognise(data, "app.log") == "text/plain"
    assert text_in(read(PlainTextReader(), data)).startswith("ERROR disk full\nnextline\tend\n")


def test_a_head_that_ends_within_a_character_is_text() -> None:
    whole = "日本語".encode() * 100
    for end in range(300, 310):
        assert PlainTextReader().recognise(whole[:end], "") == "text/plain"


def test_what_is_no_text_is_not_taken_for_it() -> None:
    noise = random.Random(2)
    for size in (16, 300, 65_536):
        for _ in range(5):
            assert PlainTextReader().recognise(noise.randbytes(size) + b"\x00\x01", "notes.txt") is None
    assert PlainTextReader().recognise(b"\xff\xfe" + noise.randbytes(300), "notes.txt") is None
    assert PlainTextReader().recognise(b"", "notes.txt") is None


def test_one_endless_line_is_cut_between_words(read: Read) -> None:
    data = b"word " * 100_000
    pages = read(PlainTextReader(), data)
    assert text_in(pages) == data.decode()
    assert all(len(page.text) <= 60_000 and page.text.endswith(" ") for page in pages)


def test_one_endless_word_is_cut_too(read: Read) -> None:
    pages = read(PlainTextReader(), b"x" * 1_000_000)
    assert text_in(pages) == "x" * 1_000_000
    assert max(len(page.text) for page in pages) <= 60_000


def test_lines_stay_whole_where_they_can(read: Read) -> None:
    pages = read(PlainTextReader(), b"".join(b"line %d\n" % number for number in range(50_000)))
    assert len(pages) > 5
    assert all(page.text.endswith("\n") for page in pages)


def test_white_space_before_the_text_is_no_reason_to_refuse(read: Read) -> None:
    assert text_in(read(PlainTextReader(), b" " * 200_000 + b"x")).strip() == "x"
