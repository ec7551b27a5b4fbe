"""Conversations: nothing is given to the model twice, nothing is lost, and nobody sees another's."""

from __future__ import annotations

import asyncio
import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agentic import Conflict, Message, Principal, Run, ToolCall
from agentic.errors import NotFound, SessionNotFound
from agentic.messages import Json, TextPart
from agentic.runtime.conversations import SESSION_ID, Conversations, Turn, timestamp, written
from agentic.runtime.joining import join
from agentic.runtime.spaces import of_user
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import ALICE, House, events, said
from tests.scopes import scope_over

BRIEF, LONG = Message("system", "Be brief."), Message("system", "Be long.")


def user(text: str) -> Message:
    return Message("user", text)


def bot(text: str) -> Message:
    return Message("assistant", text)


A, B, C, D, E = user("A"), bot("B"), user("C"), bot("D"), user("E")


def stored(*messages: Message | Json) -> list[Json]:
    return [written(message) if isinstance(message, Message) else message for message in messages]


SILENT = written(bot(""), incomplete=True)
JOINS: list[tuple[str, Sequence[Message | Json], Sequence[Message], Sequence[Message], Sequence[Message]]] = [
    ("first message", [], [A], [A], [A]),
    ("new message only", [A, B], [C], [A, B, C], [C]),
    ("whole history", [A, B, C, D], [A, B, C, D, E], [A, B, C, D, E], [E]),
    ("trimmed history", [A, B, C, D], [C, D, E], [A, B, C, D, E], [E]),
    ("history trimmed to the answer", [A, B, C, D], [D, E], [A, B, C, D, E], [E]),
    ("several new messages", [A, B], [C, E], [A, B, C, E], [C, E]),
    ("same question again", [A, B], [A], [A, B, A], [A]),
    ("edited answer", [A, B], [A, bot("b"), C], [A, bot("b"), C], [C]),
    ("edited question", [A, B, C, D], [A, B, E], [A, B, E], [E]),
    ("foreign history", [A, B], [user("x"), bot("y"), C], [user("x"), bot("y"), C], [C]),
    ("retry of a turn without any answer", [A, B, C], [A, B, C], [A, B, C], []),
    ("retry of a failed turn", [A, B, C, SILENT], [A, B, C], [A, B, C], []),
    ("going on after a failed turn", [A, SILENT], [C], [A, C], [C]),
    ("retry of a cut turn", [A, B, C, bot("half")], [A, B, C], [A, B, C], [C]),
    (
        "parts are text",
        [user("AB"), B],
        [Message("user", (TextPart("A"), TextPart("B"))), B, C],
        [user("AB"), B, C],
        [C],
    ),
    ("systems are replaced", [BRIEF, A, B], [LONG, C], [LONG, A, B, C], [LONG, C]),
    ("systems are repeated", [BRIEF, A, B], [BRIEF, A, B, C], [BRIEF, A, B, C], [C]),
    ("systems go on", [BRIEF, A, B], [C], [BRIEF, A, B, C], [C]),
    ("last systems go on", [BRIEF, A, B, LONG, C, D], [E], [LONG, A, B, C, D, E], [E]),
    ("several systems", [BRIEF, LONG, A, B], [C], [BRIEF, LONG, A, B, C], [C]),
    ("systems only", [A, B], [BRIEF], [BRIEF, A, B], [BRIEF]),
]


@pytest.mark.parametrize(
    ("kept", "sent", "messages", "new"), [case[1:] for case in JOINS], ids=[case[0] for case in JOINS]
)
def test_what_is_sent_joins_what_is_stored(
    kept: Sequence[Message], sent: Sequence[Message], messages: Sequence[Message], new: Sequence[Message]
) -> None:
    joined, added = join(stored(*kept), sent)
    assert list(joined) == list(messages)
    assert list(added) == list(new)


CALLED = Message("assistant", "Wait.", tool_calls=(ToolCall("r-1", "math", {}), ToolCall("r-2", "door", {})))
INTERNAL = Message("tool", "2", tool_call_id="r-1", name="math")
HANDED = stored(A, CALLED, {**written(INTERNAL), "internal": True})
BACK = Message("tool", "open", tool_call_id="r-2")
SEEN = Message("assistant", "Wait.", tool_calls=(ToolCall("r-2", "door", {}),))


