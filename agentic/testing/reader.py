"""Kit for readers of documents: :class:`DocumentReaderConformance`. A plugin subclasses it in its own tests::

class TestMyReader(DocumentReaderConformance):
    @pytest.fixture
    def reader(self):
        return MyReader()

    @pytest.fixture
    def samples(self):
        return [Sample("plan.my", b"...", "application/x-my", ["Plan", "first step", "second step"])]

    @pytest.fixture
    def broken(self):
        return {"cut": b"...", "with a password": b"..."}
"""

from __future__ import annotations

import builtins
import importlib
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest

from agentic.errors import ToolError
from agentic.ports.documents import DocumentReader, Page
from agentic.testing.foreign_files import FOREIGN

__all__ = ["DocumentReaderConformance", "Sample", "text_in"]

HEAD = 65_536
ODD_NAMES = ["", "x", ".", "..", "a.exe", "müll.bin", "x" * 5000, "a\x00b", "/etc/passwd", "c:\\con.txt", "😀.PDF."]


@dataclass(frozen=True, slots=True)
class Sample:
    """A sound document. ``finds``: texts that stand in it, in the order in which a person reads them.

    ``by_name``: that only its name tells it from documents of other types, as with Markdown and plain text.
    """

    name: str
    data: bytes
    media_type: str
    finds: Sequence[str]
    by_name: bool = False


def text_in(pages: Sequence[Page]) -> str:
    """The text of a document: the texts of its pages, one after another."""
    return "".join(page.text for page in pages)


class DocumentReaderConformance:
    """What every reader owes to the kernel and to indexers. Override ``reader``, ``samples`` and ``broken``."""

    @pytest.fixture
    def reader(self) -> DocumentReader:
        """The reader under test."""
        raise NotImplementedError("override the fixture `reader`")

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        """Sound documents, of each media type at least one."""
        raise NotImplementedError("override the fixture `samples`")

    @pytest.fixture
    def broken(self) -> Mapping[str, bytes]:
        """Documents that cannot be read, by what is wrong with them: damaged, protected, without text."""
        raise NotImplementedError("override the fixture `broken`")

    def test_it_says_what_it_reads(self, reader: DocumentReader) -> None:
        assert reader.name.strip()
        assert isinstance(reader.rank, int)
        assert reader.media_types, "name the media types"
        for media_type in reader.media_types:
            assert media_type == media_type.lower() and media_type.count("/") == 1, f"no media type: {media_type!r}"

    def test_samples_cover_each_media_type(self, reader: DocumentReader, samples: Sequence[Sample]) -> None:
        assert {sample.media_type for sample in samples} == set(reader.media_types)

    def test_a_worker_can_make_its_own(self, reader: DocumentReader) -> None:
        kind = type(reader)
        assert kind.__qualname__ == kind.__name__, "the class lies at the top of its module"
        again = getattr(importlib.import_module(kind.__module__), kind.__name__)()
        assert (again.name, again.media_types) == (reader.name, reader.media_types)

    def test_recognises_its_samples(self, reader: DocumentReader, samples: Sequence[Sample]) -> None:
        for sample in samples:
            assert reader.recognise(sample.data[:HEAD], sample.name) == sample.media_type, sample.name

    def test_content_decides_where_it_can(self, reader: DocumentReader, samples: Sequence[Sample]) -> None:
        for sample in samples:
            for name in () if sample.by_name else ("", "download", Path(sample.name).stem):
                assert reader.recognise(sample.data[:HEAD], name) == sample.media_type, f"{sample.name} as {name!r}"

    def test_foreign_content_is_not_its_own(self, reader: DocumentReader, samples: Sequence[Sample]) -> None:
        for media_type, data in FOREIGN.items():
            for name in () if media_type in reader.media_types else ("", *(sample.name for sample in samples)):
                found = reader.recognise(data[:HEAD], name)
                assert found is None, f"{media_type} is taken for {found} under the name {name!r}"

    def test_recognising_never_raises(self, reader: DocumentReader, samples: Sequence[Sample]) -> None:
        for data in (b"", b"\x00", *FOREIGN.values(), *(sample.data for sample in samples)):
            for head in (data[:HEAD], data[:100], data[:7], data[:1]):
                for name in ODD_NAMES:
                    found = reader.recognise(head, name)
                    assert found is None or found in reader.media_types

    def test_recognising_imports_no_library(self, reader: DocumentReader, samples: Sequence[Sample]) -> None:
        with _imported_anew(type(reader).__module__) as (module, imported):
            again = getattr(module, type(reader).__name__)()
            for sample in samples:
                again.recognise(sample.data[:HEAD], sample.name)
        libraries = imported - {type(reader).__module__.partition(".")[0], "agentic", "pydantic"}
        assert libraries - set(sys.stdlib_module_names) == set(), "libraries belong to `read`, which runs in the worker"

    def test_finds_the_text_in_reading_order(
        self, reader: DocumentReader, samples: Sequence[Sample], tmp_path: Path
    ) -> None:
        for sample in samples:
            text, place = text_in(_pages(reader, sample.data, tmp_path)), 0
            for words in sample.finds:
                found = text.find(words, place)
                assert found >= 0, f"{sample.name}: {words!r} is not in {text[place : place + 2000]!r}"
                place = found + len(words)

    def test_pages_are_sound(self, reader: DocumentReader, samples: Sequence[Sample], tmp_path: Path) -> None:
        for sample in samples:
            pages = _pages(reader, sample.data, tmp_path)
            assert all(isinstance(page, Page) for page in pages)
            assert [page.number for page in pages] == sorted(page.number for page in pages), "in order"
            for page in pages:
                assert page.number >= 0
                assert isinstance(page.heading, tuple)
                assert all(isinstance(title, str) and title.strip() for title in page.heading)
            text = text_in(pages)
            assert "\x00" not in text, "no store keeps NUL in a text"
            text.encode()

    def test_words_of_neighbouring_pages_stay_apart(
        self, reader: DocumentReader, samples: Sequence[Sample], tmp_path: Path
    ) -> None:
        for sample in samples:
            pages = [page.text for page in _pages(reader, sample.data, tmp_path) if page.text]
            for one, next_one in pairwise(pages):
                assert one[-1].isspace() or next_one[0].isspace(), f"{sample.name}: {one[-20:]!r} {next_one[:20]!r}"

    def test_nothing_is_kept_between_documents(
        self, reader: DocumentReader, samples: Sequence[Sample], tmp_path: Path
    ) -> None:
        first = [_pages(reader, sample.data, tmp_path) for sample in samples]
        again = [_pages(reader, sample.data, tmp_path) for sample in reversed(samples)]
        assert first == again[::-1]

    def test_reading_that_is_given_up_closes_the_file(
        self, reader: DocumentReader, samples: Sequence[Sample], tmp_path: Path
    ) -> None:
        open_files = Path("/proc/self/fd")
        if not open_files.is_dir():
            pytest.skip("this system does not tell which files are open")
        for sample in samples:
            path = tmp_path / "document"
            path.write_bytes(sample.data)
            reading = reader.read(path)
            next(iter(reading))
            close = getattr(reading, "close", None)
            assert close is not None, "read is a generator"
            close()
            still = [entry for entry in open_files.iterdir() if _leads_to(entry) == str(path)]
            assert still == []

    def test_an_empty_file_is_refused_with_a_reason(self, reader: DocumentReader, tmp_path: Path) -> None:
        assert "empty" in _refusal(reader, b"", tmp_path)

    def test_broken_documents_are_refused_with_a_reason(
        self, reader: DocumentReader, broken: Mapping[str, bytes], tmp_path: Path
    ) -> None:
        assert broken, "give at least one"
        for title, data in broken.items():
            message = _refusal(reader, data, tmp_path)
            assert len(message.split()) >= 4 and message.endswith("."), f"{title}: say what is wrong: {message!r}"
            for trace in (str(tmp_path), "Traceback", "Error(", "object at 0x"):
                assert trace not in message, f"{title}: {message!r} is not for a user"

    def test_damage_gives_pages_or_a_refusal(
        self, reader: DocumentReader, samples: Sequence[Sample], tmp_path: Path
    ) -> None:
        chance = random.Random(1)
        for sample in samples:
            for data in _damaged(sample.data, chance):
                try:
                    text_in(_pages(reader, data, tmp_path)).encode()
                except ToolError as refusal:
                    assert refusal.message.strip()


