"""The kit for readers passes what keeps its promises, and fails what breaks one."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agentic import DocumentReader, Page, ToolError
from agentic.testing.foreign_files import FOREIGN
from agentic.testing.reader import DocumentReaderConformance, Sample
from tests.reader_of_lines import MARK, LineReader

KIND = "application/x-lines"
SAMPLES = [Sample("plan.lines", MARK + "# Plan\nfirst, äöü\nsecond\n".encode(), KIND, ["Plan", "first, äöü", "second"])]
BROKEN = {"no mark": b"first\nsecond\n"}
REFUSED = (AssertionError, pytest.fail.Exception, ValueError, KeyError)


class TestLines(DocumentReaderConformance):
    @pytest.fixture
    def reader(self) -> DocumentReader:
        return LineReader()

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        return SAMPLES

    @pytest.fixture
    def broken(self) -> Mapping[str, bytes]:
        return BROKEN


class HasNoName(LineReader):
    name = " "


class ShoutsItsType(LineReader):
    media_types = ("Application/X-Lines",)


class ReadsMoreThanItShows(LineReader):
    media_types = (KIND, "application/x-more-lines")


class NeedsArguments(LineReader):
    def __init__(self, *needed: object) -> None:
        if not needed:
            raise ValueError("no settings given")


class GoesByTheName(LineReader):
    def recognise(self, head: bytes, name: str) -> str | None:
        return KIND if name.endswith(".lines") else None


class TakesEverything(LineReader):
    def recognise(self, head: bytes, name: str) -> str | None:
        return KIND


class FallsOverOddHeads(LineReader):
    def recognise(self, head: bytes, name: str) -> str | None:
        json.loads(head)
        return KIND


class InventsTypes(LineReader):
    def recognise(self, head: bytes, name: str) -> str | None:
        return "text/invented"


class ImportsToRecognise(LineReader):
    def recognise(self, head: bytes, name: str) -> str | None:
        import yaml

        assert yaml
        return super().recognise(head, name)


class ReadsBackwards(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        for page in reversed(list(super().read(path))):
            yield Page(page.text)


class NumbersBackwards(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        for page in super().read(path):
            yield Page(page.text, 100 - page.number)


class LeavesNul(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        for page in super().read(path):
            yield Page(f"{page.text}\x00")


class LeavesHalvesOfCharacters(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        for page in super().read(path):
            yield Page(f"\ud800{page.text}")


class HeadsWithNothing(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        for page in super().read(path):
            yield Page(page.text, page.number, ("",))


class RunsPagesTogether(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        for page in super().read(path):
            yield Page(page.text.strip())


class RemembersTheLast(LineReader):
    last: str = ""

    def read(self, path: Path) -> Iterator[Page]:
        yield Page(RemembersTheLast.last)
        for page in super().read(path):
            RemembersTheLast.last += page.text
            yield page


class KeepsTheFileOpen(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        self.source = path.open("rb")
        yield from super().read(path)


class GivesAList(LineReader):
    def read(self, path: Path) -> Any:
        return list(super().read(path))


class TakesNothingForText(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        if path.stat().st_size:
            yield from super().read(path)


class LetsErrorsThrough(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        data = path.read_bytes()
        if not data.startswith(MARK):
            raise KeyError("mark")
        data.decode()
        yield from super().read(path)


class TellsTheFolder(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        if not path.read_bytes().startswith(MARK):
            raise ToolError(f"The file {path} cannot be read, as it has no mark.")
        yield from super().read(path)


class SaysTooLittle(LineReader):
    def read(self, path: Path) -> Iterator[Page]:
        if not path.read_bytes().startswith(MARK):
            raise ToolError("bad file")
        yield from super().read(path)


@pytest.mark.parametrize(
    ("broken_reader", "test"),
    [
        (HasNoName, "test_it_says_what_it_reads"),
        (ShoutsItsType, "test_it_says_what_it_reads"),
        (ReadsMoreThanItShows, "test_samples_cover_each_media_type"),
        (NeedsArguments, "test_a_worker_can_make_its_own"),
        (InventsTypes, "test_recognises_its_samples"),
        (GoesByTheName, "test_content_decides_where_it_can"),
        (GoesByTheName, "test_foreign_content_is_not_its_own"),
        (TakesEverything, "test_foreign_content_is_not_its_own"),
        (FallsOverOddHeads, "test_recognising_never_raises"),
        (InventsTypes, "test_recognising_never_raises"),
        (ImportsToRecognise, "test_recognising_imports_no_library"),
        (ReadsBackwards, "test_finds_the_text_in_reading_order"),
        (NumbersBackwards, "test_pages_are_sound"),
        (LeavesNul, "test_pages_are_sound"),
        (LeavesHalvesOfCharacters, "test_pages_are_sound"),
        (HeadsWithNothing, "test_pages_are_sound"),
        (RunsPagesTogether, "test_words_of_neighbouring_pages_stay_apart"),
        (RemembersTheLast, "test_nothing_is_kept_between_documents"),
        (KeepsTheFileOpen, "test_reading_that_is_given_up_closes_the_file"),
        (GivesAList, "test_reading_that_is_given_up_closes_the_file"),
        (TakesNothingForText, "test_an_empty_file_is_refused_with_a_reason"),
        (LetsErrorsThrough, "test_broken_documents_are_refused_with_a_reason"),
        (TellsTheFolder, "test_broken_documents_are_refused_with_a_reason"),
        (SaysTooLittle, "test_broken_documents_are_refused_with_a_reason"),
        (LetsErrorsThrough, "test_damage_gives_pages_or_a_refusal"),
        (LeavesHalvesOfCharacters, "test_damage_gives_pages_or_a_refusal"),
    ],
)
def test_broken_readers_are_caught(broken_reader: type[LineReader], test: str, tmp_path: Path) -> None:
    reader = broken_reader("settings") if broken_reader is NeedsArguments else broken_reader()  # type: ignore[call-arg]
    offered = {"reader": reader, "samples": SAMPLES, "broken": BROKEN, "tmp_path": tmp_path}
    run = getattr(DocumentReaderConformance(), test)
    with pytest.raises(REFUSED):
        run(**{name: offered[name] for name in inspect.signature(run).parameters})


def test_a_class_within_a_function_is_caught() -> None:
    class Hidden(LineReader):
        pass

    with pytest.raises(AssertionError, match="top of its module"):
        DocumentReaderConformance().test_a_worker_can_make_its_own(Hidden())


def test_no_broken_document_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="at least one"):
        DocumentReaderConformance().test_broken_documents_are_refused_with_a_reason(LineReader(), {}, tmp_path)


def test_foreign_files_are_of_many_kinds_and_none_is_empty() -> None:
    assert len(FOREIGN) > 12
    assert all(len(data) > 20 for data in FOREIGN.values())
