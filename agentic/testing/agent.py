"""Kit for agents: :class:`AgentConformance`. A plugin subclasses it in its own tests::

    class TestHaiku(AgentConformance):
        @pytest.fixture
        def agent(self):
            return Haiku()

An agent that asks its model for more than one plain answer, a plan for instance, overrides ``answer_replies`` and
``tool_replies`` with what its model would say.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from agentic.errors import ModelError, ModelUnavailable, ToolError
from agentic.messages import Message, ToolCall
from agentic.ports.agent import Agent, Bid, Fit, Task
from agentic.ports.model import ModelInfo
from agentic.testing.runs import FakeRun, calls, client_tool, make_task
from agentic.testing.scripted_model import Answered, Asked, Scripted

__all__ = ["TASKS", "AgentConformance"]

CALL = ToolCall("call-1", "lookup", {"query": "answer"})
CLIENT_CALL = ToolCall("call-2", "open_door", {"door": "front"})
EARLIER = (
    Message("system", "Be brief."),
    Message("user", "Look it up."),
    Message("assistant", "", tool_calls=(CALL,)),
    Message("tool", "42", tool_call_id="call-1", name="lookup"),
    Message("assistant", "It is 42."),
)
TASKS: list[Task] = [
    make_task(""),
    make_task(" \n\x00"),
    make_task("Hello!"),
    make_task("How much is 6 times 7?", fit=(Fit("math", 0.9, {"expression": "6*7"}), Fit("weather", 0.0))),
    make_task("Compare the population of Paris and Rome, then chart both.", fit=(Fit("web_search", 1.0),)),
    make_task("x" * 200_000),
    make_task("And then?", history=EARLIER),
    make_task("Only a system message came before", history=(Message("system", ""),)),
    make_task("Odd history", history=(Message("tool", "", tool_call_id="gone"), Message("assistant"), Message("user"))),
    make_task("Open the door", client_tools=(client_tool("open_door"),), tool_choice="open_door"),
    make_task("Anything", model=ModelInfo(id="tiny", tool_mode="fit", context=512), fit=(Fit("math", 0.5),)),
    make_task("你好，世界 — مرحبا 😀", fit=(Fit("lookup", 0.0),)),
]


class AgentConformance:
    """What every agent owes to the router, the model and the user. Override ``agent``."""

    @pytest.fixture
    def agent(self) -> Agent:
        """The agent under test."""
        raise NotImplementedError("override the fixture `agent`")

    @pytest.fixture
    def answer_replies(self) -> Sequence[Scripted]:
        """The model's replies to a plain question, ending in an answer."""
        return ["The answer is 42."]

    @pytest.fixture
    def tool_replies(self) -> Sequence[Scripted]:
        """The model's replies when it first calls the server's tool ``lookup`` (``CALL``) and then answers."""
        return [calls(CALL), "The answer is 42."]

    @pytest.fixture
    def client_replies(self) -> Sequence[Scripted]:
        """The model's replies when it calls the client's tool ``open_door`` (``CLIENT_CALL``)."""
        return [calls(CLIENT_CALL)]

    def test_name_and_description_are_there(self, agent: Agent) -> None:
        assert agent.name.strip()
        assert "/" not in agent.name, "agentic/<agent> is a model id"
        assert agent.description.strip()

    @pytest.mark.parametrize("task", TASKS, ids=lambda task: repr(task.text[:20]))
    def test_bid_lies_between_zero_and_one_and_is_cheap(self, agent: Agent, task: Task) -> None:
        seconds = float("inf")
        for _ in range(3):
            started = time.perf_counter()
            bid = agent.bid(task)
            seconds = min(seconds, time.perf_counter() - started)
            assert isinstance(bid, Bid)
            assert 0 <= bid.fitness <= 1
            assert bid.reason.strip(), "people read why"
        assert seconds < 0.02, "a bid is asked for on every request"

    async def test_answers_when_the_model_answers(self, agent: Agent, answer_replies: Sequence[Scripted]) -> None:
        run = FakeRun("What is the answer?", replies=answer_replies)
        assert "42" in await run.answer(agent)
        assert any("What is the answer?" in message.text for asked in run.model.requests for message in asked.messages)

    async def test_earlier_messages_reach_the_model(self, agent: Agent, answer_replies: Sequence[Scripted]) -> None:
        run = FakeRun("And then?", replies=answer_replies, history=EARLIER)
        assert "42" in await run.answer(agent)
        assert any("Look it up." in message.text for asked in run.model.requests for message in asked.messages)

    async def test_runs_side_by_side_stay_apart(self, agent: Agent, answer_replies: Sequence[Scripted]) -> None:
        runs = [FakeRun(f"Question {number}", replies=answer_replies) for number in range(8)]
        alone = FakeRun("Question", replies=answer_replies)
        expected = await alone.answer(agent)
        assert await asyncio.gather(*(run.answer(agent) for run in runs)) == [expected] * 8

    async def test_client_tools_are_offered_and_handed_over(
        self, agent: Agent, client_replies: Sequence[Scripted]
    ) -> None:
        run = FakeRun("Open the door", replies=client_replies, client_tools=[client_tool("open_door")])
        await run.answer(agent)
        offered = {spec.name for asked in run.model.requests for spec in asked.tools}
        assert "open_door" in offered, "the client's tools are offered to the model"
        assert [wanted.name for wanted in run.tools.handed_over] == ["open_door"]

    async def test_tool_results_reach_the_model(self, agent: Agent, tool_replies: Sequence[Scripted]) -> None:
        _skip_plain(agent)
        run = FakeRun("Look up the answer", replies=tool_replies, tools={"lookup": "the secret is 4711"})
        assert "42" in await run.answer(agent)
        assert [wanted.name for wanted in run.tools.called] == ["lookup"]
        assert _read_by_model(run, "the secret is 4711")

    async def test_tool_error_is_an_observation(self, agent: Agent, tool_replies: Sequence[Scripted]) -> None:
        _skip_plain(agent)
        run = FakeRun("Look up the answer", replies=tool_replies, tools={"lookup": ToolError("no such entry 4711")})
        assert (await run.answer(agent)).strip()
        assert _read_by_model(run, "no such entry 4711")

    async def test_cancelling_passes_through(self, agent: Agent) -> None:
        asked = asyncio.Event()

        async def hang(_: Asked) -> Answered:
            asked.set()
            await asyncio.Event().wait()
            return "never"

        running = asyncio.create_task(agent.run(FakeRun(replies=[hang])))
        await asyncio.wait_for(asked.wait(), 5)
        running.cancel()
        done, _ = await asyncio.wait([running], timeout=1)
        assert done, "a cancelled agent ends within a second"
        assert running.cancelled(), "an agent does not swallow its cancelling"

    async def test_goes_on_from_each_of_its_checkpoints(self, agent: Agent, tool_replies: Sequence[Scripted]) -> None:
        _skip_plain(agent)
        whole = FakeRun("Look up the answer", replies=tool_replies, tools={"lookup": "the secret is 4711"})
        answered = await whole.answer(agent)
        if not whole.checkpoints:
            pytest.skip("the agent keeps no checkpoint")
        for checkpoint in whole.checkpoints:
            again = whole.after(checkpoint)
            assert await again.answer(agent) == answered, "what was said before is not said again"
            if again.model.requests:
                assert _read_by_model(again, "the secret is 4711"), "calls that were open are answered first"
            done = set(checkpoint.results)
            assert {wanted.id for wanted in again.tools.called}.isdisjoint(done), "what is finished is not done again"

    async def test_failing_model_is_not_hidden(self, agent: Agent) -> None:
        run = FakeRun(replies=[ModelUnavailable("the model server is away")] * 10)
        with pytest.raises(ModelError):
            await run.answer(agent)


def _skip_plain(agent: Agent) -> None:
    if agent.plain:
        pytest.skip("a plain agent offers no tool of the server's")


def _read_by_model(run: FakeRun, text: str) -> bool:
    return any(text in message.text for message in run.model.requests[-1].messages)
