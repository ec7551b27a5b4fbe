"""JSON and CSV become lines that can be read and found by themselves."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from agentic import DocumentReader, Page
from agentic.testing.reader import text_in
from agentic_readers_text.csv_text import CsvReader
from agentic_readers_text.json_text import DEEPEST, JsonReader

Read = Callable[[DocumentReader, bytes], list[Page]]
Refusal = Callable[[DocumentReader, bytes], str]


def test_values_follow_their_paths(read: Read) -> None:
    data = b'{"a": {"b": [1, 2.50, "x"]}, "c": [[1], {"k": null}], "e": [], "f": {}, "": true}'
    assert text_in(read(JsonReader(), data)).split("\n") == [
        *("a.b: 1, 2.50, x", "c[0]: 1", "c[1].k: null", "", "e: []", "f: {}", '"": true', "", "")
    ]


def test_numbers_stay_as_they_are_written(read: Read) -> None:
    assert text_in(read(JsonReader(), b'{"n": 1.10, "big": 1e999, "long": ' + b"9" * 6000 + b"}")) == (
        f"n: 1.10\nbig: 1e999\nlong: {'9' * 6000}\n\n"
    )


def test_keys_that_stand_twice_are_both_kept(read: Read) -> None:
    assert text_in(read(JsonReader(), b'{"a": 1, "a": 2}')) == "a: 1\na: 2\n\n"


def test_halves_of_characters_and_nul_do_not_come_through(read: Read) -> None:
    assert (
        text_in(read(JsonReader(), b'{"a": "x\\ud800y\\u0000z", "b": "\\ud83d\\ude00"}')) == "a: x\ufffdyz\nb: 😀\n\n"
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"a": 1,\n "b" 2}', "Expecting ':' delimiter at line 2, column 6"),
        (b'{"a": 1,', "at line 1"),
        (b'{"a": "never closed', "Unterminated string starting at line 1, column 7"),
        (b'{"a": 1}\n{"b": }', "line 2, column 7"),
    ],
)
def test_a_fault_is_told_with_its_place(refusal: Refusal, data: bytes, told: str) -> None:
    assert told in refusal(JsonReader(), data)


@pytest.mark.parametrize("pair", [("[", "]"), ('{"a":', "}")])
@pytest.mark.parametrize("depth", [DEEPEST + 2, 5_000, 200_000])
def test_nesting_without_end_is_refused(refusal: Refusal, pair: tuple[str, str], depth: int) -> None:
    assert f"more than {DEEPEST} levels" in refusal(JsonReader(), f"{pair[0] * depth}1{pair[1] * depth}".encode())


def test_deep_values_keep_the_end_of_their_path(read: Read) -> None:
    deep = "1"
    for number in range(DEEPEST, 0, -1):
        deep = f'{{"k{number}": {deep}}}'
    assert text_in(read(JsonReader(), deep.encode())) == "….k195.k196.k197.k198.k199.k200: 1\n\n"


def test_long_keys_do_not_multiply(read: Read) -> None:
    data = json.dumps({"k" * 10_000: [[number] for number in range(1000)]}).encode()
    text = text_in(read(JsonReader(), data))
    assert "k" * 10_000 in text
    assert len(text) < 20 * len(data)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"a": [1, {"b": null}]}', "application/json"),
        ("[]", "application/json"),
        ('[\n  "cut in the mid', "application/json"),
        ('{"a": [1, tru', "application/json"),
        ("{abc}", None),
        ('{"a": 1}\n{"a": 2}\n', "application/x-ndjson"),
        ("[1] A. Author, A Book.", None),
        ("[link](https://example.org) and text", None),
        ("{braces} in prose", None),
        ("{} {}", None),
        ('{"a": 1, , }', None),
        ('{"a" "b"}', None),
        ("plain", None),
    ],
)
def test_grammar_tells_json_without_a_name(text: str, found: str | None) -> None:
    assert JsonReader().recognise(text.encode(), "") == found


def test_broken_json_of_that_name_is_told_so_not_read_as_text() -> None:
    assert JsonReader().recognise(b"{'a': 1}", "a.json") == "application/json"
    assert JsonReader().recognise(b"no braces", "a.json") is None


def test_a_long_head_is_judged_by_its_beginning() -> None:
    assert JsonReader().recognise(b'{"rows": [' + b"[1, 2, 3], " * 5000, "") == "application/json"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_are_found_out(read: Read, delimiter: str) -> None:
    data = "\n".join(delimiter.join(row) for row in (("name", "price"), ("Bolt", "1"), ("Nut", "2"))).encode()
    assert text_in(read(CsvReader(), data)) == "name | price\nname: Bolt; price: 1\nname: Nut; price: 2\n"


def test_quoted_cells_may_hold_everything(read: Read) -> None:
    data = b'name,note\r\n"Bolt, long","two\r\nlines and ""quotes"""\r\n'
    assert text_in(read(CsvReader(), data)) == 'name | note\nname: Bolt, long; note: two lines and "quotes"\n'


