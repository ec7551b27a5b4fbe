"""ReAct: steps of calls and observations, then an answer; at the cap what is known, and a word about it."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError

from agentic import GENERAL, Agent, Fit, Message, Reply, Shape, ToolCall, ToolError, Usage
from agentic.testing.agent import AgentConformance
from agentic.testing.runs import FakeRun, calls, client_tool, make_task
from agentic_react import agentic_agents, agentic_settings
from agentic_react.agent import INSTRUCTION, LAST_STEP, React
from agentic_react.settings import Settings


def lookup(number: int) -> ToolCall:
    return ToolCall(f"call-{number}", "lookup", {"n": number})


class TestReact(AgentConformance):
    @pytest.fixture
    def agent(self) -> Agent:
        return React(5)


@pytest.mark.parametrize(
    "outcome", [ToolError("the shop is closed"), ValueError("the shop is closed")], ids=["known", "bug"]
)
async def test_tool_error_is_an_observation_and_the_run_goes_on(outcome: Exception) -> None:
    run = FakeRun(replies=[calls(lookup(1)), "It is closed."], tools={"lookup": outcome})
    assert await run.answer(React(5)) == "It is closed."
    assert "the shop is closed" in run.model.requests[1].messages[-1].text


async def test_unknown_tool_is_an_observation() -> None:
    run = FakeRun(replies=[calls(ToolCall("1", "ghost", {})), "Well."], tools={"lookup": "42"})
    assert await run.answer(React(5)) == "Well."
    assert "ghost" in run.model.requests[1].messages[-1].text


@pytest.mark.parametrize(("cap", "told"), [(1, "1 step"), (2, "2 steps"), (5, "5 steps")])
async def test_at_the_cap_it_answers_with_what_is_known_and_says_so(cap: int, told: str) -> None:
    replies = [*(calls(lookup(n)) for n in range(cap)), "It may be 42."]
    run = FakeRun(replies=replies, tools={"lookup": lambda call: f"found {call.arguments['n']}"})
    assert await run.answer(React(cap)) == f"It may be 42.\n\nStopped after {told}."
    assert len(run.tools.called) == cap
    last = run.model.requests[-1]
    assert last.tools == (), "there is no step left for a call"
    assert [message.text for message in last.messages if message.role == "tool"] == [f"found {n}" for n in range(cap)]


async def test_at_the_cap_without_an_answer_it_still_says_so() -> None:
    run = FakeRun(replies=[calls(lookup(1)), Reply("")], tools={"lookup": "42"})
    assert await run.answer(React(1)) == "Stopped after 1 step."


async def test_answer_in_the_last_step_is_not_cut() -> None:
    run = FakeRun(replies=[calls(lookup(1)), "It is 42."], tools={"lookup": "42"})
    assert await run.answer(React(2)) == "It is 42."


async def test_each_step_sees_all_that_came_before_and_no_user_message_follows_results() -> None:
    replies = [calls(lookup(1), text="First."), calls(lookup(2)), "It is 42."]
    run = FakeRun("Why?", replies=replies, tools={"lookup": "42"}, history=(Message("system", "Be brief."),))
    assert await run.answer(React(5)) == "First.\n\nIt is 42."
    roles = [[message.role for message in asked.messages] for asked in run.model.requests]
    begin = ["system", "system", "user"]
    assert roles == [begin, [*begin, "assistant", "tool"], [*begin, "assistant", "tool", "assistant", "tool"]]
    said, result = run.model.requests[1].messages[-2:]
    assert (said.text, said.tool_calls) == ("First.", (lookup(1),))
    assert (result.tool_call_id, result.name, result.text) == ("call-1", "lookup", "42")


async def test_text_that_parts_itself_from_the_answer_is_left_as_it_is() -> None:
    run = FakeRun(replies=[calls(lookup(1), text="I look. "), "It is 42."], tools={"lookup": "42"})
    assert await run.answer(React(5)) == "I look. It is 42."


async def test_calls_of_one_step_run_side_by_side_and_results_keep_their_order() -> None:
    meeting = asyncio.Barrier(3)

    async def meet(call: ToolCall) -> str:
        await asyncio.wait_for(meeting.wait(), 2)
        return f"found {call.arguments['n']}"

    run = FakeRun(replies=[calls(*map(lookup, range(3))), "Done."], tools={"lookup": meet})
    assert await run.answer(React(5)) == "Done."
    results = run.model.requests[1].messages[-3:]
    assert [(message.tool_call_id, message.text) for message in results] == [
        (f"call-{n}", f"found {n}") for n in range(3)
    ]


async def test_servers_and_clients_tools_are_offered_side_by_side() -> None:
    run = FakeRun(replies=["Hello"], tools={"lookup": "42"}, client_tools=[client_tool("ring")])
    await run.answer(React(5))
    [asked] = run.model.requests
    assert [spec.name for spec in asked.tools] == ["lookup", "ring"]
    assert asked.messages[0] == Message("system", INSTRUCTION)


async def test_without_tools_nothing_is_said_of_them() -> None:
    run = FakeRun("Hi", replies=["Hello"])
    assert await run.answer(React(5)) == "Hello"
    assert run.model.requests[0].messages == (Message("user", "Hi"),)


async def test_usage_of_all_steps_is_counted() -> None:
    run = FakeRun(replies=[calls(lookup(1)), "It is 42."], tools={"lookup": "42"})
    await run.answer(React(5))
    assert (run.budget.model_calls, run.budget.tool_calls, run.budget.usage) == (2, 1, Usage(20, 10))


def bid_for(shape: Shape) -> float:
    return React(5).bid(make_task("x", fit=(Fit("math", 0.5),), read=lambda: shape)).fitness


def test_bids_as_high_as_a_tool_is_likely_to_help() -> None:
    bids = [bid_for(Shape(tool=tool)) for tool in (0, 0.3, 0.6, 1)]
    assert bids == sorted(bids)
    assert (bids[0], bids[-1]) == (0, GENERAL)


def test_bids_lower_for_parts_that_need_not_each_other() -> None:
    assert bid_for(Shape(tool=0.9)) > bid_for(Shape(tool=0.9, parts=1)) > bid_for(Shape(tool=0.5))


def test_bid_says_which_tool_and_what_work() -> None:
    task = make_task("x", fit=(Fit("math", 0.5),), read=lambda: Shape(tool=0.9, parts=0.8))
    assert React(5).bid(task).reason == "a tool helps (0.90), math first; the work falls into parts"


@pytest.mark.parametrize("choice", ["none", "required", "ring"])
def test_bids_low_where_the_client_settles_which_tools_are_called(choice: str) -> None:
    assert React(5).bid(make_task("x", tool_choice=choice, fit=(Fit("math", 1),))).fitness == 0.2


def test_bids_low_without_tools() -> None:
    assert React(5).bid(make_task("How much is 1+1?")).fitness == 0.1


@pytest.mark.parametrize("steps", [0, 51, -1, "many"])
def test_setting_out_of_range_is_refused(steps: object) -> None:
    with pytest.raises(ValidationError, match="react_max_steps"):
        agentic_settings().model_validate({"react_max_steps": steps})


async def test_setting_is_the_cap() -> None:
    agent = agentic_agents(settings=Settings(react_max_steps=1))
    assert (agent.name, agent.plain, agent.rank) == ("react", False, 10)
    run = FakeRun(replies=[calls(lookup(1)), "So far."], tools={"lookup": "42"})
    assert (await run.answer(agent)).endswith("Stopped after 1 step.")


async def test_at_the_cap_the_model_is_told_so_in_front_of_what_is_known() -> None:
    run = FakeRun(replies=[calls(lookup(1)), "So far."], tools={"lookup": "42"})
    await run.answer(React(1))
    first, *others = run.model.requests[-1].messages
    assert (first.role, first.text) == ("system", INSTRUCTION + LAST_STEP)
    assert tuple(others[:1]) == run.model.requests[0].messages[1:]
    assert others[-1].role == "tool", "nothing stands between results and answer"


async def test_at_the_cap_without_tools_it_is_told_so_as_well() -> None:
    run = FakeRun("Hi", replies=[calls(ToolCall("1", "ghost", {})), "Hello"])
    assert await run.answer(React(1)) == "Hello\n\nStopped after 1 step."
    assert [message.role for message in run.model.requests[-1].messages] == ["system", "user", "assistant", "tool"]


async def test_failing_call_leaves_those_beside_it_their_results() -> None:
    tools = {"lookup": "42", "broken": ToolError("closed")}
    replies = [calls(lookup(1), ToolCall("b", "broken", {}), ToolCall("g", "ghost", {}), lookup(2)), "It is 42."]
    run = FakeRun(replies=replies, tools=tools)
    assert await run.answer(React(5)) == "It is 42."
    results = [message for message in run.model.requests[1].messages if message.role == "tool"]
    assert [(result.tool_call_id, result.name) for result in results] == [
        ("call-1", "lookup"), ("b", "broken"), ("g", "ghost"), ("call-2", "lookup")
    ]  # fmt: skip
    assert [results[0].text, results[1].text, results[3].text] == ["42", "closed", "42"]


async def test_servers_calls_run_before_the_clients_are_handed_over() -> None:
    wanted = [lookup(1), ToolCall("r", "ring", {})]
    run = FakeRun(
        replies=[calls(*wanted, text="One moment.")], tools={"lookup": "42"}, client_tools=[client_tool("ring")]
    )
    assert await run.answer(React(5)) == "One moment."
    assert (run.tools.called, run.tools.handed_over) == ([wanted[0]], (wanted[1],))
