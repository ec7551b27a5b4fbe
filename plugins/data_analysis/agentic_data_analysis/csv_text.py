"""CSV text to columns: delimiter and header are found out, and what is malformed is told with its place."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

from agentic import ToolRetry
from agentic_data_analysis.tables import VALUE, Table

DELIMITERS = ("\t", ";", "|", ",")
_SAMPLE_LINES = 60
_SAMPLE_CHARACTERS = 100_000
_SHOWN_LINES = 5
_RULE = re.compile(r"\s*:?-{2,}:?\s*|\s*:?-:?\s*")
_NUMBER = re.compile(r"[(+\-−]?\s?[$€£¥₹]?\s?\d[\d.,' \u00a0\u202f]*(?:[eE][+-]?\d+)?\s?[%$€£¥₹)]?")
_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*")
_YEAR = re.compile(r"(?:19|20|21)\d\d")
Lines = list[tuple[int, list[str]]]


def read_csv(text: str) -> tuple[Table, list[str]]:
    """The table of CSV text, and what was odd in it.

    Delimiters are comma, semicolon, tab and ``|`` (Markdown tables too); without any, each line is one value. Raises
    ToolRetry for what is malformed, naming line and column, or has no rows.
    """
    csv.field_size_limit(max(csv.field_size_limit(), len(text) + 1))
    delimiter = delimiter_of(text)
    rows = _rows(text, delimiter)
    if delimiter == "|":
        rows = _without_frame(rows)
    if not rows:
        raise ToolRetry("The data is empty. Give JSON, or CSV with a header line.")
    if len(rows) == 1 and all(looks_like_value(cell) for cell in rows[0][1]):
        cells = list(rows[0][1])
        return Table("", {VALUE: cells}, len(cells), decimal_comma=_has_decimal_commas(text, delimiter)), []
    _drop_empty_ends(rows)
    headed = has_header([row for _, row in rows[:_SAMPLE_LINES]])
    if headed and len(rows) == 1:
        raise ToolRetry("The CSV has no rows: line 1 is read as its header. Give the lines with the values as well.")
    names, notes = _names(rows[0][1], headed)
    body = rows[1:] if headed else rows
    notes += _fitted(body, names, headed)
    columns = {name: [row[at] for _, row in body] for at, name in enumerate(names)}
    return Table("", columns, len(body), decimal_comma=_has_decimal_commas(text, delimiter)), notes


def _has_decimal_commas(text: str, delimiter: str | None) -> bool:
    """Whether numbers such as ``1,234`` have a decimal comma, which the columns themselves may leave open."""
    sample = text[:_SAMPLE_CHARACTERS]
    commas, points = len(re.findall(r"\d,\d", sample)), len(re.findall(r"\d\.\d", sample))
    return delimiter == ";" and commas > 0 and commas >= points


def delimiter_of(text: str) -> str | None:
    """The delimiter with which most of the first lines have equally many fields, two or more; None if there is none."""
    lines = [line for line in text.split("\n", _SAMPLE_LINES)[:_SAMPLE_LINES] if line.strip()]
    best: tuple[float, int] = (0.0, 1)
    chosen = None
    for delimiter in DELIMITERS:
        if not any(delimiter in line for line in lines):
            continue
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True)]
        usual = max(set(widths), key=lambda width: (widths.count(width), width))
        score = (round(widths.count(usual) / len(widths), 1), usual)
        if usual > 1 and score > best:
            best, chosen = score, delimiter
    return chosen


def looks_like_value(cell: str) -> bool:
    """Whether a cell is a number or a date rather than a name."""
    cell = cell.strip()
    return bool(_NUMBER.fullmatch(cell) or _DATE.fullmatch(cell))


def has_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns: it is all text, or text stands above numbers, or it lists years."""
    first = [cell.strip() for cell in rows[0]]
    if not any(looks_like_value(cell) for cell in first):
        return any(first)
    if all(_YEAR.fullmatch(cell) for cell in first[1:]) and not looks_like_value(first[0]):
        return True
    for at, cell in enumerate(first):
        below = [row[at] for row in rows[1:] if at < len(row) and row[at].strip()]
        if cell and below and not looks_like_value(cell) and all(looks_like_value(other) for other in below):
            return True
    return False


