"""PDF files for the tests, made by reportlab."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import pytest
from PIL import Image
from reportlab.lib import pdfencrypt
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

MakePdf = Callable[..., bytes]


def _pdf(
    pages: Sequence[Sequence[str]],
    *,
    outline: Sequence[tuple[int, str, int]] = (),
    password: str = "",
    locked: bool = False,
    compressed: bool = True,
) -> bytes:
    whole = io.BytesIO()
    locks = pdfencrypt.StandardEncryption(password, "owner", strength=128) if password or locked else None
    canvas = Canvas(whole, A4, encrypt=locks, pageCompression=int(compressed), invariant=1)
    for number, lines in enumerate(pages, 1):
        for place, (level, title, page) in enumerate(outline):
            if page == number:
                canvas.bookmarkPage(f"mark{place}")
                canvas.addOutlineEntry(title, f"mark{place}", level)
        text = canvas.beginText(50, 780)
        for line in lines:
            text.textLine(line)
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return whole.getvalue()


def _scan(count: int) -> bytes:
    whole = io.BytesIO()
    canvas = Canvas(whole, A4, invariant=1)
    for _ in range(count):
        canvas.drawInlineImage(Image.new("L", (20, 30), 128), 0, 0, *A4)
        canvas.showPage()
    canvas.save()
    return whole.getvalue()


@pytest.fixture(scope="session")
def pdf() -> MakePdf:
    """Makes a PDF of pages of lines.

    ``outline``: level, title, page from 1; ``password``: needed to read it; ``locked``: protected against changes only.
    """
    return _pdf


@pytest.fixture(scope="session")
def scan() -> Callable[[int], bytes]:
    """Makes a PDF of so many pages that are pictures alone."""
    return _scan
