"""Documents from the command line: a folder at a time, told how it went, and indexed anew where it was cut short."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from agentic import kernel, logs
from agentic.cli.main import app
from agentic.documents import ingestion
from tests.document_fixtures import PLUGINS
from tests.document_plugins import LineIndexer

Command = Callable[..., Any]


@pytest.fixture
def agentic(site: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """``agentic documents`` in this process, over the plugins for tests."""
    monkeypatch.setenv("DATA_DIR", str(data))
    monkeypatch.setattr(kernel, "open_kernel", partial(kernel.open_kernel, only=PLUGINS))
    monkeypatch.setattr(logs, "configure", lambda *_, **__: lambda: None)
    monkeypatch.setattr(ingestion, "FIRST_WAIT_S", 0.001)
    monkeypatch.setattr(ingestion, "LONGEST_WAIT_S", 0.001)
    return lambda *words: CliRunner().invoke(app, ["documents", *map(str, words)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two readable files, one that nobody reads, and a hidden one."""
    folder = tmp_path / "papers"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a tower\nof stone")
    (folder / "deep" / "b.txt").write_text("a sea")
    (folder / "picture.raw").write_bytes(b"\x00\x01")
    (folder / ".hidden").write_text("a secret")
    return folder


def ids(agentic: Command, *words: str) -> dict[str, dict[str, Any]]:
    """The documents by name."""
    return {one["filename"]: one for one in json.loads(agentic("list", "--json", *words).stdout)}


def test_what_cannot_be_done_is_told_with_its_fix(agentic: Command, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "raw.txt").write_bytes(b"\x00")
    (tmp_path / "locked.txt").write_text("ENCRYPTED")
    for words, told in (
        (("add", tmp_path / "nowhere"), "does not exist"),
        (("add", tmp_path / "empty.txt"), "The file is empty."),
        (("add", tmp_path / "raw.txt"), "Types that can: application/pdf"),
        (("add", tmp_path / "locked.txt"), "locked.txt: It is encrypted."),
        (("add", tmp_path / "locked.txt", "--user", "nobody"), "agentic users list"),
        (("delete", "nothing"), "There is no document 'nothing'. Run: agentic documents list"),
        (("delete", "locked.txt", "--user", "bob"), "There is no document 'locked.txt'"),
        (("search", "stale"), "agentic documents reindex"),
    ):
        done = agentic(*words)
        assert done.exit_code in (1, 2), done.output
        assert told in " ".join(done.stderr.replace("│", " ").split())
        assert "Traceback" not in done.output
    assert agentic("add", tmp_path / "locked.txt").exit_code == 1
    named_twice = agentic("delete", "locked.txt")
    assert "There are 2 documents named 'locked.txt'; say which by its id: doc_" in named_twice.stderr


@pytest.mark.parametrize("written", ['{"version": 1, "value": {"na', '{"version": 1, "value": {"name": "a.txt"}}'])
def test_damaged_record_hides_no_other_is_named_by_doctor_and_can_be_deleted(
    agentic: Command, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    data = tmp_path / "edited"
    monkeypatch.setenv("STORAGE", "files")
    monkeypatch.setenv("DATA_DIR", str(data))
    edited = tuple("storage_files" if name == "storage_sqlite" else name for name in PLUGINS)
    monkeypatch.setattr(kernel, "open_kernel", partial(kernel.open_kernel.func, only=edited))  # type: ignore[attr-defined]
    assert agentic("add", folder).exit_code == 0
    document_id = ids(agentic)["a.txt"]["file_id"]
    [record] = data.rglob(f"documents/{document_id}.json")
    record.write_text(written)

    assert list(ids(agentic)) == ["b.txt"]
    found = agentic("search", "tower")
    assert (found.exit_code, found.stdout) == (0, ""), found.output
    told = CliRunner().invoke(app, ["doctor"])
    assert f"{document_id}" in told.stdout and "is damaged" in told.stdout
    assert f"Or delete it: agentic documents delete {document_id}" in told.stdout

    deleted = agentic("delete", document_id)
    assert deleted.exit_code == 0, deleted.output
    assert f"Deleted a.txt ({document_id}): 16 bytes" in deleted.stderr
    assert not list(data.rglob(f"*{document_id}*"))
    assert "is damaged" not in CliRunner().invoke(app, ["doctor"]).stdout
    assert agentic("delete", document_id).stderr == "error: There is no such document.\n"


def test_folder_is_added_listed_searched_and_deleted(agentic: Command, folder: Path) -> None:
    added = agentic("add", folder)
    assert added.exit_code == 0, added.output
    assert "Added 2 of 3 files: 3 chunks." in added.stderr
    assert f"Passed over: {folder / 'picture.raw'}" in added.stderr.replace("\n", "")
    known = ids(agentic)
    assert {name: one["status"] for name, one in known.items()} == {"a.txt": "ready", "b.txt": "ready"}
    assert known["a.txt"]["file_id"] in agentic("list").stdout
    assert ids(agentic, "--user", "bob") == {}
    found = agentic("search", "tower")
    assert found.stdout == "[1.00] a.txt\na tower\n\n"
    passages = json.loads(agentic("search", "a ", "--json", "--top-k", "1").stdout)["passages"]
    assert len(passages) == 1
    assert "Nothing was found." in agentic("search", "nowhere").stderr
    deleted = agentic("delete", "a.txt", known["b.txt"]["file_id"])
    assert f"Deleted a.txt ({known['a.txt']['file_id']}): 16 bytes, 1 pages, 2 chunks." in deleted.stderr
    assert "No documents yet." in agentic("list").stderr


def test_reindexing_goes_on_where_it_was_cut_short(
    agentic: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        (folder / f"more-{number}.txt").write_text(f"line {number}")
    assert agentic("add", folder).exit_code == 0
    LineIndexer.calls = 0
    index = LineIndexer.index

    async def cut(self: LineIndexer, *arguments: Any) -> int:
        if LineIndexer.calls == 3:
            raise KeyboardInterrupt
        return await index(self, *arguments)

    monkeypatch.setattr(LineIndexer, "index", cut)
    monkeypatch.setenv("DOCUMENTS_AT_ONCE", "1")
    assert agentic("reindex").exit_code != 0
    monkeypatch.setattr(LineIndexer, "index", index)
    again = agentic("reindex")
    assert again.exit_code == 0, again.output
    assert LineIndexer.calls == 6
    assert {one["status"] for one in ids(agentic).values()} == {"ready"}
    assert "Indexed 6 of 6 documents." in agentic("reindex", "--user", "ann").stderr
    assert LineIndexer.calls == 12


def test_leftovers_are_told_by_the_doctor(agentic: Command, folder: Path, data: Path) -> None:
    assert agentic("add", folder / "a.txt").exit_code == 0
    doctor = partial(CliRunner().invoke, app)
    assert "left over: nothing" in doctor(["doctor", "--orphans"]).stdout
    stray = data / "files" / "spaces" / "nobody" / "left.txt"
    stray.parent.mkdir()
    stray.write_text("left")
    found = doctor(["doctor", "--orphans"])
    assert (found.exit_code, "left over: file spaces/nobody/left.txt" in found.stdout) == (1, True)
    removed = doctor(["doctor", "--orphans", "--remove"])
    assert (removed.exit_code, "left over, removed: file" in removed.stdout) == (0, True)
    assert not stray.exists()
    assert doctor(["doctor", "--remove"]).exit_code == 2