def _rows(text: str, delimiter: str | None) -> Lines:
    """The rows that are not blank, each with the line on which it begins."""
    if delimiter is None:
        return [(number, [line.strip().strip('"')]) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    rows: Lines = []
    begins = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append((begins, row))
            begins = reader.line_num + 1
    except csv.Error as error:
        raise ToolRetry(_explained(_faulty(text, begins, delimiter), str(error))) from None
    return rows


def _faulty(text: str, begins: int, delimiter: str) -> str:
    """The line and the column of the first field that is none, in the row that begins on this line."""
    row = "".join(list(io.StringIO(text, newline=""))[begins - 1 :])
    comma = re.escape(delimiter)
    whole = re.match(rf"""(?: *(?:"(?:[^"]|"")*"|[^" {comma}\r\n][^{comma}\r\n]*)?{comma})* *""", row)
    before = whole[0] if whole else ""
    return f"line {begins + before.count(chr(10))}, column {len(before) - before.rfind(chr(10))}"


def _explained(place: str, said: str) -> str:
    if "unexpected end" in said:
        return f"The CSV is malformed at {place}: a double quote is opened there and never closed."
    if "expected after" in said:
        return f"The CSV is malformed at {place}: {said}. Double the quotes within a quoted field."
    return f"The CSV is malformed at {place}: {said}."


def _without_frame(rows: Lines) -> Lines:
    """A Markdown table's cells alone: no outer bars, no line of dashes."""
    kept = [(line, row) for line, row in rows if not all(_RULE.fullmatch(cell) or not cell for cell in row)]
    if kept and all(not row[0].strip() and not row[-1].strip() and len(row) > 2 for _, row in kept):
        kept = [(line, row[1:-1]) for line, row in kept]
    return [(line, [cell.strip() for cell in row]) for line, row in kept]


def _drop_empty_ends(rows: Lines) -> None:
    """Take away what a delimiter at the end of every line makes: a last column without name and values."""
    width = len(rows[0][1])
    while width > 1 and not any(row[width - 1].strip() for _, row in rows if len(row) >= width):
        width -= 1
    del rows[0][1][width:]


def _names(first: Sequence[str], headed: bool) -> tuple[list[str], list[str]]:
    if not headed:
        names = [f"column_{number}" for number in range(1, len(first) + 1)] if len(first) > 1 else [VALUE]
        return names, ["The CSV has no header line; columns are counted."] if len(names) > 1 else []
    cells = [cell.strip() for cell in first]
    names, notes = [], []
    for number, cell in enumerate(cells, 1):
        name, again = cell or f"column_{number}", 2
        while name in names:
            name, again = f"{cell}_{again}", again + 1
        if cell and name != cell:
            notes.append(f'The column "{cell}" comes twice; the later one is called "{name}".')
        names.append(name)
    return names, notes


def _fitted(body: Lines, names: Sequence[str], headed: bool) -> list[str]:
    """Bring every row to the header's length; a longer one is refused, since nobody knows which cell is too many."""
    short = []
    width = len(names)
    for line, row in body:
        if any(cell.strip() for cell in row[width:]):
            against = f"the header has {width} ({', '.join(names[:8])})" if headed else f"the first line has {width}"
            raise ToolRetry(
                f"The CSV is malformed at line {line}, column {width + 1}: there are {len(row)} fields, {against}. "
                "Put double quotes around a field that holds the delimiter."
            )
        del row[width:]
        if len(row) < width:
            short.append(line)
            row.extend([""] * (width - len(row)))
    if not short:
        return []
    more = f" and {len(short) - _SHOWN_LINES} more" if len(short) > _SHOWN_LINES else ""
    where = ", ".join(map(str, short[:_SHOWN_LINES]))
    return [f"Too few fields in line {where}{more}: what lacks at the end counts as missing."]
