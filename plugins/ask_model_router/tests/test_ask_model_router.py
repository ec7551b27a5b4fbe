"""The router that asks the model: what the model names is chosen; what it does not name is the auction's."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from agentic import Contest, Decision, Message, ModelError, ModelInfo, ModelUnavailable, Router
from agentic.testing.router import RouterConformance, make_contest
from agentic.testing.runs import make_task
from agentic.testing.scripted_model import Scripted, ScriptedModel
from agentic_ask_model_router import agentic_routers
from agentic_ask_model_router.router import AskModel, choice, named


def chosen(agent: str, reason: str = "it plans") -> str:
    return json.dumps({"reason": reason, "agent": agent})


def contest(text: str = "Compare Paris and Rome", *replies: Scripted, mode: Any = "schema", **info: Any) -> Contest:
    model = ModelInfo(**{"id": "m", "tool_mode": mode, "schema": mode in ("native", "schema"), **info})
    return make_contest(make_task(text, model=model), replies=replies)


def asked(one: Contest) -> list[Any]:
    assert isinstance(one.model, ScriptedModel)
    return one.model.requests


class TestAskModel(RouterConformance):
    @pytest.fixture
    def router(self) -> Router:
        return AskModel()

    @pytest.fixture
    def replies(self) -> Sequence[Scripted]:
        return [chosen("solver")]


@pytest.mark.parametrize(
    "written", ["planner", '{"agent": "ghost", "reason": "x"}', '{"agent": "planner"}', "[1]", ""], ids=repr
)
async def test_answer_that_does_not_fit_the_schema_is_an_error(written: str) -> None:
    with pytest.raises(ModelError, match="does not fit"):
        await AskModel().decide(contest("x", written))


@pytest.mark.parametrize("written", ["", "I cannot say", "planner or talker", "planners", "ghost"])
async def test_words_that_name_no_agent_or_several_are_an_error(written: str) -> None:
    with pytest.raises(ModelError, match="was to name one"):
        await AskModel().decide(contest("x", written, mode="text"))


async def test_failing_model_is_passed_on() -> None:
    with pytest.raises(ModelUnavailable):
        await AskModel().decide(contest("x", ModelUnavailable("away")))


@pytest.mark.parametrize("schema", [True, False])
async def test_model_that_cannot_choose_is_not_asked(schema: bool) -> None:
    hopeless = contest(mode="fit", schema=schema)
    assert await AskModel().decide(hopeless) is None
    assert asked(hopeless) == []


async def test_single_agent_needs_no_choice() -> None:
    alone = make_contest("x", bids={"planner": 0.1})
    assert await AskModel().decide(alone) is None
    assert asked(alone) == []


@pytest.mark.parametrize("mode", ["native", "schema", "text"])
async def test_model_under_a_schema_chooses_and_says_why(mode: str) -> None:
    held = contest("x", chosen("talker", " It only\n greets. "), mode=mode, schema=True)
    assert await AskModel().decide(held) == Decision("talker", "It only greets.")
    assert asked(held)[0].schema == choice(held.candidates)


@pytest.mark.parametrize("mode", ["native", "text"])
@pytest.mark.parametrize("written", ["solver", " Solver.\n", '"solver"', "**solver** it is", "The assistant: solver"])
async def test_model_without_a_schema_writes_the_name(mode: str, written: str) -> None:
    free = contest("x", written, mode=mode, schema=False)
    assert await AskModel().decide(free) == Decision("solver", "the model chose it")
    assert asked(free)[0].schema is None


async def test_choice_without_words_has_a_reason_all_the_same() -> None:
    assert await AskModel().decide(contest("x", chosen("solver", " "))) == Decision("solver", "the model chose it")


async def test_long_reason_is_cut() -> None:
    found = await AskModel().decide(contest("x", chosen("solver", "because " * 1000)))
    assert found is not None
    assert len(found.reason) <= 301


async def test_model_is_shown_the_request_and_every_bid() -> None:
    one = contest("Compare Paris and Rome", chosen("planner"))
    await AskModel().decide(one)
    system, user = asked(one)[0].messages
    assert user.text == "Compare Paris and Rome"
    for candidate in one.candidates:
        line = (
            f"- {candidate.agent}: {candidate.description} (fitness {candidate.bid.fitness:g}: {candidate.bid.reason})"
        )
        assert line in system.text


async def test_schema_allows_the_installed_agents_and_describes_them() -> None:
    agent = choice(contest().candidates)["properties"]["agent"]
    assert agent["enum"] == ["planner", "solver", "talker"]
    assert "solver: Works as a solver" in agent["description"]


async def test_a_few_earlier_remarks_are_shown_and_no_system_message_or_result() -> None:
    history = [
        Message("system", "SECRET"),
        Message("user", "the first"),
        *(Message("assistant", f"remark {n}") for n in range(3)),
        Message("tool", "RESULT", tool_call_id="1"),
        Message("assistant", ""),
        Message("user", "long " * 1000),
    ]
    task = make_task("and in Rome?", history=history, model=ModelInfo(id="m", schema=True))
    one = make_contest(task, replies=[chosen("talker")])
    await AskModel().decide(one)
    shown = asked(one)[0].messages[1].text
    assert shown.endswith("The last message:\nand in Rome?")
    assert [line.split(":")[0] for line in shown.splitlines()[1:5]] == ["assistant", "assistant", "assistant", "user"]
    assert not any(word in shown for word in ("SECRET", "RESULT", "the first"))
    assert len(shown) < 1000


async def test_long_request_is_cut() -> None:
    one = contest("x" * 100_000, chosen("talker"))
    await AskModel().decide(one)
    assert len(asked(one)[0].messages[1].text) < 5000


def test_name_within_another_name_is_not_taken_for_it() -> None:
    assert named("plan_execute", ["plan", "plan_execute"]) == "plan_execute"


def test_router_is_named_as_the_setting_names_it() -> None:
    assert agentic_routers().name == "ask_model"
