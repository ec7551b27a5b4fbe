"""Plan and execute: a plan, its steps as a graph, an answer and its check, at most three rounds of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from agentic import (
    Agent,
    AgenticError,
    Fit,
    Message,
    ModelError,
    ModelInfo,
    Reply,
    ToolCall,
    ToolError,
    ToolResult,
    tool,
)
from agentic.testing.agent import AgentConformance
from agentic.testing.runs import FakeRun, calls, client_tool, make_task
from agentic.testing.scripted_model import Scripted
from agentic_plan_execute import agentic_agents, agentic_settings
from agentic_plan_execute.agent import PlanExecute
from agentic_plan_execute.settings import Settings
from agentic_plan_execute.state import first

Planned = tuple[Any, ...]


def plan(*steps: Planned) -> str:
    """A plan as a model writes it; a step is ``(id, tool, input, *needs)``."""
    listed = [{"id": name, "tool": tool, "input": given, "needs": needs} for name, tool, given, *needs in steps]
    return json.dumps({"thought": "I look it up.", "steps": listed})


def verdict(missing: str = "") -> str:
    return json.dumps({"missing": missing, "passed": not missing})


def two_rounds(first_answer: str, second_answer: str) -> list[str]:
    """What a model says to a round that fails its check, and to one that passes it."""
    return [
        plan(("s1", "lookup", {})),
        first_answer,
        verdict("the year"),
        plan(("s2", "lookup", {})),
        second_answer,
        verdict(),
    ]


async def answered(*replies: Scripted, rounds: int = 3, **kept: Any) -> FakeRun:
    run = FakeRun(kept.pop("text", "What is the answer?"), replies=replies, **kept)
    await run.answer(PlanExecute(rounds))
    return run


def results_in(messages: Sequence[Message]) -> list[str]:
    return [message.text for message in messages if message.role == "tool"]


class TestPlanExecute(AgentConformance):
    @pytest.fixture
    def agent(self) -> Agent:
        return PlanExecute(3)

    @pytest.fixture
    def tool_replies(self) -> Sequence[Scripted]:
        """A plan, a mended one where the tool fails, an answer, its check."""

        def second(asked: Any) -> str:
            return plan() if "Plan which tools" in asked.messages[0].text else "The answer is 42."

        def third(asked: Any) -> str:
            return verdict() if "Check an answer" in asked.messages[0].text else "The answer is 42."

        return [plan(("s1", "lookup", {"query": "answer"})), second, third, verdict()]


# Plans that work


async def test_four_independent_tools_take_three_model_calls() -> None:
    steps = [(f"s{n}", "lookup", {"n": n}) for n in range(4)]
    run = await answered(plan(*steps), "It is 42.", verdict(), tools={"lookup": lambda call: f"found {call.arguments}"})
    assert run.said == "It is 42."
    assert (run.budget.model_calls, run.budget.tool_calls) == (3, 4)
    assert results_in(run.model.requests[1].messages) == [f"found {{'n': {n}}}" for n in range(4)]


async def test_independent_steps_run_side_by_side_and_dependent_ones_after_what_they_need() -> None:
    seen: list[str] = []

    async def nap(call: ToolCall) -> str:
        seen.append(f"+{call.id[-1]}")
        await asyncio.sleep(call.arguments["s"])
        seen.append(f"-{call.id[-1]}")
        return "done"

    steps = [("a", "nap", {"s": 0.1}), ("b", "nap", {"s": 0.3}), ("c", "nap", {"s": 0.1}, "a")]
    await answered(plan(*steps), "Done.", verdict(), tools={"nap": nap})
    assert seen == ["+a", "+b", "-a", "+c", "-c", "-b"]


async def test_result_is_filled_into_the_input_of_the_step_that_needs_it() -> None:
    steps = [("s1", "find", {"q": "x"}), ("s2", "tell", {"text": "I found {{s1}}!", "deep": [{"a": "{{ s1 }}"}]})]
    run = await answered(plan(*steps), "Done.", verdict(), tools={"find": '4"2 {{s2}}', "tell": "told"})
    assert run.tools.called[1].arguments == {"text": 'I found 4"2 {{s2}}!', "deep": [{"a": '4"2 {{s2}}'}]}
    [said, *_] = [message for message in run.model.requests[1].messages if message.role == "assistant"]
    assert said.tool_calls[1].arguments["text"] == "I found {{s1}}!", "the model sees the input as it was planned"


async def test_tool_that_runs_alone_is_never_called_beside_another() -> None:
    now = most = 0

    @tool(examples=["x"], parallel=False)
    async def alone(n: int) -> str:
        """Run alone."""
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return str(n)

    run = await answered(
        plan(*((f"s{n}", "alone", {"n": n}) for n in range(3))), "x", verdict(), tools={"alone": alone}
    )
    assert (len(run.tools.called), most) == (3, 1)


async def test_plan_without_steps_is_answered_in_one_call_streamed_and_unchecked() -> None:
    run = await answered(plan(), "Hello there", tools={"lookup": "42"})
    assert run.pieces == ["Hello", " there"]
    assert run.model.requests[1].messages == (Message("user", "What is the answer?"),)


async def test_plan_is_asked_for_under_the_tools_own_schemas() -> None:
    @tool(examples=["x"])
    async def look(q: str) -> str:
        """Look."""
        return q

    run = await answered(plan(), "Hi", tools={"look": look})
    schema = run.model.requests[0].schema
    assert isinstance(schema, dict)
    [step] = schema["properties"]["steps"]["items"]["anyOf"]
    assert step["properties"]["tool"] == {"const": "look"}
    assert step["properties"]["input"] == run.tools.specs[0].parameters


async def test_plan_steps_and_nodes_are_told() -> None:
    run = await answered(plan(("s1", "lookup", {"n": 1})), "It is 42.", verdict(), tools={"lookup": "42"})
    assert run.thought == 'I look it up.\ns1: lookup {"n": 1}\n'
    assert [(step, state) for step, _, state in run.steps] == [
        ("plan-1", "running"),
        ("plan-1", "done"),
        ("s1", "running"),
        ("s1", "done"),
        ("answer-1", "running"),
        ("answer-1", "done"),
        ("check-1", "running"),
        ("check-1", "done"),
    ]


async def test_history_and_request_reach_every_call() -> None:
    history = (Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Hello"))
    run = await answered(
        plan(("s1", "lookup", {})), "It is 42.", verdict(), history=history, text="And x?", tools={"lookup": "42"}
    )
    for asked in run.model.requests:
        assert asked.messages[1:5] == (*history, Message("user", "And x?"))
    assert [asked.messages[-1].role for asked in run.model.requests[1:]] == ["tool", "tool"]


# Plans that do not


@pytest.mark.parametrize(
    "spoiled",
    ["I would look it up.", "[]", '{"thought": "x"}', '{"steps": [{"tool": 3}]}', '{"steps": [{"id": "s1"', "[" * 9999],
)
async def test_malformed_plan_is_mended_once(spoiled: str) -> None:
    run = await answered(spoiled, plan(("s1", "lookup", {})), "It is 42.", verdict(), tools={"lookup": "42"}, rounds=1)
    assert run.said == "It is 42."
    assert "It cannot be run" in run.model.requests[1].messages[0].text
    assert spoiled[:80] in run.model.requests[1].messages[0].text


async def test_plan_that_stays_malformed_gives_way_to_a_plan_by_rule() -> None:
    @tool(examples=["x"])
    async def add(what: str) -> str:
        """Add."""
        return f"sum of {what}"

    add.suggest = lambda text: {"what": text} if "+" in text else None  # type: ignore[method-assign]
    run = await answered("?", "??", "It is 2.", verdict(), text="1+1 please and 2+2", tools={"add": add})
    assert [call.arguments for call in run.tools.called] == [{"what": "1+1 please"}, {"what": "2+2"}]
    assert run.said == "It is 2."


async def test_plan_that_stays_malformed_where_no_rule_helps_ends_in_an_answer() -> None:
    run = await answered("?", "??", "I think 42.", tools={"lookup": "42"})
    assert (run.said, run.tools.called) == ("I think 42.", [])


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ([("s1", "ghost", {})], "there is no tool 'ghost'"),
        ([("a", "lookup", {}, "b"), ("b", "lookup", {}, "a")], "circle"),
        ([("s1", "lookup", {}, "s7")], "there is no such step"),
        ([("s1", "lookup", {"x": "{{s9}}"})], "there is no such step"),
        ([("s1", "lookup", {"x": "{{s1}}"})], "circle"),
        ([("s1", "lookup", {}), ("s1", "lookup", {})], "same id"),
        ([(f"s{n}", "lookup", {}) for n in range(17)], "16 are the most"),
    ],
)
async def test_plan_that_cannot_be_run_is_mended(steps: list[Planned], told: str) -> None:
    run = await answered(
        plan(*steps), plan(("s1", "lookup", {})), "It is 42.", verdict(), tools={"lookup": "42"}, rounds=1
    )
    assert told in run.model.requests[1].messages[0].text
    assert (run.said, len(run.tools.called)) == ("It is 42.", 1)


async def test_ids_that_make_no_call_ids_are_given_anew_instead_of_being_refused() -> None:
    listed = [
        {"id": 1, "tool": "find", "input": {}},
        {"id": "the-second-step-of-them-all", "tool": "tell", "input": {"x": "so {{1}}"}, "needs": [1]},
    ]
    run = await answered(json.dumps({"steps": listed}), "It is 42.", verdict(), tools={"find": "42", "tell": "told"})
    assert [(call.id, call.arguments) for call in run.tools.called] == [("run-1-s1", {}), ("run-1-s2", {"x": "so 42"})]


async def test_name_that_the_model_made_up_is_shown_to_it_as_a_name() -> None:
    spoiled = plan(("s1", "no such (tool)", {}))
    run = await answered(spoiled, spoiled, "Well.", verdict(), tools={"lookup": "42"}, rounds=1)
    assert run.model.requests[2].messages[-1].name == "no_such__tool_"


async def test_sound_steps_of_a_plan_that_stays_faulty_are_run_and_the_others_reported() -> None:
    spoiled = plan(("s1", "ghost", {}), ("s2", "lookup", {}, "s1"), ("s3", "lookup", {}))
    run = await answered(spoiled, spoiled, "It is 42.", verdict(), tools={"lookup": "42"}, rounds=1)
    assert [call.id for call in run.tools.called] == ["run-1-s3"]
    read = results_in(run.model.requests[2].messages)
    assert "there is no tool 'ghost'" in read[0]
    assert "it needs a step that cannot be run" in read[1]


# Steps that fail


async def test_failed_step_is_planned_anew_with_its_error_at_hand() -> None:
    replies = [
        plan(("s1", "lookup", {"n": 1}), ("s2", "other", {})),
        plan(("s1", "lookup", {"n": 2})),
        "It is 42.",
        verdict(),
    ]

    def look(call: ToolCall) -> ToolResult:
        return ToolResult("n is 1, sadly", error=True) if call.arguments["n"] == 1 else ToolResult("42")

    run = await answered(*replies, tools={"lookup": look, "other": "fine"})
    assert run.said == "It is 42."
    assert results_in(run.model.requests[1].messages) == ["n is 1, sadly", "fine"]
    assert [call.id for call in run.tools.called] == ["run-1-s1", "run-1-s2", "run-1-s3"], "a used id is given anew"
    assert results_in(run.model.requests[2].messages) == ["n is 1, sadly", "fine", "42"]


async def test_step_whose_need_failed_is_not_run_but_reported() -> None:
    replies = [plan(("a", "fail", {}), ("b", "lookup", {}, "a"), ("c", "lookup", {}, "b")), plan(), "No.", verdict()]
    run = await answered(*replies, tools={"fail": ToolError("away"), "lookup": "42"})
    assert [call.name for call in run.tools.called] == ["fail"]
    assert results_in(run.model.requests[1].messages) == [
        "away",
        "Not run: it needs a, which failed.",
        "Not run: it needs b, which failed.",
    ]
    assert [state for step, _, state in run.steps if step in ("b", "c")] == ["skipped", "skipped"]


async def test_steps_that_fail_in_every_round_end_in_an_answer_all_the_same() -> None:
    replies = [*(plan((f"s{n}", "fail", {})) for n in range(3)), "I could not find out.", verdict()]
    run = await answered(*replies, tools={"fail": ToolError("away")})
    assert run.said == "I could not find out."
    assert len(run.tools.called) == 3


# Checks


async def test_answer_that_fails_twice_then_passes_appears_once_and_alone() -> None:
    replies = [
        *(plan(("s1", "lookup", {"n": 1})), "First.", verdict("the unit\nis missing")),
        *(plan(("s2", "lookup", {"n": 2})), "Second.", verdict("the year is missing")),
        *(plan(), "Third, in metres.", verdict()),
    ]
    run = await answered(*replies, tools={"lookup": "42"})
    assert run.said == "Third, in metres."
    assert run.pieces == ["Third,", " in", " metres."], "no check can change it, so it is streamed"
    assert "the unit is missing" in run.model.requests[3].messages[0].text
    assert "the year is missing" in run.model.requests[7].messages[0].text
    assert "First.\nNot good enough yet: the unit is missing" in run.thought, "what was held back is not lost"


async def test_answer_that_never_passes_is_given_with_what_could_not_be_verified() -> None:
    replies = [
        part for n in range(3) for part in (plan((f"s{n}", "lookup", {"n": n})), f"Try {n}.", verdict("no year"))
    ]
    run = await answered(*replies, tools={"lookup": "42"})
    assert run.said == "Try 2.\n\nCould not be verified: no year"
    assert run.budget.model_calls == 9


@pytest.mark.parametrize("unread", ["looks fine to me", '{"passed": "yes"}', ModelError("away")])
async def test_answer_stands_where_there_is_no_verdict(unread: Scripted) -> None:
    run = await answered(plan(("s1", "lookup", {})), "It is 42.", unread, tools={"lookup": "42"})
    assert run.said == "It is 42.\n\nThe answer could not be checked."


async def test_empty_answer_does_not_pass_and_costs_no_check() -> None:
    replies = [plan(("s1", "lookup", {})), Reply(""), plan(), "It is 42.", verdict()]
    run = await answered(*replies, tools={"lookup": "42"})
    assert run.said == "It is 42."


async def test_last_round_without_an_answer_falls_back_on_the_one_before() -> None:
    replies = [plan(("s1", "lookup", {})), "Draft.", verdict("the year"), plan(), Reply(""), '{"passed": false}']
    run = await answered(*replies, tools={"lookup": "42"}, rounds=2)
    assert run.said == "Draft.\n\nCould not be verified: it was not said what"


async def test_answer_that_the_clients_limit_has_cut_is_given_unchecked() -> None:
    run = await answered(plan(("s1", "lookup", {})), Reply("It is 4", finish="length"), tools={"lookup": "42"})
    assert run.said == "It is 4"


@pytest.mark.parametrize("asked", [2, 3, 4, 5])
async def test_draft_is_given_where_a_limit_is_reached_while_it_is_checked_or_a_better_one_is_sought(
    asked: int,
) -> None:
    replies = two_rounds("Draft.", "Better.")
    run = FakeRun(replies=[*replies[:asked], AgenticError("Stopped: the limit was reached.")], tools={"lookup": "42"})
    with pytest.raises(AgenticError, match="limit"):
        await run.answer(PlanExecute(3))
    assert run.said == ("Better." if asked == 5 else "Draft.")


async def test_draft_is_left_with_the_run_for_a_limit_that_ends_it() -> None:
    replies = two_rounds("Draft.", "Better.")
    run = FakeRun(replies=replies, tools={"lookup": "42"})
    await run.answer(PlanExecute(3))
    assert run.drafts[0] == "Draft."
    assert run.drafts[-1] == "Better."
    kept = next(one for one in run.checkpoints if one.data["final_output"] == "Draft.")
    again = run.after(kept)
    await again.answer(PlanExecute(3))
    assert again.drafts[0] == "Draft.", "also where it goes on after a restart"


async def test_draft_keeps_to_the_shape_that_the_client_wants() -> None:
    run = await answered(plan(("s1", "lookup", {})), '{"a": 1}', verdict(), tools={"lookup": "42"})
    assert [(asked.held, asked.said) for asked in run.model.requests] == [(False, False), (True, False), (False, False)]
    assert run.said == '{"a": 1}'


# The client's tools, models that cannot plan, and the end


async def test_clients_tools_are_called_last_with_results_filled_in() -> None:
    steps = [("c", "ring", {"text": "It is {{s1}}"}), ("after", "lookup", {}, "c"), ("s1", "lookup", {})]
    run = await answered(plan(*steps), tools={"lookup": "42"}, client_tools=[client_tool("ring")])
    assert [call.id for call in run.tools.called] == ["run-1-s1"], "what waits for the client is left for later"
    assert run.tools.handed_over == (ToolCall("run-1-c", "ring", {"text": "It is 42"}),)
    assert run.said == ""


async def test_clients_tool_whose_need_failed_is_not_handed_over() -> None:
    replies = [plan(("s1", "fail", {}), ("c", "ring", {}, "s1")), plan(), "No.", verdict()]
    run = await answered(*replies, tools={"fail": ToolError("away")}, client_tools=[client_tool("ring")])
    assert (run.said, run.tools.handed_over) == ("No.", ())


async def test_forced_choice_is_not_planned() -> None:
    task = make_task("Ring", client_tools=[client_tool("ring")], tool_choice="ring")
    run = FakeRun(replies=[calls(ToolCall("1", "ring", {}))], tools={"lookup": "42"}, task=task)
    run.tools.specs = [*run.tools.specs, client_tool("ring")]
    await run.answer(PlanExecute(3))
    assert [spec.name for spec in run.model.requests[0].tools] == ["lookup", "ring"]


async def test_model_without_schemas_writes_its_plan_freely() -> None:
    task = make_task("x", fit=(Fit("lookup", 1),), model=ModelInfo(id="m", tool_mode="text"))
    fenced = f"```json\n{plan(('s1', 'lookup', {}))}\n```"
    run = await answered(fenced, "It is 42.", verdict(), tools={"lookup": "42"}, task=task)
    assert run.said == "It is 42."
    assert [asked.schema for asked in run.model.requests] == [None] * 3


async def test_model_that_cannot_plan_gets_a_plan_by_rule_and_no_check() -> None:
    @tool(examples=["x"])
    async def add(what: str) -> str:
        """Add."""
        return f"sum of {what}"

    add.suggest = lambda text: {"what": text} if "+" in text else None  # type: ignore[method-assign]
    task = make_task("1+1, and also 2+2", fit=(Fit("add", 1),), model=ModelInfo(id="tiny", tool_mode="fit"))
    run = await answered("sum of 1+1\n\nsum of 2+2", tools={"add": add}, task=task)
    assert len(run.tools.called) == 2
    assert run.budget.model_calls == 1


async def test_model_that_cannot_plan_and_has_no_rule_is_given_the_tools() -> None:
    task = make_task("Look it up", fit=(Fit("lookup", 1),), model=ModelInfo(id="tiny", tool_mode="fit"))
    run = await answered(calls(ToolCall("1", "lookup", {})), "It is 42.", tools={"lookup": "42"}, task=task)
    assert run.said == "It is 42."
    assert results_in(run.model.requests[1].messages) == ["42"]


async def test_cancelled_it_leaves_no_tool_running() -> None:
    began, ended = asyncio.Event(), []

    async def hang(call: ToolCall) -> str:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(call.id)
        return ""

    run = FakeRun(replies=[plan(("a", "hang", {}), ("b", "hang", {}))], tools={"hang": hang})
    before = asyncio.all_tasks()
    working = asyncio.create_task(PlanExecute(3).run(run))
    await asyncio.wait_for(began.wait(), 10)
    working.cancel()
    done, _ = await asyncio.wait([working], timeout=1)
    assert done and working.cancelled()
    assert sorted(ended) == ["run-1-a", "run-1-b"]
    assert asyncio.all_tasks() == before


async def test_run_can_go_on_from_any_node() -> None:
    from agentic_plan_execute.graph import Workflow

    replies = two_rounds("First.", "Second.")
    workflow, whole = Workflow(), FakeRun(replies=replies, tools={"lookup": "42"})
    left = [(json.dumps(state), whole.budget.model_calls) async for state in workflow.walk(first(3), whole)]
    assert len(left) == 11, "the first state, and one a node"
    for state, asked in left:
        rest = FakeRun(replies=replies[asked:], tools={"lookup": "42"})
        states = [found async for found in workflow.walk(json.loads(state), rest)]
        assert json.dumps(states[-1]) == left[-1][0]
        assert rest.said == ("" if states[0]["said"] else "Second.")


async def test_it_tells_langsmith_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from langsmith.utils import tracing_is_enabled

    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")
    seen: list[Any] = []

    def look(_: ToolCall) -> str:
        seen.append(tracing_is_enabled())
        return "42"

    await answered(plan(("s1", "look", {})), "It is 42.", verdict(), tools={"look": look})
    assert seen == [False]


@pytest.mark.parametrize("rounds", [0, 11, "many"])
def test_setting_out_of_range_is_refused(rounds: object) -> None:
    with pytest.raises(ValidationError, match="plan_execute_max_rounds"):
        agentic_settings().model_validate({"plan_execute_max_rounds": rounds})


async def test_setting_is_the_cap() -> None:
    agent = agentic_agents(settings=Settings(plan_execute_max_rounds=1))
    run = FakeRun(replies=[plan(("s1", "lookup", {})), "So far.", verdict("more")], tools={"lookup": "42"})
    assert await run.answer(agent) == "So far.\n\nCould not be verified: more"
