"""The reader of DOCX keeps what the port promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import docx
import pytest

from agentic import DocumentReader
from agentic.testing.reader import DocumentReaderConformance, Sample
from agentic_readers_docx.reader import DocxReader

KIND = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
COMPOUND = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1000)


def plan() -> docx.document.Document:
    document = docx.Document()
    document.add_heading("The plan", 0)
    document.add_paragraph("Grüße to all.")
    document.add_heading("Parts", 1)
    table = document.add_table(rows=2, cols=2)
    for place, text in enumerate(("Part", "Price", "Bolt", "1.20")):
        table.cell(place // 2, place % 2).text = text
    document.add_heading("Steps", 2)
    document.add_paragraph("Look first", style="List Bullet")
    document.add_paragraph("Then leap", style="List Bullet")
    document.add_paragraph("The end.")
    return document


class TestDocx(DocumentReaderConformance):
    @pytest.fixture
    def reader(self) -> DocumentReader:
        return DocxReader()

    @pytest.fixture
    def samples(self, saved: Callable[..., bytes]) -> Sequence[Sample]:
        finds = ["The plan", "Grüße to all.", "Part | Price\nBolt | 1.20\n", "- Look first\n- Then leap\n", "The end."]
        return [Sample("plan.docx", saved(plan()), KIND, finds)]

    @pytest.fixture
    def broken(self, saved: Callable[..., bytes], with_parts: Callable[..., bytes]) -> Mapping[str, bytes]:
        whole = saved(plan())
        return {
            "cut": whole[: len(whole) // 2],
            "without its text": saved(docx.Document()),
            "an archive of something else": with_parts(whole, {"[Content_Types].xml": b"<Types/>"}),
            "wrong XML": with_parts(whole, {"word/document.xml": b"<w:document><w:body>"}),
            "with a password": COMPOUND + "EncryptedPackage".encode("utf-16-le") + bytes(100),
            "of before 2007": COMPOUND + "WordDocument".encode("utf-16-le") + bytes(100),
            "text": b"Dear Sir or Madam, this is no archive.",
        }
