"""Documents of Word for the tests, made by python-docx and, where that cannot, by hand."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping

import docx
import pytest
from docx.document import Document

HEAD = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><w:document '
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape" '
    'xmlns:v="urn:schemas-microsoft-com:vml"><w:body>'
)
TAIL = "</w:body></w:document>"


def _saved(document: Document) -> bytes:
    whole = io.BytesIO()
    document.save(whole)
    return whole.getvalue()


def _with_parts(package: bytes, parts: Mapping[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, parts.get(name, old.read(name)))
        for name in set(parts) - set(old.namelist()):
            new.writestr(name, parts[name])
    return whole.getvalue()


@pytest.fixture(scope="session")
def saved() -> Callable[[Document], bytes]:
    """Gives the file of a document that python-docx holds."""
    return _saved


@pytest.fixture(scope="session")
def with_parts() -> Callable[[bytes, Mapping[str, bytes]], bytes]:
    """Gives a document's file with parts added or replaced."""
    return _with_parts


@pytest.fixture(scope="session")
def of_xml() -> Callable[[str], bytes]:
    """Gives the file of a document whose body is this WordprocessingML."""
    empty = _saved(docx.Document())

    def make(body: str) -> bytes:
        return _with_parts(empty, {"word/document.xml": f"{HEAD}{body}{TAIL}".encode()})

    return make
