"""Markdown is cut at its headings, and stays as it was written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from agentic import DocumentReader, Page
from agentic.testing.reader import text_in
from agentic_readers_text.html_text import HtmlReader
from agentic_readers_text.markdown_text import MarkdownReader

Read = Callable[[DocumentReader, bytes], list[Page]]

GUIDE = """\
---
title: The guide
---
Before all.

# A *quick* `start` &amp; [more](x)
Text.

```
# a comment in a program
```

    # so is this

<!-- # hidden
# too -->

Second
======

### Deep

Body.
"""


def test_sections_follow_their_headings_and_nothing_that_looks_like_them(read: Read) -> None:
    pages = read(MarkdownReader(), GUIDE.encode())
    assert [page.heading for page in pages] == [(), ("A quick start & more",), ("Second", "Deep")]
    assert text_in(pages) == GUIDE
    assert pages[2].text == "Second\n======\n\n### Deep\n\nBody.\n"


@pytest.mark.parametrize("name", ["notes.md", "NOTES.MARKDOWN", "a.b.mdx"])
def test_its_name_tells_markdown(name: str) -> None:
    assert MarkdownReader().recognise(b"# Hello", name) == "text/markdown"


@pytest.mark.parametrize("name", ["notes.txt", "md", "", "notes.md.bak"])
def test_another_name_is_not_markdown(name: str) -> None:
    assert MarkdownReader().recognise(b"# Hello", name) is None


def test_a_readme_that_begins_with_elements_is_markdown() -> None:
    head = b'<p align="center"><img src="x"></p>\n\n# Project\n'
    assert MarkdownReader().recognise(head, "README.md") == "text/markdown"
    assert HtmlReader().recognise(head, "README.md") is None


def test_fields_that_are_never_closed_are_text(read: Read) -> None:
    assert text_in(read(MarkdownReader(), b"---\nno end\n# Title\ntext\n")) == "---\nno end\n# Title\ntext\n"


def test_lines_end_only_where_markdown_ends_them(read: Read) -> None:
    data = "one\u2028# no\x0c# no\r# Yes\r\ntext\n".encode()
    pages = read(MarkdownReader(), data)
    assert [page.heading for page in pages] == [(), ("Yes",)]
    assert pages[0].text == "one\u2028# no\x0c# no\n"


def test_long_titles_and_many_sections_stay_small(read: Read) -> None:
    data = b"# " + b"x" * 50_000 + b"\n" + b"## part\ntext\n" * 2000
    pages = read(MarkdownReader(), data)
    assert len(pages) == 2000
    assert {len(page.heading[0]) for page in pages} == {201}


@pytest.mark.parametrize("piece", [b"> " * 50_000, b"* " * 50_000, b"[" * 100_000, b"`" * 100_000, b"# [" * 50_000])
def test_nesting_without_end_is_read(read: Read, piece: bytes) -> None:
    assert text_in(read(MarkdownReader(), piece + b"\n\n# End\nx\n")).endswith("# End\nx\n")
