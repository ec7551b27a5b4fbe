"""Measure the readers of documents and print a table: ``uv run python -m bench.readers [--rounds N] [FILE.pdf …]``.

The documents are made here, of the words of this repository's own pages, so that what they hold is known: the share of
its words, and of its triples of neighbouring words, that a reader finds is printed beside the CPU time that it takes.
With PDF files named, both engines read those, and their words are held against each other's.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import re
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import docx
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from agentic import DocumentReader, Page, ToolError
from agentic_readers_docx.reader import DocxReader
from agentic_readers_pdf.pdfium import PdfiumReader
from agentic_readers_pdf.pure import PypdfReader
from agentic_readers_text.csv_text import CsvReader
from agentic_readers_text.html_text import HtmlReader
from agentic_readers_text.json_text import JsonReader
from agentic_readers_text.markdown_text import MarkdownReader
from agentic_readers_text.plain_text import PlainTextReader

ROOT = Path(__file__).parents[2]
PAGES, LINES = 200, 45


def main() -> None:
    """Make the documents, read each with its reader, and print what that took."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3, help="the best of so many counts")
    options.add_argument("pdf", nargs="*", type=Path, help="PDF files on which to compare the engines")
    given = options.parse_args()
    print(
        f"{'document':<26} {'reader':<10} {'MB':>6} {'CPU s':>7} {'pages/s':>8} {'MB/s':>6} {'words':>6} {'triples':>7}"
    )
    with tempfile.TemporaryDirectory() as folder:
        lines = list(itertools.islice(prose(), PAGES * LINES))
        for title, make, readers in DOCUMENTS:
            path = Path(folder) / "document"
            path.write_bytes(make(lines))
            for reader in readers:
                report(title, reader, path, " ".join(lines), given.rounds)
    for path in given.pdf:
        compare(path)


def prose() -> Iterator[str]:
    """Lines of the repository's own pages, over and over, letters and digits alone."""
    text = " ".join(path.read_text("utf-8") for path in sorted(ROOT.glob("**/README.md")) if ".venv" not in path.parts)
    plain = " ".join(re.findall(r"[A-Za-z0-9]+", text))
    return itertools.cycle(textwrap.wrap(plain, 85))


def as_pdf(lines: Sequence[str]) -> bytes:
    """A page of ``LINES`` lines after another."""
    whole = io.BytesIO()
    canvas = Canvas(whole, A4, invariant=1)
    for first in range(0, len(lines), LINES):
        text = canvas.beginText(50, 790)
        text.setFont("Times-Roman", 11)
        for line in lines[first : first + LINES]:
            text.textLine(line)
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return whole.getvalue()


def as_docx(lines: Sequence[str]) -> bytes:
    """A heading, six paragraphs and a table to each page's worth of lines."""
    document = docx.Document()
    for first in range(0, len(lines), LINES):
        part = lines[first : first + LINES]
        document.add_heading(part[0], 1)
        for place in range(1, LINES - 8, 6):
            document.add_paragraph(" ".join(part[place : min(place + 6, LINES - 8)]))
        table = document.add_table(rows=4, cols=2)
        for place, line in enumerate(part[LINES - 8 :]):
            table.cell(place // 2, place % 2).text = line
    whole = io.BytesIO()
    document.save(whole)
    return whole.getvalue()


def as_html(lines: Sequence[str]) -> bytes:
    """A heading, and a paragraph a line with a word in bold letters."""
    parts = (
        f"<h2>{line}</h2>" if n % LINES == 0 else f"<p><b>{line[:5]}</b>{line[5:]}</p>" for n, line in enumerate(lines)
    )
    return f"<!doctype html><html><body>{''.join(parts)}</body></html>".encode()


def as_markdown(lines: Sequence[str]) -> bytes:
    """A heading to each page's worth of lines."""
    return "".join(f"\n## {line}\n\n" if n % LINES == 0 else f"{line}\n" for n, line in enumerate(lines)).encode()


DOCUMENTS: list[tuple[str, Callable[[Sequence[str]], bytes], Sequence[DocumentReader]]] = [
    (f"PDF, {PAGES} pages", as_pdf, (PdfiumReader(), PypdfReader())),
    ("DOCX, as much text", as_docx, (DocxReader(),)),
    ("HTML, as much text", as_html, (HtmlReader(),)),
    ("Markdown, as much text", as_markdown, (MarkdownReader(),)),
    ("plain text", lambda lines: "\n".join(lines).encode(), (PlainTextReader(),)),
    ("plain text in UTF-16", lambda lines: "\n".join(lines).encode("utf-16"), (PlainTextReader(),)),
    ("JSON, a line a value", lambda lines: json.dumps([{"line": line} for line in lines]).encode(), (JsonReader(),)),
    ("CSV, a word a cell", lambda lines: "\n".join(line.replace(" ", ",") for line in lines).encode(), (CsvReader(),)),
]


def report(title: str, reader: DocumentReader, path: Path, source: str, rounds: int) -> None:
    """One row: the best of the rounds."""
    pages, seconds = min((read(reader, path) for _ in range(rounds)), key=lambda done: done[1])
    size = path.stat().st_size / 1e6
    words, triples = share(words_of(source), words_of("".join(page.text for page in pages)))
    name = type(reader).__name__.removesuffix("Reader")
    print(
        f"{title:<26} {name:<10} {size:6.2f} {seconds:7.2f} {PAGES / seconds:8.0f} {size / seconds:6.2f} "
        f"{words:6.3f} {triples:7.3f}",
        flush=True,
    )


def read(reader: DocumentReader, path: Path) -> tuple[list[Page], float]:
    """The pages, and the CPU seconds that they took."""
    started = time.process_time()
    return list(reader.read(path)), time.process_time() - started


def words_of(text: str) -> list[str]:
    """Its words, in small letters."""
    return re.findall(r"\w+", text.lower())


def share(source: Sequence[str], found: Sequence[str]) -> tuple[float, float]:
    """Of the source's words, and of its triples of neighbours, the share that was found."""
    told = []
    for one, other in ((source, found), (list(triples(source)), list(triples(found)))):
        held = Counter(one) & Counter(other)
        told.append(held.total() / max(1, len(one)))
    return told[0], told[1]


def triples(words: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """Each three words that follow one another."""
    return zip(words, words[1:], words[2:], strict=False)


def compare(path: Path) -> None:
    """Both engines over one file: how fast each is, and what of the other's words it finds."""
    done: dict[str, tuple[list[str], float, int]] = {}
    for reader in (PdfiumReader(), PypdfReader()):
        try:
            pages, seconds = read(reader, path)
        except ToolError as refused:
            print(f"{path.name}: {type(reader).__name__}: {refused.message}")
            return
        count = max(page.number for page in pages)
        done[type(reader).__name__] = words_of("".join(page.text for page in pages)), seconds, count
    (fast, fast_s, count), (pure, pure_s, _) = done.values()
    print(
        f"{path.name}: {count} pages; pdfium {count / fast_s:.0f} pages/s, pypdf {count / pure_s:.0f}; "
        f"of pdfium's words pypdf finds {share(fast, pure)[0]:.3f}, "
        f"of pypdf's words pdfium finds {share(pure, fast)[0]:.3f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
