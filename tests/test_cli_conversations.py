"""``agentic conversations``: what it prints, what it refuses, and that it asks before it deletes everything."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from agentic import Message, Principal, Run
from agentic.cli.conversations import conversations
from agentic.cli.output import write_new
from agentic.errors import BadRequest
from agentic.runtime.conversations import Conversations, written
from agentic.runtime.files import once
from agentic.runtime.spaces import of_user
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import House
from tests.scopes import scope_over

Agentic = Callable[..., Result]
LOCAL = Principal("local", "local")


async def _nobody(*_: Any) -> None:
    return None


async def _silent(_: Run) -> None:
    return None


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> MemoryStorage:
    storage = MemoryStorage()

    @asynccontextmanager
    async def open_kernel(_settings: Any, **_: Any) -> AsyncIterator[Any]:
        users = SimpleNamespace(find=_nobody)
        identity = SimpleNamespace(users=users, sole_admin=_nobody)
        yield SimpleNamespace(storage=storage, engine=House(_silent, storage=storage).engine, identity=identity)

    kernel: Any = ModuleType("agentic.kernel")
    kernel.open_kernel = open_kernel
    monkeypatch.setitem(sys.modules, "agentic.kernel", kernel)
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    return storage


@pytest.fixture
def agentic(storage: MemoryStorage) -> Agentic:
    app = typer.Typer()
    app.add_typer(conversations, name="conversations")
    return lambda *words, typed="": CliRunner().invoke(app, ["conversations", *words], input=typed)


@pytest.fixture
def session_id(storage: MemoryStorage) -> str:
    """A conversation about a red house."""

    async def talk() -> str:
        mine = Conversations(of_user(scope_over(storage, MemoryBlobs()), LOCAL), LOCAL.id)
        session_id = mine.new_id()
        turn = await mine.turn(session_id, [Message("user", "Where is the \x1b[31mred house?")], new=True)
        await mine.begin(session_id, turn, new=True, run_id="run")
        await mine.finish(session_id, [written(Message("assistant", "By the lake."), run_id="run")])
        return session_id

    return asyncio.run(talk())


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("export", "0" * 24), 1, "There is no conversation"),
        (("rename", "0" * 24, "x"), 1, "There is no conversation"),
        (("rename", "0" * 24, " "), 2, "1 to 200 characters"),
        (("rename", "0" * 24, "x" * 201), 2, "1 to 200 characters"),
        (("delete", "0" * 24), 1, "There is no conversation"),
        (("delete",), 2, "name one conversation, or say --all"),
        (("delete", "0" * 24, "--all"), 2, "name one conversation, or say --all"),
        (("search", " "), 2, "nothing to search for"),
        (("search", "x", "--after", "0" * 24), 1, "There is no conversation"),
        (("list", "--user", "nobody"), 1, "no enabled user 'nobody'"),
    ],
)
def test_what_cannot_be_done_is_told(agentic: Agentic, words: tuple[str, ...], code: int, told: str) -> None:
    done = agentic(*words)
    assert done.exit_code == code
    # Messages are wrapped within a box.
    assert told in " ".join(done.stderr.replace("│", " ").split())
    assert done.stdout == ""


def test_nothing_there_is_said_apart_from_the_output(agentic: Agentic) -> None:
    listed, found = agentic("list"), agentic("search", "house")
    assert (listed.exit_code, listed.stdout, listed.stderr) == (0, "", "No conversations.\n")
    assert (found.exit_code, found.stdout, found.stderr) == (0, "", "Nothing was found.\n")


def test_titles_cannot_steer_the_terminal(agentic: Agentic, session_id: str) -> None:
    listed = agentic("list").stdout
    assert listed.startswith(session_id)
    assert "\x1b" not in listed
    assert "\x1b" not in agentic("search", "house").stdout


def test_conversation_is_found_by_its_words_and_renamed(agentic: Agentic, session_id: str) -> None:
    found = agentic("search", "the", "LAKE")
    assert found.stdout.splitlines()[1] == "    assistant: By the lake."
    assert agentic("rename", session_id, "Holidays").stdout.rstrip().endswith("Holidays")
    listed = json.loads(agentic("list", "--json").stdout)["conversations"]
    assert [head["title"] for head in listed] == ["Holidays"]
    assert json.loads(agentic("search", "holidays", "--json").stdout)["conversations"][0]["session_id"] == session_id


def test_more_than_one_search_reads_is_told_with_how_to_go_on(agentic: Agentic, session_id: str) -> None:
    done = agentic("search", "house", "--limit", "1")
    assert done.stderr == ""
    assert session_id in done.stdout


def test_export_goes_to_the_output_or_into_a_new_file(agentic: Agentic, session_id: str, tmp_path: Path) -> None:
    exported = json.loads(agentic("export", session_id).stdout)
    assert [message["content"] for message in exported["messages"]][1] == "By the lake."
    target = tmp_path / "one.md"
    written = agentic("export", session_id, "--format", "markdown", "--output", str(target))
    assert (written.exit_code, written.stdout) == (0, "")
    assert target.read_text().endswith("By the lake.\n")
    again = agentic("export", session_id, "--output", str(target))
    assert (again.exit_code, "File exists" in again.stderr) == (1, True)
    assert target.read_text().endswith("By the lake.\n")


def test_one_conversation_is_deleted_with_a_receipt(agentic: Agentic, session_id: str) -> None:
    receipt = json.loads(agentic("delete", session_id).stdout)
    assert (receipt["deleted"], receipt["messages"]) == (True, 2)
    assert agentic("delete", session_id).exit_code == 1


def test_all_are_deleted_only_after_a_yes(agentic: Agentic, session_id: str) -> None:
    assert agentic("delete", "--all", typed="n\n").exit_code == 1
    assert session_id in agentic("list").stdout
    receipt = json.loads(agentic("delete", "--all", "--yes").stdout)
    assert receipt["conversations"] == 1
    assert agentic("list").stdout == ""


def test_export_that_does_not_fit_on_the_disk_leaves_no_half_of_it(tmp_path: Path) -> None:
    target = tmp_path / "it.json"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(BadRequest, match="too large"):
            asyncio.run(write_new(target, once(b"x" * 100_000)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not target.exists()
