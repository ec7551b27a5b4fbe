"""Each reader of text keeps what the port promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from agentic import DocumentReader
from agentic.testing.reader import DocumentReaderConformance, Sample
from agentic_readers_text.csv_text import CsvReader
from agentic_readers_text.html_text import HtmlReader
from agentic_readers_text.json_text import JsonReader
from agentic_readers_text.markdown_text import MarkdownReader
from agentic_readers_text.plain_text import PlainTextReader

BLANK = {"nothing but white space": b" \n\t \r\n", "nothing but a mark": b"\xef\xbb\xbf\n"}


class TestPlainText(DocumentReaderConformance):
    @pytest.fixture
    def reader(self) -> DocumentReader:
        return PlainTextReader()

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        letter = "Grüße aus Köln,\r\nund viele Worte über Brücken.\r\n\r\nBis bald – Jürgen\r\n"
        finds = ["Grüße aus Köln,\nund viele", "Bis bald – Jürgen"]
        long = "\n\n".join(f"Paragraph {number}. " + "All work and no play. " * 40 for number in range(100))
        return [
            Sample("letter.txt", letter.encode(), "text/plain", finds),
            Sample("letter-utf16.txt", letter.encode("utf-16"), "text/plain", finds),
            Sample("letter-cp1252.txt", letter.encode("cp1252"), "text/plain", finds),
            Sample("long.log", long.encode(), "text/plain", ["Paragraph 0.", "Paragraph 50.", "Paragraph 99."]),
            Sample("code.py", b"def f(x):\n    return x | 1\n", "text/plain", ["def f(x):\n    return x | 1"]),
            Sample("feed.xml", b"<?xml version='1.0'?>\n<feed><entry>News</entry></feed>", "text/plain", ["News"]),
        ]

    @pytest.fixture
    def broken(self) -> Mapping[str, bytes]:
        return BLANK


class TestMarkdown(DocumentReaderConformance):
    @pytest.fixture
    def reader(self) -> DocumentReader:
        return MarkdownReader()

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        text = b"# Guide\n\nWelcome.\n\n## Install\n\n```sh\n# not a heading\npip\n```\n\n## Use\n\nRun it.\n"
        finds = ["# Guide", "Welcome.", "# not a heading", "## Use\n\nRun it."]
        return [Sample("guide.md", text, "text/markdown", finds, by_name=True)]

    @pytest.fixture
    def broken(self) -> Mapping[str, bytes]:
        return BLANK


class TestHtml(DocumentReaderConformance):
    @pytest.fixture
    def reader(self) -> DocumentReader:
        return HtmlReader()

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        page = (
            "<!DOCTYPE html><html><head><meta charset='{0}'><title>Prices</title></head><body><h1>Our prices</h1>"
            "<p>All in €, <b>tax</b> included.</p><table><tr><th>Part<th>Price<tr><td>Bolt<td>1.20</table>"
            "<h2>Delivery</h2><ol><li>Order<li>Wait</ol></body></html>"
        )
        finds = [
            "Prices",
            "Our prices",
            "All in €, tax included.",
            "Part | Price\nBolt | 1.20\n",
            "Delivery",
            "1. Order\n",
        ]
        return [
            Sample("prices.html", page.format("utf-8").encode(), "text/html", finds),
            Sample("prices-old.htm", page.format("windows-1252").encode("cp1252"), "text/html", finds),
            Sample("part.html", b"<p>One</p><p>Two &amp; three</p>", "text/html", ["One\n\nTwo & three"]),
        ]

    @pytest.fixture
    def broken(self) -> Mapping[str, bytes]:
        return {
            **BLANK,
            "filled in by scripts": b"<!doctype html><title>App</title><div id=root></div><script>start()</script>",
            "no elements with text": b"<html><body><img src=x></body></html>",
        }


class TestJson(DocumentReaderConformance):
    @pytest.fixture
    def reader(self) -> DocumentReader:
        return JsonReader()

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        order = (
            b'{"order": {"id": 7, "total": 1.20, "items": [{"name": "Bolt"}, {"name": "Nut"}]}, "tags": ["new", true]}'
        )
        finds = ["order.id: 7\norder.total: 1.20", "items[0].name: Bolt", "items[1].name: Nut", "tags: new, true"]
        lines = b'{"name": "Ann", "age": 41}\n{"name": "Bob", "age": null}\n'
        return [
            Sample("order.json", order, "application/json", finds),
            Sample("order-utf16.json", order.decode().encode("utf-16"), "application/json", finds),
            Sample("people.jsonl", lines, "application/x-ndjson", ["name: Ann\nage: 41\n\nname: Bob\nage: null"]),
        ]

    @pytest.fixture
    def broken(self) -> Mapping[str, bytes]:
        return {
            **BLANK,
            "cut": b'{"order": {"id": 7, "total": 1.2',
            "a comma too many": b'{\n  "a": 1,\n}',
            "a text after it": b'{"a": 1} and so on',
            "very deep": b"[" * 100_000 + b"]" * 100_000,
        }


class TestCsv(DocumentReaderConformance):
    @pytest.fixture
    def reader(self) -> DocumentReader:
        return CsvReader()

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        parts = 'Teil;Preis;Ort\nBolzen, groß;1,20;Köln\n"Mutter ""M8""";0,80;\n'
        finds = ["Teil: Bolzen, groß; Preis: 1,20; Ort: Köln", 'Teil: Mutter "M8"; Preis: 0,80\n']
        tabs = b"name\tcity\nAnn\tOslo\nBob\tRome\nCid\tLima\n"
        return [
            Sample("parts.csv", parts.encode(), "text/csv", finds),
            Sample("parts-excel.csv", parts.encode("cp1252"), "text/csv", finds),
            Sample("people.tsv", tabs, "text/tab-separated-values", ["name: Ann; city: Oslo", "name: Cid; city: Lima"]),
        ]

    @pytest.fixture
    def broken(self) -> Mapping[str, bytes]:
        return BLANK
