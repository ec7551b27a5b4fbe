"""Tools for models that obey a JSON Schema: one turn decides, one turn answers."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from agentic import BadRequest, Json, Message, ModelError, ToolCall, ToolSpec
from agentic.events import ThinkingDelta
from agentic.messages import Usage
from agentic.models.handle import Wishes
from agentic.ports.model import ModelDelta, Sampling
from agentic.server.dialects.chat_request import ChatRequest, to_run_request
from agentic.testing.runs import client_tool
from tests.kernel_in_memory import ModelBench, deltas

MATH = ToolSpec("math", "Calculates", {"type": "object", "properties": {"expression": {"type": "string"}}})
POINT = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Point"}}}
DRAW = ToolSpec(
    "draw", "Draws", {"type": "object", "properties": {"at": {"$ref": "#/$defs/Point"}}, "$defs": {"Point": POINT}}
)
NODE = {"type": "object", "properties": {"next": {"$ref": "#/definitions/Point"}, "n": {"type": "integer"}}}
PLOT = ToolSpec(
    "plot",
    "Plots",
    {"type": "object", "properties": {"at": {"$ref": "#/definitions/Point"}}, "definitions": {"Point": NODE}},
)


def decision(*calls: tuple[str, Any], thought: str = "I need it.") -> str:
    return json.dumps({"thought": thought, "calls": [{"action": name, "input": wanted} for name, wanted in calls]})


def bench(*answers: Any, **more: Any) -> ModelBench:
    return ModelBench(*answers, **{"tool_mode": "schema", "schema": True, **more})


@pytest.mark.parametrize(
    "written",
    [
        "no JSON",
        "",
        "null",
        "[]",
        '{"thought": "x", "calls": null}',
        '{"thought": "x", "calls": [{"input": {}}]}',
        '{"thought": "x", "calls": ["math"]}',
        '{"thought": "x", "calls": [{"action": 7, "input": {}}]}',
    ],
)
async def test_choice_that_cannot_be_read_is_a_model_error(written: str) -> None:
    with pytest.raises(ModelError, match="choice of tools"):
        await bench(written).complete("1+1?", tools=[MATH])


@pytest.mark.parametrize(
    "parameters",
    [
        {"$defs": []},
        {"definitions": "x"},
        {"properties": None},
        {"type": "string"},
        {"required": [1]},
        {"$defs": {"a": 1}},
    ],
)
def test_clients_tool_whose_schema_cannot_be_used_is_refused_by_its_place(parameters: Json) -> None:
    tools = [{"type": "function", "function": {"name": name, "parameters": parameters}} for name in "ab"]
    tools[0]["function"] = {"name": "a", "parameters": {"properties": {"x": True}}}
    body = ChatRequest.model_validate({"messages": [{"role": "user", "content": "hello"}], "tools": tools})
    with pytest.raises(BadRequest, match=r"^tools\.1\.function\.parameters: the schema's ") as caught:
        to_run_request(body, default_model="m", session_id=None, traceparent="")
    assert caught.value.param == "tools.1.function.parameters"


async def test_choice_that_was_cut_off_says_so() -> None:
    with pytest.raises(ModelError, match="It was cut off"):
        await bench(deltas('{"thought": "x", "ca', finish="length")).complete("1+1?", tools=[MATH])


@pytest.mark.parametrize("choice", ["required", "open_door"])
async def test_demanded_call_that_is_not_made_is_a_model_error(choice: str) -> None:
    asked = bench(decision(), wishes=Wishes(tool_choice=choice))
    with pytest.raises(ModelError, match="called no tool"):
        await asked.complete("Open", tools=[client_tool("open_door")])


@pytest.mark.parametrize("wanted", ["expression=1", [1], 5])
async def test_input_that_is_no_object_is_a_malformed_call(wanted: Any) -> None:
    reply = await bench(decision(("math", wanted))).complete("1+1?", tools=[MATH])
    assert reply.calls == (ToolCall("r-1", "math", {}, malformed=json.dumps(wanted)),)


async def test_calls_come_with_ids_and_the_thought_as_thinking() -> None:
    asked = bench(decision(("math", {"expression": "1+1"}), ("draw", {})))
    reply = await asked.complete("1+1?", tools=[MATH, DRAW], say=True)
    assert reply.calls == (ToolCall("r-1", "math", {"expression": "1+1"}), ToolCall("r-2", "draw", {}))
    assert (reply.finish, reply.text, reply.usage) == ("tool_calls", "", Usage(10, 5))
    assert asked.events(ThinkingDelta) == [ThinkingDelta("I need it.\n")]
    [request] = asked.requests
    assert request.tools == ()
    jsonschema.validate(json.loads(decision(("math", {"expression": "1"}))), request.schema)
    assert "- math: Calculates" in request.messages[0].text


async def test_no_calls_lead_to_an_answer_that_streams_and_is_free() -> None:
    asked = bench(decision(thought=""), "It is 2.", wishes=Wishes(sampling=Sampling(max_tokens=7, stop=("x",))))
    reply = await asked.complete("1+1?", tools=[MATH], say=True)
    assert (reply.text, reply.usage, reply.thinking) == ("It is 2.", Usage(20, 10), "")
    decided, answered = asked.requests
    assert (decided.sampling.max_tokens, decided.sampling.stop) == (None, ()), "nothing may cut a decision short"
    assert (answered.sampling.max_tokens, answered.sampling.stop) == (7, ("x",))
    assert answered.schema is None
    assert [message.role for message in answered.messages] == ["user"], "the answer's turn knows nothing of tools"


async def test_response_format_holds_for_the_answer_without_a_turn_of_its_own() -> None:
    wishes = Wishes(answer_schema={"type": "object"})
    asked = bench(decision(), '{"n": 2}', wishes=wishes)
    assert (await asked.complete("1+1?", tools=[MATH], say=True)).text == '{"n": 2}'
    assert [request.schema is wishes.answer_schema for request in asked.requests] == [False, True]


async def test_tools_share_no_definition_by_accident() -> None:
    asked = bench(decision(("draw", {})))
    await asked.complete("Draw", tools=[DRAW, PLOT, MATH])
    schema = asked.requests[0].schema
    assert set(schema["$defs"]) == {"draw.Point", "plot.Point"}
    jsonschema.Draft202012Validator.check_schema(schema)
    fine = decision(("draw", {"at": {"next": {"next": {}}}}), ("plot", {"at": {"next": {"n": 1}}}))
    jsonschema.validate(json.loads(fine), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(decision(("plot", {"at": {"next": {"n": "x"}}}))), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(decision(("ghost", {}))), schema)
    assert "$defs" in DRAW.parameters, "a tool's own schema is left alone"


@pytest.mark.parametrize(
    ("wishes", "least", "most", "names"),
    [
        (Wishes(), None, None, ["math", "open_door", "ring"]),
        (Wishes(parallel=False), None, 1, ["math", "open_door", "ring"]),
        (Wishes(tool_choice="required"), 1, None, ["open_door", "ring"]),
        (Wishes(tool_choice="ring", parallel=False), 1, 1, ["ring"]),
    ],
)
async def test_schema_holds_the_model_to_the_clients_choice(
    wishes: Wishes, least: int | None, most: int | None, names: list[str]
) -> None:
    asked = bench(decision((names[-1], {})), wishes=wishes)
    await asked.complete("Ring", tools=[MATH, client_tool("open_door"), client_tool("ring")])
    calls = asked.requests[0].schema["properties"]["calls"]
    assert (calls.get("minItems"), calls.get("maxItems")) == (least, most)
    assert [one["properties"]["action"]["const"] for one in calls["items"]["anyOf"]] == names


async def test_only_the_first_call_counts_where_calls_may_not_be_parallel() -> None:
    asked = bench(decision(("math", {}), ("draw", {})), wishes=Wishes(parallel=False))
    assert [call.name for call in (await asked.complete("x", tools=[MATH, DRAW])).calls] == ["math"]


async def test_earlier_calls_and_results_become_text_and_no_user_message_follows_them() -> None:
    asked = bench(decision(), "It is 2.")
    calls = (ToolCall("1", "math", {"expression": "1+1"}), ToolCall("2", "draw", {}))
    await asked.complete(
        Message("system", "Be brief."),
        Message("user", "1+1?"),
        Message("assistant", "Let me see.", tool_calls=calls),
        Message("tool", "2", tool_call_id="1", name="math"),
        Message("tool", "done", tool_call_id="2", name="draw"),
        tools=[MATH],
    )
    decided, answered = asked.requests
    assert [message.role for message in decided.messages] == ["system", "user", "assistant", "user"]
    assert decided.messages[0].text.startswith("Be brief.\n\n")
    written = json.loads(decided.messages[2].text)
    assert written["calls"] == [{"action": call.name, "input": call.arguments} for call in calls]
    assert decided.messages[3].text == "Observation from math: 2\nObservation from draw: done"
    assert answered.messages[0].text == "Be brief."
    assert not any(message.tool_calls or message.role == "tool" for message in answered.messages)


async def test_models_own_thinking_is_passed_on() -> None:
    thinking = [ModelDelta(thinking="Hm."), *deltas(decision(("math", {})))]
    asked = bench(thinking)
    assert (await asked.complete("x", tools=[MATH])).thinking == "Hm.I need it.\n"
