"""The kit for agents, and its fake run, pass what keeps its promises, and fail what breaks one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Annotated, Any

import pytest

from agentic import (
    Agent,
    Bid,
    Message,
    ModelError,
    Run,
    Task,
    ToolCall,
    Usage,
    tool,
)
from agentic.messages import message_from_json, message_to_json
from agentic.testing.agent import TASKS, AgentConformance
from agentic.testing.runs import FakeRun, calls, make_task

REFUSED = (AssertionError, pytest.fail.Exception)


@tool(examples=["Repeat hello"])
async def repeat(text: Annotated[str, "what to repeat"]) -> str:
    """Repeat a text."""
    return text * 2


class Loop(Agent):
    """Asks the model and runs its calls until it answers."""

    name = "loop"
    description = "Loops"

    def bid(self, task: Task) -> Bid:
        return Bid(max((fit.score for fit in task.fit), default=0.1), "as fit as the fittest tool")

    async def run(self, run: Run) -> None:
        messages = list(run.messages)
        while (reply := await run.model.complete(messages, tools=run.tools.specs, say=True)).calls:
            messages.append(Message("assistant", reply.text, tool_calls=reply.calls))
            results = await run.tools.call(reply.calls)
            for wanted, result in zip(reply.calls, results, strict=True):
                messages.append(Message("tool", result.content, tool_call_id=wanted.id, name=wanted.name))


class TestLoop(AgentConformance):
    @pytest.fixture
    def agent(self) -> Agent:
        return Loop()


class Resumes(Agent):
    """The same, from wherever it was when its server ended."""

    name = "resumes"
    description = "Goes on"

    def bid(self, task: Task) -> Bid:
        return Bid(0.5, "always as fit")

    async def run(self, run: Run) -> None:
        steps = [message_from_json(step) for step in run.restored["steps"]] if run.restored else []
        while True:
            if steps and steps[-1].tool_calls:
                steps += await self.observe(run, steps[-1].tool_calls)
                await self.keep(run, steps)
            reply = await run.model.complete([*run.messages, *steps], tools=run.tools.specs, say=True)
            if not reply.calls:
                return
            steps.append(Message("assistant", reply.text, tool_calls=reply.calls))
            await self.keep(run, steps)

    async def observe(self, run: Run, wanted: Sequence[ToolCall]) -> list[Message]:
        results = await run.tools.call(wanted)
        pairs = zip(wanted, results, strict=True)
        return [Message("tool", result.content, tool_call_id=call.id, name=call.name) for call, result in pairs]

    async def keep(self, run: Run, steps: Sequence[Message]) -> None:
        await run.checkpoint({"steps": [message_to_json(step) for step in steps]})


class TestResumes(AgentConformance):
    @pytest.fixture
    def agent(self) -> Agent:
        return Resumes()


class SaysAllAgain(Resumes):
    async def run(self, run: Run) -> None:
        run.say("Well. ")
        await super().run(run)


class LosesItsCalls(Resumes):
    async def observe(self, run: Run, wanted: Sequence[ToolCall]) -> list[Message]:
        await run.checkpoint({"steps": []})
        return await super().observe(run, wanted)


class Overbids(Loop):
    def bid(self, task: Task) -> Bid:
        return Bid(len(task.text) / 10, "long")


class BidsOnTheFirstWord(Loop):
    def bid(self, task: Task) -> Bid:
        return Bid(0.5, task.text.split()[0])


class HidesModelErrors(Loop):
    async def run(self, run: Run) -> None:
        try:
            await super().run(run)
        except ModelError as error:
            run.say(f"Sorry: {error}")


class SwallowsCancelling(Loop):
    async def run(self, run: Run) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await super().run(run)


class OffersNothing(Loop):
    async def run(self, run: Run) -> None:
        await run.model.complete(run.messages, say=True)


class ForgetsHistory(Loop):
    async def run(self, run: Run) -> None:
        await run.model.complete([Message("user", run.task.text)], say=True)


class KeepsStateBetweenRuns(Loop):
    last: Any = None

    async def run(self, run: Run) -> None:
        self.last = run
        reply = await run.model.complete(run.messages)
        self.last.say(reply.text)


LOOKUP = ToolCall("call-1", "lookup", {})
BROKEN_AGENTS: list[tuple[type[Agent], str, tuple[Any, ...]]] = [
    (Overbids, "test_bid_lies_between_zero_and_one_and_is_cheap", (TASKS[5],)),
    (BidsOnTheFirstWord, "test_bid_lies_between_zero_and_one_and_is_cheap", (TASKS[0],)),
    (HidesModelErrors, "test_failing_model_is_not_hidden", ()),
    (SwallowsCancelling, "test_cancelling_passes_through", ()),
    (OffersNothing, "test_client_tools_are_offered_and_handed_over", (["Opened."],)),
    (OffersNothing, "test_tool_results_reach_the_model", ([calls(LOOKUP), "The answer is 42."],)),
    (ForgetsHistory, "test_earlier_messages_reach_the_model", (["It is 42."],)),
    (SaysAllAgain, "test_goes_on_from_each_of_its_checkpoints", ([calls(LOOKUP), "The answer is 42."],)),
    (LosesItsCalls, "test_goes_on_from_each_of_its_checkpoints", ([calls(LOOKUP), "The answer is 42."],)),
    (KeepsStateBetweenRuns, "test_runs_side_by_side_stay_apart", (["It is 42."],)),
]


@pytest.mark.parametrize(("broken", "test", "more"), BROKEN_AGENTS)
async def test_agent_that_breaks_a_promise_fails_the_kit(broken: type[Agent], test: str, more: tuple[Any, ...]) -> None:
    with pytest.raises((*REFUSED, IndexError)):
        outcome = getattr(AgentConformance(), test)(broken(), *more)
        await outcome


async def test_fake_run_keeps_what_happened_and_runs_real_tools() -> None:
    wanted = ToolCall("call-7", "repeat", {"text": "ab"})
    run = FakeRun("Repeat ab", replies=[calls(wanted), "It is abab."], tools={"repeat": repeat})
    assert await run.answer(Loop()) == "It is abab."
    assert run.tools.called == [wanted]
    assert run.model.requests[1].messages[-1].text == "abab"
    assert (run.budget.model_calls, run.budget.tool_calls, run.budget.usage) == (2, 1, Usage(20, 10))


async def test_fake_run_goes_on_as_the_kernel_would() -> None:
    wanted = ToolCall("call-7", "repeat", {"text": "ab"})
    run = FakeRun("Repeat ab", replies=[calls(wanted), "It is abab."], tools={"repeat": repeat})
    await run.answer(Resumes())
    called, answered = run.checkpoints
    again = run.after(called)
    assert await again.answer(Resumes()) == "It is abab."
    assert again.tools.called == [wanted], "it was open"
    later = run.after(answered)
    assert await later.answer(Resumes()) == "It is abab."
    assert later.tools.called == []
    with pytest.raises(TypeError):
        await run.checkpoint([1])  # type: ignore[arg-type]


async def test_fake_run_without_a_reply_left_says_so() -> None:
    with pytest.raises(ModelError, match="asked 1 times"):
        await FakeRun().answer(Loop())


async def test_scripted_model_refuses_what_does_not_fit_the_schema() -> None:
    schema = {"type": "object", "required": ["a"]}
    run = FakeRun(task=make_task("x"), replies=['{"a": 1}', '{"b": 1}', "no json"])
    assert (await run.model.complete([], schema=schema)).parsed == {"a": 1}
    for _ in range(2):
        with pytest.raises(ModelError):
            await run.model.complete([], schema=schema)