@pytest.mark.parametrize("sent", [[BACK], [A, SEEN, BACK], [SEEN, BACK]], ids=["new", "whole", "trimmed"])
def test_results_that_the_client_never_saw_stay_with_the_model(sent: list[Message]) -> None:
    joined, new = join(HANDED, sent)
    assert list(joined) == [A, CALLED, INTERNAL, replace(BACK, name="door")], "the model is told which tool it was"
    assert list(new) == [BACK]


def test_results_of_two_calls_are_told_apart() -> None:
    other = Message("tool", "open", tool_call_id="r-9")
    _, new = join([*HANDED, *stored(BACK, B)], [other, C])
    assert list(new) == [other, C]


def texts(longest: int) -> list[str]:
    """Every text of the letters a and b up to a length."""
    return ["".join(one) for length in range(longest + 1) for one in itertools.product("ab", repeat=length)]


def test_longest_repeated_history_is_found_in_every_pattern_of_messages() -> None:
    for kept, sent in itertools.product(texts(5), texts(5)):
        _, new = join([{"role": "user", "content": letter} for letter in kept], [user(letter) for letter in sent])
        repeated = max(n for n in range(min(len(kept), len(sent)) + 1) if kept.endswith(sent[:n]))
        assert "".join(message.text for message in new) == sent[repeated:]


@pytest.mark.parametrize("last", ["x", "y"])
def test_thousands_of_like_messages_are_joined_at_once(last: str) -> None:
    kept, sent = stored(*[user("x")] * 8000), [*[user("x")] * 7999, user(last)]
    began = time.process_time()
    join(kept, sent)
    assert time.process_time() - began < 0.5


def conversations(storage: MemoryStorage, who: Principal = ALICE) -> Conversations:
    return Conversations(of_user(scope_over(storage, MemoryBlobs()), who), who.id)


async def begun(found: Conversations, *messages: Message, run_id: str = "run") -> str:
    session_id = found.new_id()
    turn = await found.turn(session_id, messages, new=True)
    await found.begin(session_id, turn, new=True, run_id=run_id)
    return session_id


@pytest.mark.parametrize("session_id", ["", "x", "0" * 24, "A" * 24, "../0", "0" * 23 + "\n", "é" * 24, "0" * 5000])
async def test_session_that_is_not_there_is_not_found_by_any_way(session_id: str) -> None:
    found = conversations(MemoryStorage())
    for way in (found.head, found.read, found.delete):
        with pytest.raises(SessionNotFound) as caught:
            await way(session_id)
        assert len(caught.value.message) < 200


async def test_another_users_session_is_not_found() -> None:
    storage = MemoryStorage()
    session_id = await begun(conversations(storage), A)
    other = conversations(storage, Principal("u-alic", "mallory"))
    with pytest.raises(SessionNotFound):
        await other.read(session_id)
    assert list(await other.page(after=None, limit=9)) == []


async def test_turn_that_comes_too_late_is_a_conflict_and_stores_nothing() -> None:
    found = conversations(MemoryStorage())
    session_id = await begun(found, A)
    late = await found.turn(session_id, [C], new=False)
    await found.begin(session_id, late, new=False, run_id="first")
    with pytest.raises(Conflict, match="send the request again"):
        await found.begin(session_id, late, new=False, run_id="second")
    assert len((await found.read(session_id))["messages"]) == 2


async def test_id_of_a_new_conversation_that_is_taken_is_a_conflict() -> None:
    found = conversations(MemoryStorage())
    session_id = await begun(found, A)
    with pytest.raises(Conflict):
        await found.begin(session_id, Turn((C,), (C,), 0), new=True, run_id="x")


