"""What a run may spend: each limit that is hit ends the run with its answer so far, and is told with its setting."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from agentic import Message, Run, ToolCall, tool
from agentic.errors import BudgetExceeded
from agentic.events import Notice, RunFinished
from agentic.messages import Usage
from agentic.models.handle import Wishes
from agentic.runtime import run as run_module
from agentic.runtime.budget import Budget, Clock, Limits
from tests.kernel_in_memory import House, ScriptedProvider, deltas, said


@tool()
async def look() -> str:
    """Look."""
    return "seen"


async def ask_forever(run: Run) -> None:
    run.say("So far.")
    while True:
        await run.model.complete(run.messages)


async def call_forever(run: Run) -> None:
    run.say("So far.")
    while True:
        await run.tools.call([ToolCall("1", "look", {}), ToolCall("2", "look", {})])


async def wait_forever(run: Run) -> None:
    run.say("So far.")
    await asyncio.Event().wait()


async def ask_in_a_group(run: Run) -> None:
    run.say("So far.")
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(run.model.complete(run.messages))


async def try_forever(run: Run) -> None:
    run.say("So far.")
    while True:
        with contextlib.suppress(Exception):
            await run.model.complete(run.messages)
        with contextlib.suppress(Exception):
            await run.tools.call([])


async def ask_forever_unheard(run: Run) -> None:
    while True:
        await run.model.complete(run.messages)


async def test_answer_that_is_held_back_is_given_where_a_limit_ends_the_run() -> None:
    async def checks(run: Run) -> None:
        run.draft("It is 42.")
        await ask_forever_unheard(run)

    log = await House(checks, provider=ScriptedProvider(*["no"] * 9), limits=Limits(model_calls=2)).log()
    assert said(log) == "It is 42.\n\nStopped: the limit of 2 model calls a run (RUN_MAX_MODEL_CALLS) was reached."


async def test_answer_that_is_held_back_gives_way_to_what_is_said_later() -> None:
    async def checks(run: Run) -> None:
        run.draft("It is 42.")
        run.say("It is 43.\n\n")
        await ask_forever_unheard(run)

    log = await House(checks, provider=ScriptedProvider(*["no"] * 9), limits=Limits(model_calls=2)).log()
    assert said(log).startswith("It is 43.\n\nStopped: the limit")


LIMITS: list[tuple[Any, Limits, str]] = [
    (
        ask_forever,
        Limits(model_calls=2),
        "Stopped: the limit of 2 model calls a run (RUN_MAX_MODEL_CALLS) was reached.",
    ),
    (ask_forever, Limits(tokens=30), "Stopped: the limit of 30 tokens a run (RUN_MAX_TOKENS) was reached."),
    (try_forever, Limits(tokens=30), "Stopped: the limit of 30 tokens a run (RUN_MAX_TOKENS) was reached."),
    (
        try_forever,
        Limits(model_calls=0),
        "Stopped: the limit of 0 model calls a run (RUN_MAX_MODEL_CALLS) was reached.",
    ),
    (call_forever, Limits(tool_calls=3), "Stopped: the limit of 3 tool calls a run (RUN_MAX_TOOL_CALLS) was reached."),
    (wait_forever, Limits(seconds=0.02), "Stopped: the limit of 0.02 seconds a run (RUN_MAX_SECONDS) was reached."),
    (
        ask_in_a_group,
        Limits(model_calls=0),
        "Stopped: the limit of 0 model calls a run (RUN_MAX_MODEL_CALLS) was reached.",
    ),
]


@pytest.mark.parametrize(("act", "limits", "told"), LIMITS, ids=lambda value: getattr(value, "__name__", None))
async def test_limit_is_told_and_ends_the_run_with_what_there_is(act: Any, limits: Limits, told: str) -> None:
    house = House(act, provider=ScriptedProvider(*["word"] * 9), tools=[look], limits=limits)
    live = await house.ask()
    log = [entry.event for entry in await live.log()]
    assert Notice(told) in log
    assert said(log) == f"So far.\n\n{told}"
    assert isinstance(log[-1], RunFinished)
    assert log[-1].reason == "length"
    [_, stored] = await house.conversation(live)
    assert stored["content"] == f"So far.\n\n{told}"
    assert stored["incomplete"]


async def test_limit_hit_before_anything_was_said_begins_the_answer() -> None:
    async def act(run: Run) -> None:
        await run.model.complete(run.messages)

    log = await House(act, limits=Limits(model_calls=0)).log()
    assert said(log).startswith("Stopped: ")


@pytest.mark.parametrize("remark", [lambda run: run.notice("Stopped."), lambda run: run.model.complete(run.messages)])
async def test_remark_stands_apart_from_an_answer_that_the_client_will_parse(remark: Any) -> None:
    async def act(run: Run) -> None:
        run.say("{}")
        if (told := remark(run)) is not None:
            await told

    wishes = Wishes(answer_schema={"type": "object"})
    log = await House(act, limits=Limits(model_calls=0)).log(wishes=wishes)
    assert said(log) == "{}"
    assert any(isinstance(event, Notice) and event.text.startswith("Stopped") for event in log)


async def test_time_in_the_queue_does_not_count() -> None:
    release = asyncio.Event()

    async def act(run: Run) -> None:
        if run.task.text == "first":
            run.say("begun")
            await release.wait()
        run.say("done")

    house = House(act, limits=Limits(seconds=0.2))
    first = await house.ask("first")
    second = await house.ask("second", session_id=first.session_id)
    await asyncio.sleep(0.15)
    release.set()
    assert said([entry.event for entry in await second.log()]) == "done"


async def test_usage_of_all_model_calls_is_in_the_last_event() -> None:
    async def act(run: Run) -> None:
        await asyncio.gather(*(run.model.complete([Message("user", "x")]) for _ in range(3)))
        assert (run.budget.model_calls, run.budget.usage) == (3, Usage(30, 15))

    log = await House(act, provider=ScriptedProvider(*[deltas("a b")] * 3)).log()
    assert log[-1] == RunFinished("stop", Usage(30, 15))


def test_budget_counts_up_to_its_limits_and_no_further() -> None:
    budget = Budget(Limits(model_calls=1, tool_calls=2, tokens=10))
    budget.take_tool_calls(2)
    with pytest.raises(BudgetExceeded):
        budget.take_tool_calls(1)
    budget.take_model_call()
    with pytest.raises(BudgetExceeded, match="model calls"):
        budget.take_model_call()
    budget.spend(Usage(8, 2))
    with pytest.raises(BudgetExceeded, match="tokens"):
        budget.take_model_call()
    assert (budget.model_calls, budget.tool_calls, budget.usage.total) == (1, 2, 10)


async def test_agent_that_nothing_ends_is_left_behind_and_keeps_the_loop_from_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run_module, "GRACE_S", 0.05)
    release = asyncio.Event()
    tried = 0

    async def act(run: Run) -> None:
        nonlocal tried
        while not release.is_set():
            tried += 1
            with contextlib.suppress(BaseException):
                await run.model.complete(run.messages)
            with contextlib.suppress(BaseException):
                await run.tools.call([ToolCall("1", "look", {})])

    live = await House(act, tools=[look], limits=Limits(model_calls=1, tool_calls=9), provider=endless()).ask()
    async with asyncio.timeout(1):
        log = [entry.event for entry in await live.log()]
        await asyncio.sleep(0.2)
    assert isinstance(log[-1], RunFinished)
    assert "RUN_MAX_MODEL_CALLS" in said(log)
    assert tried < 20, "it is kept waiting, not served"
    release.set()
    await asyncio.sleep(0.15)


def endless() -> ScriptedProvider:
    return ScriptedProvider(*["word"] * 9)


async def test_clock_counts_work_alone() -> None:
    rung = asyncio.Event()
    loop, clock = asyncio.get_running_loop(), Clock()
    began = loop.time()
    with clock.paused():
        clock.start(0.3, rung.set)
        await asyncio.sleep(0.4)
    await asyncio.sleep(0.02)
    with clock.paused(), clock.paused():
        await asyncio.sleep(0.2)
    assert not rung.is_set()
    await asyncio.wait_for(rung.wait(), 2)
    assert loop.time() - began > 0.85
    clock.stop()


async def test_clock_that_was_stopped_never_rings() -> None:
    rung: list[int] = []
    clock = Clock()
    with clock.paused():
        clock.stop()
    clock.start(0.01, lambda: rung.append(1))
    with clock.paused():
        clock.stop()
    await asyncio.sleep(0.03)
    assert rung == []