def _pages(reader: DocumentReader, data: bytes, folder: Path) -> list[Page]:
    # The kernel keeps documents under names of its own: reading has only the content to go by.
    path = folder / "document"
    path.write_bytes(data)
    return list(reader.read(path))


@contextmanager
def _imported_anew(name: str) -> Iterator[tuple[ModuleType, set[str]]]:
    """The reader's module, run anew with its package, and what it imports meanwhile, loaded before or not."""
    package = name.rpartition(".")[0] or name
    held = {key: module for key, module in sys.modules.items() if key == package or key.startswith(f"{package}.")}
    imported: set[str] = set()
    load = builtins.__import__

    def noted(wanted: str, scope: Any = None, *rest: Any) -> Any:
        if str((scope or {}).get("__name__", "")).startswith(package):
            imported.add(wanted.partition(".")[0] or package.partition(".")[0])
        return load(wanted, scope, *rest)

    for key in held:
        del sys.modules[key]
    try:
        with patch.object(builtins, "__import__", noted):
            yield importlib.import_module(name), imported
    finally:
        for key in [key for key in sys.modules if key == package or key.startswith(f"{package}.")]:
            del sys.modules[key]
        sys.modules.update(held)


def _refusal(reader: DocumentReader, data: bytes, folder: Path) -> str:
    with pytest.raises(ToolError) as refused:
        _pages(reader, data, folder)
    return refused.value.message


def _leads_to(entry: Path) -> str:
    try:
        return str(entry.readlink())
    except OSError:
        return ""


def _damaged(data: bytes, chance: random.Random) -> list[bytes]:
    """The document cut short, with bytes changed, and with a part missing; the same every time."""
    places = [chance.randrange(1, len(data)) for _ in range(12)]
    cut = [data[:place] for place in places[:4]]
    holes = [data[:place] + data[place + 1 + len(data) // 10 :] for place in places[4:8]]
    changed = []
    for _ in places[8:]:
        spoiled = bytearray(data)
        for _ in range(10):
            spoiled[chance.randrange(len(data))] = chance.randrange(256)
        changed.append(bytes(spoiled))
    return [*cut, *holes, *changed]
