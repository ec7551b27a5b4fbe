"""What text becomes: tables, numbers, dates, missing values, and refusals that name the place."""

import pytest

from agentic import ToolError, ToolRetry
from agentic_data_analysis.columns import read_column
from agentic_data_analysis.numerals import read_numbers
from agentic_data_analysis.source import read

MALFORMED = [
    ('[{"a": 1},\n {"a": 2},\n]', "line 3, column 1", "Remove the comma"),
    ('{"a": 1\n "b": 2}', "line 2, column 2", "a comma or the closing bracket"),
    ("{'a': 1}", "line 1, column 2", "double quotes"),
    ('{"a" 1}', "line 1, column 6", "a colon"),
    ("[1, 2", "line 1, column 6", "the text ends there"),
    ('{"a": "x', "line 1, column 7", "closing double quote"),
    ('{"a": True}', "line 1, column 7", "true and false"),
    ("[1] [2]", "line 1, column 5", "the end of the JSON"),
    ('{"a": "x\ny"}', "line 1, column 9", "control character"),
    ('{"t": 1}\n{"t": 2}\n{"t": 3,}', "line 3, column 9", "double quotes"),
    ("```json\n[1,\n2,]\n```", "line 3, column 3", "Remove the comma"),
    ("[" + "9" * 5000 + "]", "4,300 digits", ""),
    ("a,b\n1,2\n3,4,5", "line 3, column 3", "3 fields, the header has 2"),
    ('a,b\n1,"2\n3,4', "line 2, column 3", "never closed"),
    ('a,b\n1,"x"y\n', "line 2, column 3", "Double the quotes"),
    ('a,b\n1,  "x"y\n', "line 2, column 5", "Double the quotes"),
    ('a,b,c\n1,"2\n""3", "x"y\n', "line 3, column 7", "Double the quotes"),
    ("```\na;b\n1;2;3\n```", "line 3", "3 fields"),
    ("", "empty", ""),
    (" \n\t", "empty", ""),
    ("\x00", "no rows", ""),
    ("hello", "no rows", "line 1"),
    ("null", "no rows", ""),
    ("{}", "no values", ""),
    ("[]", "no values", ""),
    ('{"a": {"b": []}}', "no values", ""),
]

TABLES = [
    ('[{"a": 1}, {"b": null}]', {"": {"a": [1, None], "b": [None, None]}}),
    ('{"s": {"items": [{"p": {"x": 1}}]}}', {"s.items": {"p.x": [1]}}),
    (
        '{"o": [{"id": 1, "i": [{"q": 2}, {"q": 3}]}, {"id": 4, "i": []}]}',
        {"o": {"id": [1, 4]}, "o[].i": {"q": [2, 3]}},
    ),
    ('{"a": [1, 2], "b": [3, 4], "unit": "m"}', {"": {"a": [1, 2], "b": [3, 4]}}),
    ('{"a": [1, 2], "b": [3]}', {"a": {"a": [1, 2]}, "b": {"b": [3]}}),
    ('{"ann": {"age": 3}, "bob": {"age": 5}}', {"": {"key": ["ann", "bob"], "age": [3, 5]}}),
    ('{"Jan": 3, "Feb": 4}', {"": {"key": ["Jan", "Feb"], "value": [3, 4]}}),
    ('{"name": "x", "n": 4}', {"": {"name": ["x"], "n": [4]}}),
    ('{"meta": {"page": 1, "size": 2}, "rows": [5, 6]}', {"rows": {"rows": [5, 6]}}),
    ("[1, null, 2]", {"": {"value": [1, None, 2]}}),
    ("[[1, 2], [3, 4]]", {"[]": {"column_1": [1, 3], "column_2": [2, 4]}}),
    ('[["n", "v"], ["a", 1]]', {"[]": {"n": ["a"], "v": [1]}}),
    ("[[1, 2], [3]]", {"[]": {"value": [1, 2, 3]}}),
    ('[{"a.b": 1, "a": {"b": 2}}]', {"": {"a.b": [1], "a.b_2": [2]}}),
    ('{"t": 1}\n\n{"t": 2}', {"": {"t": [1, 2]}}),
    ("a,b\n1,2\n\n3,4\n", {"": {"a": ["1", "3"], "b": ["2", "4"]}}),
    ("a;b\n1,5;x\n2;y", {"": {"a": ["1,5", "2"], "b": ["x", "y"]}}),
    ("a\tb\r\n1\t2\r\n", {"": {"a": ["1"], "b": ["2"]}}),
    ('a,b\n"x, ""y""","two\nlines"\n', {"": {"a": ['x, "y"'], "b": ["two\nlines"]}}),
    ("| n | v |\n|---|---:|\n| a | 1 |", {"": {"n": ["a"], "v": ["1"]}}),
    ("1,2\n3,4", {"": {"column_1": ["1", "3"], "column_2": ["2", "4"]}}),
    ("region,2019,2020\nn,1,2", {"": {"region": ["n"], "2019": ["1"], "2020": ["2"]}}),
    ("1, 2, 3", {"": {"value": ["1", "2", "3"]}}),
    ("x\n1\n2", {"": {"x": ["1", "2"]}}),
    ("\ufeffgröße,цена\n1,2", {"": {"größe": ["1"], "цена": ["2"]}}),
    ("a,a,\n1,2,3", {"": {"a": ["1"], "a_2": ["2"], "column_3": ["3"]}}),
]

