"""Runs that do not end well: failed, cancelled, left behind; each ends once and keeps what there was."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from agentic import Citation, Message, ModelUnavailable, Principal, Run, ToolCall, tool
from agentic.errors import ModelNotFound, NotFound, RunEnded, SessionNotFound, ToolError
from agentic.events import Notice, RunFailed, RunFinished
from agentic.ports.model import ModelDelta
from agentic.runtime import run as run_module
from tests.kernel_in_memory import ALICE, House, ScriptedProvider, events, said

BOB = Principal("u-bob", "bob")


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


async def test_agent_that_is_not_installed_is_refused_at_once() -> None:
    with pytest.raises(ModelNotFound, match="no agent 'ghost' is installed"):
        await House(answer).ask(model="agentic/ghost")


@pytest.mark.parametrize("session_id", ["0" * 24, "../../etc/passwd", "", "x", "A" * 24])
async def test_unknown_session_is_not_found(session_id: str) -> None:
    with pytest.raises(SessionNotFound):
        await House(answer).ask(session_id=session_id)


async def test_session_of_another_user_is_not_found_while_it_runs_and_after() -> None:
    house = House(hang)
    live = await house.ask()
    with pytest.raises(SessionNotFound):
        await house.ask(session_id=live.session_id, who=BOB)
    live.cancel()
    await live.log()
    with pytest.raises(SessionNotFound):
        await house.ask(session_id=live.session_id, who=BOB)
    with pytest.raises(SessionNotFound):
        await house.engine.conversations(BOB).read(live.session_id)
    with pytest.raises(NotFound):
        await house.engine.get_trace(live.id, BOB)


async def test_failed_run_keeps_the_question_and_the_partial_answer() -> None:
    async def act(run: Run) -> None:
        run.say("Half an ")
        raise ModelUnavailable("the model server is away")

    house = House(act)
    live = await house.ask("Why?")
    log = events(await live.log())
    failed = log[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.status, failed.code, failed.message) == (503, "model_unavailable", "the model server is away")
    question, partial = await house.conversation(live)
    assert (question["role"], question["content"]) == ("user", "Why?")
    assert (partial["role"], partial["content"], partial["incomplete"]) == ("assistant", "Half an ", True)
    assert (await house.engine.get_trace(live.id, ALICE))[-1]["type"] == "run_failed"


async def test_raising_agent_is_a_failure_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    async def act(run: Run) -> None:
        raise ValueError("secret 4711")

    failed = (await House(act).log())[-1]
    assert isinstance(failed, RunFailed)
    assert (failed.status, failed.error_type) == (500, "server_error")
    assert "4711" not in failed.message
    assert "ValueError" in failed.message
    assert "[Engine] Run failed" in caplog.text


async def test_error_within_a_task_group_is_told_as_itself() -> None:
    async def act(run: Run) -> None:
        async with asyncio.TaskGroup() as outer, asyncio.TaskGroup() as inner:
            inner.create_task(fail())
            outer.create_task(asyncio.sleep(60))

    async def fail() -> None:
        raise ModelUnavailable("away")

    failed = (await House(act).log())[-1]
    assert isinstance(failed, RunFailed)
    assert failed.code == "model_unavailable"


async def test_bug_beside_a_known_error_is_told_as_a_bug() -> None:
    async def act(run: Run) -> None:
        raise ExceptionGroup("both", [ToolError("known"), KeyError("bug")])

    failed = (await House(act).log())[-1]
    assert isinstance(failed, RunFailed)
    assert "KeyError" in failed.message


async def test_agent_that_was_cancelled_by_nobody_has_failed() -> None:
    async def act(run: Run) -> None:
        run.say("Half")
        raise asyncio.CancelledError

    house = House(act)
    live = await house.ask()
    assert isinstance(events(await live.log())[-1], RunFailed)
    assert (await house.conversation(live))[-1]["incomplete"]


async def test_cancelled_run_keeps_the_question_and_the_partial_answer() -> None:
    house = House(hang)
    live = await house.ask("Why?")
    await until_it_says(live, "Half")
    live.cancel()
    assert events(await live.log())[-1] == RunFinished("cancelled")
    question, partial = await house.conversation(live)
    assert question["content"] == "Why?"
    assert (partial["content"], partial["incomplete"]) == ("Half", True)


async def test_cancelling_stops_the_model() -> None:
    reached = asyncio.Event()
    stopped = asyncio.Event()

    class Slow(ScriptedProvider):
        async def stream(self, request: Any) -> Any:
            try:
                yield ModelDelta("One")
                reached.set()
                await asyncio.Event().wait()
            finally:
                stopped.set()

    async def act(run: Run) -> None:
        await run.model.complete(run.messages, say=True)

    live = await House(act, provider=Slow()).ask()
    await reached.wait()
    live.cancel()
    log = events(await asyncio.wait_for(live.log(), 1))
    assert stopped.is_set()
    [finished] = [event for event in log if event.type == "model_finished"]
    assert getattr(finished, "error", "") == "cancelled"
    assert said(log) == "One"


async def test_first_reason_to_end_stands() -> None:
    live = await House(hang).ask()
    await until_it_says(live, "Half")
    live.end("length", "Enough.")
    live.cancel()
    log = events(await live.log())
    assert log[-1] == RunFinished("length")
    assert said(log) == "Half\n\nEnough."


async def test_agent_that_swallows_its_cancelling_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_module, "GRACE_S", 0.02)
    release = asyncio.Event()
    refused: list[Exception] = []

    async def act(run: Run) -> None:
        run.say("Half")
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()
        try:
            run.say("late")
        except RunEnded as error:
            refused.append(error)

    house = House(act)
    live = await house.ask()
    await until_it_says(live, "Half")
    live.cancel()
    log = events(await asyncio.wait_for(live.log(), 1))
    assert log[-1] == RunFinished("cancelled")
    release.set()
    await asyncio.sleep(0.01)
    assert len(refused) == 1
    assert events(live.channel.entries) == log


async def test_agent_that_answers_its_cancelling_with_an_error_is_cancelled_all_the_same() -> None:
    async def act(run: Run) -> None:
        try:
            await hang(run)
        except asyncio.CancelledError:
            raise ValueError("bug") from None

    live = await House(act).ask()
    await until_it_says(live, "Half")
    live.cancel()
    assert events(await live.log())[-1] == RunFinished("cancelled")


async def test_every_handle_refuses_after_the_end() -> None:
    kept: list[Run] = []

    async def act(run: Run) -> None:
        kept.append(run)

    house = House(act, provider=ScriptedProvider("x"), tools=[look])
    log = await house.log()
    [run] = kept
    for use in (
        lambda: run.say("late"),
        lambda: run.think("late"),
        lambda: run.cite(Citation("u", "t")),
        lambda: run.progress("1", "late", "done"),
    ):
        with pytest.raises(RunEnded):
            use()
    with pytest.raises(RunEnded):
        await run.tools.call([ToolCall("1", "look", {})])
    with pytest.raises(RunEnded):
        await run.model.complete([Message("user", "late")])
    assert log[-1] == RunFinished("stop")
    assert house.provider.requests == []


async def test_closing_the_engine_cancels_what_runs_and_what_waits() -> None:
    house = House(hang)
    first = await house.ask()
    second = await house.ask(session_id=first.session_id)
    await until_it_says(first, "Half")
    await house.engine.aclose()
    for live in (first, second):
        assert events(live.channel.entries)[-1] == RunFinished("cancelled")
        assert (await house.engine.get_trace(live.id, ALICE))[-1]["reason"] == "cancelled"


@pytest.mark.parametrize(
    ("finish", "told"),
    [
        ("stop", "The model gave no answer."),
        ("length", "The model gave no answer: its limit of length was reached before it began one."),
    ],
)
async def test_answer_of_thoughts_alone_is_told_as_none(finish: str, told: str) -> None:
    async def asks(run: Run) -> None:
        await run.model.complete(run.messages, say=True)

    thinks = [ModelDelta(thinking="Hm."), ModelDelta(finish=finish)]
    house = House(asks, provider=ScriptedProvider(thinks))
    live = await house.ask()
    log = events(await live.log())
    assert said(log) == told
    assert log[-1] == RunFinished(finish)
    assert [event.text for event in log if isinstance(event, Notice)] == [told]


async def test_agent_that_asks_no_model_may_say_nothing() -> None:
    async def rests(run: Run) -> None:
        return None

    assert said(await House(rests).log()) == ""
