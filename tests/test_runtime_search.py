"""Finding, renaming, writing out and clearing conversations: bounded, and never anybody else's."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentic import Conflict, Message, Principal, StorageError, ToolCall
from agentic.errors import SessionNotFound
from agentic.messages import ImagePart, TextPart
from agentic.runtime import search as searching
from agentic.runtime.clearing import delete_conversations
from agentic.runtime.conversations import Conversations, written
from agentic.runtime.markdown import as_markdown
from agentic.runtime.search import search
from agentic.runtime.spaces import of_user
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_storage import MemoryStorage
from agentic_storage_files.backend import FileStorage
from tests.kernel_in_memory import ALICE, House
from tests.scopes import scope_over

MALLORY = Principal("u-mallory", "mallory")


def conversations(storage: MemoryStorage, who: Principal = ALICE) -> Conversations:
    return Conversations(of_user(scope_over(storage, MemoryBlobs()), who), who.id)


async def talked(found: Conversations, *messages: Message, **marks: Any) -> str:
    """A conversation of these messages."""
    session_id = found.new_id()
    question, *others = messages
    await found.begin(session_id, await found.turn(session_id, [question], new=True), new=True, run_id="run")
    await found.finish(session_id, [written(message, run_id="run", **marks) for message in others])
    return session_id


def user(text: str) -> Message:
    return Message("user", text)


def bot(text: str) -> Message:
    return Message("assistant", text)


async def found_in(conversations: Conversations, query: str, **more: Any) -> list[str]:
    more = {"after": None, "limit": 20, **more}
    return [head["session_id"] for head in (await search(conversations, query, **more))["conversations"]]


async def test_another_users_words_are_not_found() -> None:
    storage = MemoryStorage()
    await talked(conversations(storage), user("the secret is 4711"))
    answer = await search(conversations(storage, MALLORY), "secret", after=None, limit=20)
    assert answer == {"conversations": [], "next": None, "searched": 0}


async def test_every_word_must_stand_in_one_message_or_in_the_title() -> None:
    mine = conversations(MemoryStorage())
    one = await talked(mine, user("Where is the red house?"), bot("By the blue lake."))
    assert await found_in(mine, "red HOUSE") == [one]
    assert await found_in(mine, "lake blue") == [one]
    assert await found_in(mine, "red lake") == []
    await mine.rename(one, "Summer holidays")
    assert await found_in(mine, "summer") == [one]


@pytest.mark.parametrize(
    ("said", "sought"),
    [("STRASSE", "straße"), ("cafe\u0301", "café"), ("Ärger", "ärger"), ("ﬁle", "FILE"), ("100% sure_", "% sure_")],
)
async def test_case_and_composition_of_letters_do_not_matter(said: str, sought: str) -> None:
    mine = conversations(MemoryStorage())
    assert await found_in(mine, sought) == []
    one = await talked(mine, user("x"), bot(f"so: {said}!"))
    assert await found_in(mine, sought) == [one]


async def test_what_the_user_never_read_is_not_found() -> None:
    mine = conversations(MemoryStorage())
    await talked(mine, user("x"), Message("system", "needle"), Message("tool", "needle", tool_call_id="1"))
    await talked(mine, user("x"), bot("needle"), internal=True)
    assert await found_in(mine, "needle") == []


async def test_text_of_messages_with_pictures_is_found() -> None:
    mine = conversations(MemoryStorage())
    one = await talked(mine, Message("user", (TextPart("a needle"), ImagePart("image/png", "AAAA"))), bot("fine"))
    assert await found_in(mine, "needle") == [one]
    assert await found_in(mine, "AAAA") == []


async def test_places_are_shown_with_what_stands_around_them() -> None:
    mine = conversations(MemoryStorage())
    long = f"{'before ' * 40}the needle\nis here{' after' * 40}"
    session_id = await talked(mine, user("x"), *[bot(long)] * 5)
    [head] = (await search(mine, "needle", after=None, limit=5))["conversations"]
    assert list(head) == ["session_id", "user_id", "created_at", "updated_at", "title", "matches"]
    assert (head["session_id"], len(head["matches"])) == (session_id, searching.SHOWN)
    match = head["matches"][0]
    assert list(match) == ["role", "timestamp", "text"]
    assert match["role"] == "assistant"
    assert match["text"].startswith("…")
    assert match["text"].endswith("…")
    assert "the needle is here" in match["text"]
    assert len(match["text"]) < 200


async def test_search_goes_on_where_it_has_stopped_and_finds_each_once() -> None:
    mine = conversations(MemoryStorage())
    ids = [await talked(mine, user(f"{n} {'needle' if n % 3 == 0 else 'hay'}")) for n in range(70)]
    found: list[str] = []
    after = None
    while True:
        answer = await search(mine, "needle", after=after, limit=4)
        found += [head["session_id"] for head in answer["conversations"]]
        after = answer["next"]
        if after is None:
            break
    assert sorted(found) == sorted(ids[::3])


async def test_one_search_reads_no_more_than_its_bound_and_says_where_to_go_on(monkeypatch: Any) -> None:
    monkeypatch.setattr(searching, "MOST_MESSAGES", 30)
    mine = conversations(MemoryStorage())
    needle = await talked(mine, user("needle"))
    for _ in range(10):
        await talked(mine, user("hay"), *[bot("hay")] * 9)
    first = await search(mine, "needle", after=None, limit=5)
    assert (first["conversations"], first["searched"]) == ([], 30)
    found, after, rounds = [], first["next"], 1
    while after is not None:
        answer = await search(mine, "needle", after=after, limit=5)
        found += answer["conversations"]
        after, rounds = answer["next"], rounds + 1
    assert [head["session_id"] for head in found] == [needle]
    assert rounds < 6


async def test_search_after_a_conversation_that_is_gone_says_so() -> None:
    with pytest.raises(SessionNotFound):
        await search(conversations(MemoryStorage()), "x", after="0" * 24, limit=5)


async def test_new_title_is_one_line_and_stays() -> None:
    mine = conversations(MemoryStorage())
    session_id = await talked(mine, user("hello"))
    head = await mine.rename(session_id, " Two\n lines ")
    assert head["title"] == "Two lines"
    later = await mine.turn(session_id, [user("more")], new=False)
    await mine.begin(session_id, later, new=False, run_id="run-2")
    assert [one["title"] for one in await mine.page(after=None, limit=5)] == ["Two lines"]


class Interrupted(MemoryStorage):
    """Calls ``meanwhile`` before the next save of a document that is there already."""

    meanwhile: Any = None

    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        if self.meanwhile is not None and if_version:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return await super().save(key, value, if_version=if_version)


async def test_title_given_while_a_turn_is_stored_is_not_lost() -> None:
    storage = Interrupted()
    mine = conversations(storage)
    session_id = await talked(mine, user("hello"))
    storage.meanwhile = lambda: mine.rename(session_id, "kept")
    turn = await mine.turn(session_id, [user("more")], new=False)
    await mine.begin(session_id, turn, new=False, run_id="run-2")
    [head] = await mine.page(after=None, limit=5)
    assert head["title"] == "kept"
    assert len(await mine.log(session_id)) == 2


async def test_conversation_deleted_while_it_is_renamed_does_not_come_back() -> None:
    storage = Interrupted()
    mine = conversations(storage)
    session_id = await talked(mine, user("hello"))
    storage.meanwhile = lambda: mine.delete(session_id)
    with pytest.raises((SessionNotFound, Conflict)):
        await mine.rename(session_id, "ghost")
    assert await storage.list("") == []


@pytest.mark.parametrize("session_id", ["", "x", "0" * 24, "../0"])
async def test_conversation_that_is_not_there_has_no_title_and_no_log(session_id: str) -> None:
    mine = conversations(MemoryStorage())
    with pytest.raises(SessionNotFound):
        await mine.rename(session_id, "x")
    assert await mine.log(session_id) == []


async def test_markdown_has_everything_that_was_said_and_done() -> None:
    mine = conversations(MemoryStorage())
    call = ToolCall("run-1", "look", {"at": "```\nit"})
    session_id = await talked(
        mine,
        Message("user", (TextPart("See this"), ImagePart("image/png", "AAAA"))),
        Message("assistant", "", tool_calls=(call, ToolCall("run-2", "odd", {}, malformed="{not json"))),
        Message("tool", "```\na block\n```", tool_call_id="run-1", name="look"),
        bot("Done."),
    )
    page = as_markdown("A title", await mine.read(session_id))
    assert page.startswith(f"# A title\n\nConversation {session_id}, begun 20")
    for told in [
        "## User, 20",
        "See this\n\n*(a picture, image/png)*",
        "*Calls look:*",
        "*Calls odd:*\n\n```\n{not json\n```",
        "## Result of a tool look, 20",
        "````\n```\na block\n```\n````",
        "## Assistant, 20",
        "Done.",
    ]:
        assert told in page
    assert page.endswith("Done.\n")


async def test_markdown_of_an_answer_that_was_cut_off_says_so() -> None:
    mine = conversations(MemoryStorage())
    session_id = await talked(mine, user("hello"), bot("hal"), incomplete=True)
    page = as_markdown("", await mine.read(session_id))
    assert page.startswith("# Conversation\n")
    assert " (incomplete)\n\nhal\n" in page


async def test_clearing_removes_everything_of_one_user_and_nothing_of_another() -> None:
    kernel = House(lambda run: _say(run, "fine"))
    for _ in range(3):
        await kernel.log()
    other = await kernel.ask(who=MALLORY)
    await other.log()
    receipt = await delete_conversations(kernel.engine, ALICE)
    assert receipt == {
        "deleted": True,
        "conversations": 3,
        "messages": 6,
        "runs": 3,
        "files": 0,
        "kept_by_plugins": 0,
    }
    assert await kernel.storage.list(f"spaces/{ALICE.id}/") == []
    assert len(await kernel.conversation(other)) == 2
    again = await delete_conversations(kernel.engine, ALICE)
    assert (again["deleted"], again["conversations"]) == (True, 0)


async def test_conversation_that_cannot_be_read_hides_no_other_and_clearing_does_not_say_that_all_is_gone(
    tmp_path: Path,
) -> None:
    kernel = House(lambda run: _say(run, "fine"), storage=FileStorage(tmp_path))
    for _ in range(3):
        await kernel.log()
    mine = kernel.engine.conversations(ALICE)
    ids = [head["session_id"] for head in await mine.page(after=None, limit=3)]
    damaged = tmp_path / f"conversations/{ALICE.id}/{ids[1]}.json"
    await asyncio.to_thread(damaged.write_text, '{"version": 1, "val')
    assert [head["session_id"] for head in await mine.page(after=None, limit=3)] == [ids[0], ids[2]]
    assert await found_in(mine, "hello") == [ids[0], ids[2]]
    with pytest.raises(StorageError, match=f"{ids[1]}.json is damaged"):
        await mine.read(ids[1])
    with pytest.raises(StorageError, match=f"{ids[1]}.json is damaged"):
        await delete_conversations(kernel.engine, ALICE)
    assert await mine.page(after=None, limit=3) == []
    assert (await kernel.engine.delete_conversation(ids[1], ALICE))["messages"] == 2
    assert not await asyncio.to_thread(lambda: list(tmp_path.rglob(f"*{ids[1]}*")))
    await kernel.storage.aclose()


async def test_clearing_ends_what_is_at_work_first() -> None:
    started = asyncio.Event()

    async def endless(run: Any) -> None:
        run.say("half")
        started.set()
        await asyncio.Event().wait()

    kernel = House(endless)
    live = await kernel.ask()
    await started.wait()
    await delete_conversations(kernel.engine, ALICE)
    await live.log()
    assert await kernel.storage.list(f"spaces/{ALICE.id}/") == []
    assert await kernel.storage.read(f"spaces/{ALICE.id}/runs/{live.id}") == []


async def _say(run: Any, text: str) -> None:
    run.say(text)


@pytest.mark.parametrize(
    ("cut", "end"),
    [
        ("```python\nprint(1", "```"),
        ("~~~~\n```\nx\n~~~", "~~~~"),
        ("done:\n```\nx\n```\n  ````md\n```\ny", "````"),
        ("```\n    ```", "```"),
        ("```\nx\n```", None),
        ("```` is `` no fence ```", None),
        ("so:\n\n    ```\n    indented", None),
    ],
)
async def test_code_that_was_cut_off_does_not_swallow_the_rest_of_the_page(cut: str, end: str | None) -> None:
    mine = conversations(MemoryStorage())
    session_id = await talked(mine, user("write it"), bot(cut), user("go on"))
    page = as_markdown("", await mine.read(session_id))
    closed = f"{cut}\n{end}" if end else cut
    assert f"\n\n{closed.strip()}\n\n## User, " in page


@pytest.mark.parametrize(("said", "sought"), [("Straße", "strasse"), ("cafe\u0301", "caf\u00e9"), ("ﬁne", "fine")])
async def test_the_place_is_shown_where_a_word_is_written_otherwise(said: str, sought: str) -> None:
    mine = conversations(MemoryStorage())
    await talked(mine, user("ßßß before " * 100 + f"in the {said} it is " + "after " * 100))
    (head,) = (await search(mine, sought, after=None, limit=20))["conversations"]
    assert said in head["matches"][0]["text"]
