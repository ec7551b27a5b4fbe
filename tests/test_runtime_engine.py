"""Runs from request to record: their turns, their tools, their hand-overs."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from agentic import Bid, Message, Run, Task, ToolCall, content, tool
from agentic.errors import RateLimited
from agentic.events import Decided, HandedOver, Notice, RunFailed, RunFinished, RunStarted, TextDelta
from agentic.models.handle import Wishes
from agentic.ports.model import ModelDelta
from agentic.runtime.engine import LONGEST_QUEUE
from agentic.testing.runs import client_tool
from tests.kernel_in_memory import ALICE, ActingAgent, House, ScriptedProvider, events, said


@tool()
async def look(text: str = "") -> str:
    """Look."""
    return f"seen {text}"


async def answer(run: Run) -> None:
    run.say("It is ")
    run.say("42.")


async def hang(run: Run) -> None:
    run.say("Half")
    await asyncio.Event().wait()


async def until_it_says(live: Any, text: str) -> None:
    while text not in live.text:  # noqa: ASYNC110 - a log has one reader, and that one comes later
        await asyncio.sleep(0)


async def test_turns_of_one_session_queue_and_other_sessions_do_not() -> None:
    release = asyncio.Event()

    async def act(run: Run) -> None:
        run.say(f"{len(run.messages)} messages")
        if run.task.text == "first":
            await release.wait()

    house = House(act)
    first = await house.ask("first")
    second = await house.ask("second", session_id=first.session_id)
    third = await house.ask("third", session_id=first.session_id)
    assert said(events(await (await house.ask("elsewhere")).log())) == "1 messages"
    assert second.text == ""
    release.set()
    assert said(events(await third.log())) == "5 messages"
    assert [item["content"] for item in await house.conversation(third)] == [
        "first",
        "1 messages",
        "second",
        "3 messages",
        "third",
        "5 messages",
    ]


async def test_run_cancelled_in_the_queue_never_acts_and_keeps_its_question() -> None:
    release = asyncio.Event()
    acted: list[str] = []

    async def act(run: Run) -> None:
        acted.append(run.task.text)
        await release.wait()

    house = House(act)
    first = await house.ask("first")
    second = await house.ask("second", session_id=first.session_id)
    await asyncio.sleep(0.01)
    second.cancel()
    release.set()
    assert events(await second.log())[-1] == RunFinished("cancelled")
    assert acted == ["first"]
    assert [item["content"] for item in await house.conversation(second)] == ["first", "", "second", ""]


async def test_whole_run_is_recorded_and_stored_before_its_last_event() -> None:
    house = House(answer)
    live = await house.ask("What is it?", traceparent="00-a-b-01")
    async for batch in live.batches():
        if any(isinstance(entry.event, RunFinished) for entry in batch):
            assert len(await house.conversation(live)) == 2
            assert (await house.engine.get_trace(live.id, ALICE))[-1]["type"] == "run_finished"
    log = events(live.channel.entries)
    assert [event.type for event in log] == ["run_started", "decided", "text_delta", "text_delta", "run_finished"]
    started = log[0]
    assert isinstance(started, RunStarted)
    assert (started.session_id, started.model, started.traceparent) == (live.session_id, "agentic", "00-a-b-01")
    stored = await house.engine.get_trace(live.id, ALICE)
    assert [event["type"] for event in stored] == ["run_started", "decided", "text_delta", "run_finished"]
    assert stored[2]["text"] == "It is 42."
    assert "incomplete" not in (await house.conversation(live))[-1]


async def test_decision_keeps_every_bid() -> None:
    house = House([ActingAgent(answer, "a"), ActingAgent(answer, "b")])
    [decided] = [event for event in await house.log() if isinstance(event, Decided)]
    assert (decided.agent, [bid["agent"] for bid in decided.bids]) == ("a", ["a", "b"])


async def test_notice_of_a_stand_in_is_told_with_the_answer() -> None:
    log = await House(answer, provider=ScriptedProvider(notice="for trying out")).log()
    assert Notice("for trying out") in log


async def test_answer_cut_by_the_model_ends_with_length() -> None:
    async def act(run: Run) -> None:
        await run.model.complete(run.messages, say=True)

    provider = ScriptedProvider([ModelDelta("cut"), ModelDelta(finish="length")])
    assert (await House(act, provider=provider).log())[-1] == RunFinished("length")


async def test_calls_of_client_tools_end_the_run_and_the_client_goes_on_without_naming_the_session() -> None:
    calls = (ToolCall("x", "look", {"text": "a"}), ToolCall("y", "open_door", {"door": "front"}))
    provider = ScriptedProvider([ModelDelta("Wait.", calls=calls, finish="tool_calls")], "Opened.")
    after: list[str] = []
    seen: list[list[Message]] = []

    async def act(run: Run) -> None:
        seen.append(list(run.messages))
        reply = await run.model.complete(run.messages, tools=run.tools.specs, say=True)
        if reply.calls:
            await run.tools.call(reply.calls)
            after.append("went on")

    house = House(act, provider=provider, tools=[look])
    live = await house.ask("Open", client_tools=(client_tool("open_door"),))
    log = events(await live.log())
    assert log[-1] == RunFinished("tool_calls")
    [handed] = [event for event in log if isinstance(event, HandedOver)]
    [wanted] = handed.calls
    assert wanted == ToolCall(f"{live.id}-2", "open_door", {"door": "front"})
    assert after == []

    back = Message("tool", "it is open", tool_call_id=wanted.id)
    second = await house.ask(messages=(back,), client_tools=(client_tool("open_door"),))
    assert second.session_id == live.session_id
    assert said(events(await second.log())) == "Opened."
    roles = [(message.role, message.text) for message in seen[1]]
    assert roles == [("user", "Open"), ("assistant", "Wait."), ("tool", "seen a"), ("tool", "it is open")]
    assert [call.name for call in seen[1][1].tool_calls] == ["look", "open_door"]
    shown = [item["content"] for item in await house.conversation(second)]
    assert shown == ["Open", "Wait.", "it is open", "Opened."], "internal results are not shown"


async def test_call_results_of_nobody_knows_which_run_begin_a_new_conversation() -> None:
    house = House(answer)
    live = await house.ask(messages=(Message("tool", "x", tool_call_id="call_abc"),))
    assert events(await live.log())[-1] == RunFinished("stop")


async def test_client_tool_hides_the_servers_of_the_same_name() -> None:
    offered: list[Any] = []

    async def act(run: Run) -> None:
        offered.extend(run.tools.specs)

    await House(act, tools=[look]).log(client_tools=(client_tool("look"),))
    assert [(spec.name, spec.client) for spec in offered] == [("look", True)]


async def test_client_that_wants_no_tools_gets_none() -> None:
    offered: list[Any] = []

    async def act(run: Run) -> None:
        offered.extend([*run.tools.specs, *run.task.fit])

    wishes = Wishes(tool_choice="none")
    await House(act, tools=[look]).log(client_tools=(client_tool("open_door"),), wishes=wishes)
    assert offered == []


async def test_agent_is_told_the_shape_that_the_client_wants_of_the_answer() -> None:
    told: list[Any] = []

    async def act(run: Run) -> None:
        told.append(run.task.answer_schema)

    house = House(act, provider=ScriptedProvider(schema=True))
    await house.log()
    await house.log(wishes=Wishes(answer_schema={"type": "object"}))
    assert told == [None, {"type": "object"}]


@pytest.mark.parametrize(
    ("model", "whole", "given"), [("agentic", True, "{}"), ("agentic", False, "no form"), ("m", True, "no form")]
)
async def test_answer_without_its_form_is_mended_unless_somebody_reads_along_or_asked_a_model_by_its_name(
    model: str, whole: bool, given: str
) -> None:
    async def act(run: Run) -> None:
        await run.model.complete(run.messages, say=True)

    agent = ActingAgent(act)
    agent.plain = True
    house = House([agent], provider=ScriptedProvider("no form", "{}"))
    log = await house.log(model=model, whole=whole, wishes=Wishes(answer_schema={"type": "object"}))
    assert said(log) == given


async def test_too_many_tools_are_cut_to_the_fittest() -> None:
    @tool(examples=["Is it raining in Rome"])
    async def weather() -> str:
        """Weather."""
        return "sun"

    offered: list[str] = []

    async def act(run: Run) -> None:
        offered.extend(spec.name for spec in run.tools.specs)

    await House(act, tools=[look, weather], shortlist=1).log("Is it raining?")
    assert offered == ["weather"]


async def test_model_that_cannot_keep_a_response_format_is_refused() -> None:
    wishes = Wishes(answer_schema={"type": "object"})
    failed = (await House(answer, provider=ScriptedProvider(schema=False)).log(wishes=wishes))[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.status, failed.param) == (400, "response_format")


async def test_logs_hold_nothing_of_what_was_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await House(answer).log("a very private question")
    assert "Run finished" in caplog.text
    assert "private" not in caplog.text
    assert "42" not in caplog.messages
    assert TextDelta("42.").text not in caplog.text


async def test_agent_that_calls_exit_fails_its_run_alone() -> None:
    async def leave(_run: Run) -> None:
        raise SystemExit(3)

    house = House(leave)
    failed = (await house.log())[-1]
    assert isinstance(failed, RunFailed)
    assert failed.status == 500


async def test_session_takes_only_so_many_waiting_turns() -> None:
    release = asyncio.Event()

    async def wait(_run: Run) -> None:
        await release.wait()

    house = House(wait)
    first = await house.ask()
    waiting = [await house.ask(session_id=first.session_id) for _ in range(LONGEST_QUEUE)]
    with pytest.raises(RateLimited):
        await house.ask(session_id=first.session_id)
    await house.ask()
    release.set()
    for live in (first, *waiting):
        assert isinstance((await live.log())[-1].event, RunFinished)
    await house.engine.aclose()


async def test_reason_of_a_decision_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def act(_run: Run) -> None:
        """Do nothing."""

    agent = ActingAgent(act, bid=lambda task: Bid(0.5, f"you said {task.text}"))
    with caplog.at_level("DEBUG"):
        await House([agent]).log("the patient has 4711")
    assert "4711" not in caplog.text
    assert "actor=0.5" in caplog.text


async def test_notice_of_a_model_follows_the_decision() -> None:
    async def act(run: Run) -> None:
        run.say("hello")

    log = await House(act, provider=ScriptedProvider(notice="a stand-in answered")).log()
    kinds = [event.type for event in log]
    assert kinds.index("decided") < kinds.index("notice")


@tool()
async def whisper(word: str) -> str:
    """Say it back."""
    return f"heard {word}"


@pytest.mark.parametrize("allowed", [False, True])
async def test_what_is_said_is_logged_only_where_the_operator_wants_it(
    caplog: pytest.LogCaptureFixture, allowed: bool
) -> None:
    async def act(run: Run) -> None:
        await run.tools.call([ToolCall("1", "whisper", {"word": "argument-4711"})])
        run.say("answer-4711")

    content.allow(allowed)
    try:
        with caplog.at_level("DEBUG", logger=""):
            await House(act, tools=[whisper]).log("question-4711")
    finally:
        content.allow(False)
    for said_word in ("question-4711", "argument-4711", "heard argument-4711", "answer-4711"):
        assert (said_word in caplog.text) is allowed, said_word


async def test_task_is_the_last_thing_the_user_said_and_what_came_before() -> None:
    seen: list[Task] = []

    async def act(run: Run) -> None:
        seen.append(run.task)

    call = ToolCall("c", "look", {})
    before = (Message("user", "one"), Message("assistant", "two"))
    after = (Message("assistant", "", tool_calls=(call,)), Message("tool", "seen", tool_call_id="c"))
    await House(act).log(messages=(*before, Message("user", "three"), *after))
    assert seen[0].text == "three"
    assert seen[0].history == before


@pytest.mark.parametrize("act", [lambda run: run.say(5), lambda run: run.think(b"x")], ids=["number", "bytes"])
async def test_agent_that_says_no_text_fails_its_run(act: Any) -> None:
    async def say(run: Run) -> None:
        act(run)

    assert isinstance((await House(say).log())[-1], RunFailed)
