"""Both engines keep what the port promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pytest

from agentic import DocumentReader
from agentic.testing.reader import DocumentReaderConformance, Sample
from agentic_readers_pdf.pdfium import PdfiumReader
from agentic_readers_pdf.pure import PypdfReader


class TestPypdf(DocumentReaderConformance):
    @pytest.fixture
    def reader(self) -> DocumentReader:
        return PypdfReader()

    @pytest.fixture
    def samples(self, pdf: Callable[..., bytes]) -> Sequence[Sample]:
        pages = [["The plan", "First we look.", "Grüße – well-", "known"], ["Then we leap."], [], ["And rest."]]
        finds = ["The plan", "First we look.", "Grüße – well-\nknown", "Then we leap.", "And rest."]
        kind = "application/pdf"
        return [
            Sample("plan.pdf", pdf(pages), kind, finds),
            Sample("plain.pdf", pdf(pages, compressed=False), kind, finds),
            Sample("locked.pdf", pdf(pages, locked=True), kind, finds),
            Sample("printed.pdf", b"\x1b%-12345X@PJL JOB\r\n" + pdf(pages), kind, finds),
        ]

    @pytest.fixture
    def broken(self, pdf: Callable[..., bytes], scan: Callable[[int], bytes]) -> Mapping[str, bytes]:
        return {
            "a beginning alone": b"%PDF-1.7\n",
            "a beginning and nonsense": b"%PDF-1.7\n" + b"nonsense " * 200,
            "cut in its first page": pdf([["words " * 10] * 50] * 3)[:300],
            "with a password": pdf([["secret"]], password="s3cret"),
            "pictures of pages": scan(2),
            "empty pages": pdf([[], []]),
            "another format": b"PK\x03\x04" + bytes(100),
        }


class TestPdfium(TestPypdf):
    @pytest.fixture
    def reader(self) -> DocumentReader:
        return PdfiumReader()