def test_ids_are_the_servers_and_none_comes_twice() -> None:
    found = conversations(MemoryStorage())
    ids = {found.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(SESSION_ID.fullmatch(one) for one in ids)


async def test_conversation_is_read_in_the_documented_form() -> None:
    found = conversations(MemoryStorage())
    session_id = await begun(found, A, run_id="run-1")
    await found.finish(
        session_id, [written(B, run_id="run-1", incomplete=True), {**written(INTERNAL), "internal": True}]
    )
    await found.finish(session_id, [])
    read = await found.read(session_id)
    assert list(read) == ["session_id", "user_id", "messages", "created_at", "updated_at"]
    assert (read["session_id"], read["user_id"]) == (session_id, "u-alice")
    question, answer = read["messages"]
    assert (question["role"], question["content"], question["run_id"]) == ("user", "A", "run-1")
    assert answer["incomplete"] is True
    for moment in (question["timestamp"], read["created_at"], read["updated_at"]):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", moment)


def test_timestamps_are_universal_time() -> None:
    assert timestamp(1761220800.1239) == "2025-10-23T12:00:00.123Z"


async def test_conversation_longer_than_a_page_of_storage_is_read_whole() -> None:
    found = conversations(MemoryStorage())
    session_id = await begun(found, A)
    await found.finish(session_id, [written(bot(str(n))) for n in range(2500)])
    assert len((await found.read(session_id))["messages"]) == 2501
    assert (await found.turn(session_id, [C], new=False)).length == 2501


async def test_pages_hold_every_conversation_once_newest_first() -> None:
    found = conversations(MemoryStorage())
    ids = []
    for n in range(5):
        ids.append(await begun(found, BRIEF, user(f"Question\n {n}")))
        await asyncio.sleep(0.001)
    await found.begin(ids[0], await found.turn(ids[0], [E], new=False), new=False, run_id="x")
    first = await found.page(after=None, limit=3)
    second = await found.page(after=first[-1]["session_id"], limit=3)
    assert [head["session_id"] for head in (*first, *second)] == [ids[0], *ids[:0:-1]]
    assert [head["title"] for head in (*first, *second)] == [f"Question {n}" for n in (0, 4, 3, 2, 1)]


@pytest.mark.parametrize(("text", "title"), [("x" * 80, "x" * 80), ("x" * 81, "x" * 79 + "…"), ("", "")])
async def test_titles_are_short(text: str, title: str) -> None:
    found = conversations(MemoryStorage())
    await begun(found, user(text))
    assert [head["title"] for head in await found.page(after=None, limit=1)] == [title]


async def answer(run: Run) -> None:
    run.say("yes")


async def test_deleting_removes_the_conversation_with_its_runs_and_nothing_else() -> None:
    house = House(answer)
    first = await house.ask()
    await first.log()
    second = await house.ask(session_id=first.session_id)
    await second.log()
    other = await house.ask()
    await other.log()
    deleted = await house.engine.delete_conversation(first.session_id, ALICE)
    removed = {"messages": 4, "runs": 2, "files": 0, "kept_by_plugins": 0}
    assert deleted == {"session_id": first.session_id, "deleted": True, **removed}
    for live in (first, second):
        with pytest.raises(NotFound):
            await house.engine.get_trace(live.id, ALICE)
    with pytest.raises(SessionNotFound):
        await house.engine.delete_conversation(first.session_id, ALICE)
    assert len(await house.conversation(other)) == 2
    assert await house.engine.get_trace(other.id, ALICE)


async def test_run_at_work_on_a_deleted_conversation_leaves_nothing_behind() -> None:
    async def hang(run: Run) -> None:
        run.say("secret")
        await asyncio.Event().wait()

    house = House(hang)
    live = await house.ask()
    waiting = await house.ask(session_id=live.session_id)
    await asyncio.sleep(0.01)
    with pytest.raises(SessionNotFound):
        await house.engine.delete_conversation(live.session_id, Principal("u-bob", "bob"))
    deleted = await asyncio.wait_for(house.engine.delete_conversation(live.session_id, ALICE), 1)
    assert deleted["runs"] == 2
    for one in (live, waiting):
        assert events(await one.log())[-1].type == "run_finished"
    assert house.storage._logs == {}
    assert [key for key in house.storage._documents if not key.startswith("servers/")] == []


async def test_stored_conversation_reaches_the_next_turns_model() -> None:
    seen: list[list[str]] = []

    async def act(run: Run) -> None:
        seen.append([message.text for message in run.messages])
        run.say(f"answer {len(seen)}")

    house = House(act)
    first = await house.ask("one")
    assert said(events(await first.log())) == "answer 1"
    await house.log("two", session_id=first.session_id)
    whole = (user("one"), bot("answer 1"), user("two"), bot("answer 2"), user("three"))
    await house.log(session_id=first.session_id, messages=whole)
    assert seen[-1] == ["one", "answer 1", "two", "answer 2", "three"]
    assert [item["content"] for item in await house.conversation(first)] == [*seen[-1], "answer 3"]


async def test_page_after_a_conversation_that_is_gone_is_refused_and_not_the_first_again() -> None:
    found = conversations(MemoryStorage())
    first, second = [await begun(found, A) for _ in range(2)]
    await found.delete(first)
    with pytest.raises(SessionNotFound):
        await found.page(after=first, limit=3)
    assert [head["session_id"] for head in await found.page(after=None, limit=3)] == [second]
