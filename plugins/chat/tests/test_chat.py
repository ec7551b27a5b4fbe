"""Plain conversation: one model call, the client's tools, and none of the server's."""

from __future__ import annotations

from typing import Any

import pytest

from agentic import Agent, Fit, Message, ModelError, Shape, ToolCall
from agentic.testing.agent import AgentConformance
from agentic.testing.runs import FakeRun, calls, client_tool, make_task
from agentic_chat import agentic_agents
from agentic_chat.agent import Chat

RING = ToolCall("1", "ring", {})
GHOST = ToolCall("2", "ghost", {})


class TestChat(AgentConformance):
    @pytest.fixture
    def agent(self) -> Agent:
        return Chat()


@pytest.mark.parametrize("tools", [{}, {"ghost": "boo"}])
async def test_call_of_a_tool_that_was_not_offered_is_an_error_and_is_not_made(tools: dict[str, Any]) -> None:
    run = FakeRun(replies=[calls(GHOST)], tools=tools)
    with pytest.raises(ModelError, match="not offered"):
        await run.answer(Chat())
    assert run.tools.called == []


async def test_what_was_said_beside_such_a_call_is_the_answer() -> None:
    run = FakeRun(replies=[calls(GHOST, text="I would ask a ghost.")])
    assert await run.answer(Chat()) == "I would ask a ghost."


async def test_calls_of_client_tools_are_handed_over_without_others() -> None:
    run = FakeRun(replies=[calls(RING, GHOST)], client_tools=[client_tool("ring")], tools={"ghost": "boo"})
    await run.answer(Chat())
    assert run.tools.handed_over == (RING,)
    assert run.tools.called == []


async def test_messages_reach_the_model_as_they_are_without_tools_of_the_servers() -> None:
    history = (Message("system", "Be brief."), Message("user", "A"), Message("assistant", "B"))
    run = FakeRun("C", replies=["D"], history=history, tools={"lookup": "42"})
    assert await run.answer(Chat()) == "D"
    [asked] = run.model.requests
    assert asked.messages == (*history, Message("user", "C"))
    assert asked.tools == ()


async def test_answer_streams() -> None:
    run = FakeRun(replies=["It is 42."])
    await run.answer(Chat())
    assert len(run.pieces) > 1


@pytest.mark.parametrize("choice", ["none", "required", "ring"])
def test_bids_high_where_the_client_settles_which_tools_are_called(choice: str) -> None:
    task = make_task("How much is 1+1?", tool_choice=choice, fit=(Fit("math", 1),))
    assert Chat().bid(task).fitness == 0.95


def test_bids_the_lower_the_likelier_a_tool_helps() -> None:
    fit = (Fit("math", 0.5),)
    bids = [Chat().bid(make_task("x", fit=fit, read=lambda n=n: Shape(tool=n))).fitness for n in (0.0, 0.3, 0.6, 1.0)]
    assert bids == [0.8, 0.56, 0.32, 0]


@pytest.mark.parametrize("text", ["Hello", " \n"])
def test_bids_high_where_there_is_nothing_for_a_tool(text: str) -> None:
    assert Chat().bid(make_task(text)).fitness == 0.8


def test_plugin_offers_it_as_the_plain_agent() -> None:
    agent = agentic_agents()
    assert (agent.name, agent.plain, agent.rank) == ("chat", True, 0)