NUMBERS = [
    (["1,234.5", "2"], [1234.5, 2]),
    (["1.234,5", "2"], [1234.5, 2]),
    (["1,234"], [1234]),
    (["1,234", "0,5"], [1.234, 0.5]),
    (["1.234", "1.5"], [1.234, 1.5]),
    (["1.234.567"], [1234567]),
    (["1 234,5", "1\u00a0000"], [1234.5, 1000]),
    (["1'234.5"], [1234.5]),
    (["12%", "7.5 %"], [12, 7.5]),
    (["$1,200", "-$3.50", "(4)"], [1200, -3.5, -4]),
    (["3 €"], [3]),
    (["−5", "+6", "1e3", ".5"], [-5, 6, 1000, 0.5]),
    (["12,34,567"], [1234567]),
    (["007", "01234"], [None, None]),
    (["1.2.3", "1-2", "abc", "", "1e999", "--1", "(1", "²"], [None] * 8),
    (["$1", "€2"], [None, None]),
    (["12%", "3"], [None, None]),
    ([str(10**30)], [10**30]),
]


@pytest.mark.parametrize(("text", "place", "reason"), MALFORMED)
def test_malformed_text_is_refused_with_place_and_reason(text: str, place: str, reason: str) -> None:
    with pytest.raises(ToolRetry) as caught:
        read(text)
    assert place in caught.value.message
    assert reason in caught.value.message


def test_deep_nesting_is_refused() -> None:
    with pytest.raises(ToolError, match="nested too deeply"):
        read("[" * 100_000)


def test_records_with_nothing_in_common_are_refused_before_they_fill_the_memory() -> None:
    with pytest.raises(ToolError, match="different keys"):
        read("[" + ",".join(f'{{"k{number}": 1}}' for number in range(6000)) + "]")


@pytest.mark.parametrize(
    ("path", "reason"),
    [("o.none", "nothing at"), ("o[", "no JMESPath"), ("x y", "no JMESPath"), ("none", "There are tables at `o`")],
)
def test_path_that_leads_nowhere_is_told_where_the_tables_are(path: str, reason: str) -> None:
    with pytest.raises(ToolRetry, match="leave `path` empty") as caught:
        read('{"o": [{"a": 1}]}', path)
    assert reason in caught.value.message


def test_path_into_csv_is_refused() -> None:
    with pytest.raises(ToolRetry, match="CSV"):
        read("a,b\n1,2", "a")


@pytest.mark.parametrize(("text", "tables"), TABLES)
def test_text_becomes_tables(text: str, tables: dict[str, dict[str, list[object]]]) -> None:
    assert {table.path: table.columns for table in read(text).tables} == tables


@pytest.mark.parametrize("path", ["$.o[*].i", "o[].i[]", "o[].i", "o[*].i[*]"])
def test_path_is_read_in_the_usual_spellings(path: str) -> None:
    found = read('{"o": [{"id": 1, "i": [{"q": 2}, {"q": 3}]}]}', path).tables
    assert [table.columns for table in found] == [{"q": [2, 3]}]


def test_inner_rows_know_the_columns_around_them() -> None:
    table = read('{"o": [{"who": "ann", "i": [{"q": 2}, {"q": 3}]}, {"who": "bob", "i": [{"q": 4}]}]}').tables[1]
    assert table.outer == {"who": ["ann", "ann", "bob"]}


def test_repeated_key_and_short_row_are_told() -> None:
    assert 'The key "a" comes twice' in read('[{"a": 1, "a": 2}]').notes[0]
    assert "line 3" in read("a,b\n1,2\n3").notes[0]


@pytest.mark.parametrize(("texts", "numbers"), NUMBERS)
def test_numbers_as_text_are_read(texts: list[str], numbers: list[float | None]) -> None:
    assert read_numbers(texts).numbers == numbers


def test_semicolons_speak_for_a_decimal_comma() -> None:
    table = read("a;b\n1,234;x\n2,345;y").tables[0]
    floats = read_column("a", table.columns["a"], table.decimal_comma).floats
    assert floats is not None
    assert list(floats) == [1.234, 2.345]


@pytest.mark.parametrize(
    ("values", "kind", "missing"),
    [
        ([1, None, float("nan"), "2", "n/a"], "number", 3),
        (["NA", "DE", "", None], "text", 2),
        ([True, False, None], "boolean", 1),
        (["true", "FALSE", "-"], "boolean", 1),
        (["2024-01-05", "2024-02-29T10:00:00Z", ""], "date", 1),
        (["05.01.2024", "31.12.2024"], "date", 0),
        (["2024-02-30", "2024-01-01"], "text", 0),
        (["$1", "€2"], "text", 0),
        ([None, ""], "empty", 2),
        ([1, 2, "x"], "number", 0),
        ([1, "x", "y"], "text", 0),
        (["01234", "00001"], "text", 0),
    ],
)
def test_column_is_what_its_values_are(values: list[object], kind: str, missing: int) -> None:
    column = read_column("c", values)
    assert (column.kind, column.missing) == (kind, missing)


def test_what_is_left_out_of_figures_is_told() -> None:
    assert 'left out ("x")' in read_column("c", [1, 2, "x"]).notes[0]
    assert "1 infinite value" in read_column("c", [1, float("inf")]).notes[0]
    assert "mixes $ and €" in read_column("c", ["$1", "€2"]).notes[0]
    assert "month/day/year" in read_column("c", ["1/2/2024"]).notes[0]