def test_a_table_without_names_is_rows(read: Read) -> None:
    assert text_in(read(CsvReader(), b"1,2\n3,4\n")) == "1 | 2\n3 | 4\n"


@pytest.mark.parametrize("above", ["Price list\n", "Price list;;\n", "# of spring\n#\n", "\n;;\nPrices\n\n"])
def test_titles_and_remarks_above_a_table_name_no_columns(read: Read, above: str) -> None:
    text = text_in(read(CsvReader(), f"{above}part;price;unit\nBolt;1,20;kg\nNut;0,80;kg\n".encode()))
    assert text.endswith("part | price | unit\npart: Bolt; price: 1,20; unit: kg\npart: Nut; price: 0,80; unit: kg\n")
    assert [line for line in above.replace(";", "").splitlines() if line] == [
        line.strip(" |") for line in text.splitlines()[:-3]
    ]


def test_the_line_that_excel_writes_names_the_delimiter(read: Read) -> None:
    assert text_in(read(CsvReader(), b"sep=;\nname;price\nBolt;1,20\n")) == "name | price\nname: Bolt; price: 1,20\n"


def test_rows_may_be_short_or_long(read: Read) -> None:
    data = b"a,b,c\nonly\n1,,3,four\n\nx,y,z\n"
    assert text_in(read(CsvReader(), data)) == "a | b | c\na: only\na: 1; c: 3; four\na: x; b: y; c: z\n"


def test_a_single_column_is_lines(read: Read) -> None:
    assert text_in(read(CsvReader(), b"name\nAnn\nBob\n")) == "name\nAnn\nBob\n"


def test_nul_and_open_quotes_do_not_stop_the_reading(read: Read) -> None:
    data = b'a,b\n1\x00,2\n"never closed,' + b"x\n" * 200_000
    text = text_in(read(CsvReader(), data))
    assert text.startswith("a | b\na: 1; b: 2\na: never closed,x x")


def test_a_very_long_line_is_read(read: Read) -> None:
    data = b"a;b\n" + b"x" * 1_000_000 + b";y\n"
    assert text_in(read(CsvReader(), data)).endswith("x; b: y\n")


def test_long_names_of_columns_do_not_multiply(read: Read) -> None:
    data = b"n" * 10_000 + b",b\n" + b"1,2\n" * 1000
    text = text_in(read(CsvReader(), data))
    assert "n" * 10_000 in text
    assert len(text) < 100_000


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        ("a,b\n1,2\n", "x.csv", "text/csv"),
        ("just words\n", "x.csv", "text/csv"),
        ("a\tb\n1\t2\n", "x.csv", "text/tab-separated-values"),
        ("a,b,c\n1,2,3\n4,5,6\n", "export", "text/csv"),
        ("a;b\n1;2\n3;4\n", "export.txt", "text/csv"),
        ("a,b,c\n1,2,3\n", "export.txt", None),
        ("One, two, and three.\nFour, five, and six.\nSeven, eight, nine.\n", "prose.txt", None),
        ("| a | b |\n|---|---|\n| 1 | 2 |\n", "table.txt", None),
        ("f(a, b, c)\ng(a, b, c)\nh(a, b, c)\n", "code.py", None),
    ],
)
def test_rows_tell_a_table_without_a_name(text: str, name: str, found: str | None) -> None:
    assert CsvReader().recognise(text.encode(), name) == found


def test_the_last_row_of_a_long_head_may_be_cut() -> None:
    assert CsvReader().recognise(b"1;2;3\n" * 1000 + b"4;", "") == "text/csv"
