"""The critic: what every agent owes (the kit), and what a critic owes."""

import pytest
from agentic_critic import CRITICISE, IMPROVE, Critic

from agentic import ToolCall
from agentic.testing.agent import CALL, AgentConformance
from agentic.testing.runs import FakeRun, calls, make_task


class TestCritic(AgentConformance):
    @pytest.fixture
    def agent(self):
        return Critic()

    @pytest.fixture
    def answer_replies(self):
        return ["It may be 42.", "It sounds unsure.", "The answer is 42."]

    @pytest.fixture
    def tool_replies(self):
        return [calls(CALL), "It may be 42.", "It sounds unsure.", "The answer is 42."]


@pytest.mark.parametrize("text", ["What is 17 * 23?", "Translate it into Polish", "", "carefree days"])
def test_requests_that_ask_for_no_care_are_left_to_others(text):
    assert Critic().bid(make_task(text)).fitness == 0


@pytest.mark.parametrize("text", ["Proofread my letter", "I want a polished text", "Answer CAREFULLY: who was first?"])
def test_requests_that_ask_for_care_are_bid_for_with_the_reason(text):
    bid = Critic().bid(make_task(text))
    assert bid.fitness == 0.9
    assert bid.reason.rpartition(": ")[2] in text


async def test_only_the_improved_answer_is_said_and_the_way_there_is_thought():
    run = FakeRun("Why is the sky blue?", replies=["Because.", "Too short.", "Air scatters blue light most."])
    assert await run.answer(Critic()) == "Air scatters blue light most."
    assert "Because." in run.thought
    assert "Too short." in run.thought
    assert [asked.messages[-1].text for asked in run.model.requests] == ["Why is the sky blue?", CRITICISE, IMPROVE]


async def test_tools_are_offered_for_the_draft_only():
    replies = [calls(ToolCall("1", "math", {})), "391", "Fine.", "It is 391."]
    run = FakeRun("17 * 23, double-check", replies=replies, tools={"math": "391"})
    await run.answer(Critic())
    assert [len(asked.tools) for asked in run.model.requests] == [1, 1, 0, 0]
