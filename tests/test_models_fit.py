"""Tools for models that cannot choose: examples choose, rules and schemas fill in, results are shown as they are."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from agentic import Message, ModelError, ToolCall, ToolSpec
from agentic.events import ModelStarted
from agentic.messages import Json, Usage
from agentic.models.handle import Wishes
from agentic.ports.model import Sampling
from agentic.testing.runs import client_tool
from tests.kernel_in_memory import ModelBench, deltas

PARAMETERS: Json = {"type": "object", "properties": {"expression": {"type": "string"}}}
WEATHER = ToolSpec("weather", "Tells the weather", {"type": "object", "properties": {"place": {"type": "string"}}})
CLOCK = ToolSpec("clock", "Tells the time", {"type": "object", "properties": {}})
QUESTION = Message("user", "How much is 1+1?")
CALLED = Message("assistant", "", tool_calls=(ToolCall("1", "math", {"expression": "1+1"}),))


def math(suggested: Any = None) -> ToolSpec:
    def suggest(_text: str) -> Any:
        if isinstance(suggested, BaseException):
            raise suggested
        return suggested

    return ToolSpec("math", "Calculates", PARAMETERS, suggest=suggest)


def bench(*answers: Any, **more: Any) -> ModelBench:
    return ModelBench(*answers, **{"tool_mode": "fit", "schema": True, **more})


@pytest.mark.parametrize("read", [ValueError("x"), SystemExit(3), "1+1", ["1+1"]])
async def test_rule_that_fails_has_read_nothing(read: Any, caplog: pytest.LogCaptureFixture) -> None:
    asked = bench('{"expression": "1+1"}', fits=["math"])
    with caplog.at_level(logging.ERROR):
        reply = await asked.complete(QUESTION, tools=[math(read)])
    assert reply.calls == (ToolCall("r-1", "math", {"expression": "1+1"}),)
    assert "[Tools] A tool's suggest " in caplog.text


@pytest.mark.parametrize(
    "written", ["no JSON", "[1]", '"x"', '{"expression": "1+', "[" * 100_000], ids=lambda one: one[:9]
)
async def test_arguments_that_cannot_be_filled_in_lead_to_an_answer(written: str) -> None:
    asked = bench(written, "Two.", fits=["math"])
    reply = await asked.complete(QUESTION, tools=[math()])
    assert (reply.calls, reply.text) == ((), "Two.")


async def test_demanded_call_that_cannot_be_filled_in_is_a_model_error() -> None:
    door = ToolSpec("door", "Opens", PARAMETERS, client=True)
    with pytest.raises(ModelError, match="called no tool"):
        await bench("no JSON", wishes=Wishes(tool_choice="door")).complete("Open", tools=[door])


async def test_no_tool_fits_and_the_model_answers() -> None:
    asked = bench("Hello!")
    assert (await asked.complete("Hi", tools=[math(), CLOCK])).text == "Hello!"
    [request] = asked.requests
    assert [message.text for message in request.messages] == ["Hi"]


async def test_rule_fills_in_the_arguments_without_the_model() -> None:
    asked = bench(fits=["weather", "math"])
    reply = await asked.complete(QUESTION, tools=[WEATHER, math({"expression": "1+1"})])
    assert reply.calls == (ToolCall("r-1", "math", {"expression": "1+1"}),)
    assert (reply.finish, reply.usage, asked.requests) == ("tool_calls", Usage(), [])


async def test_model_fills_in_the_arguments_of_the_fittest_tool_under_its_schema() -> None:
    wishes = Wishes(sampling=Sampling(max_tokens=1, stop=("}",), seed=7))
    asked = bench('{"place": "Rome"}', fits=["weather", "math"], wishes=wishes)
    reply = await asked.complete("Weather in Rome?", tools=[math(), WEATHER])
    assert reply.calls == (ToolCall("r-1", "weather", {"place": "Rome"}),)
    [request] = asked.requests
    assert request.schema == WEATHER.parameters
    assert (request.sampling.max_tokens, request.sampling.stop, request.sampling.seed) == (None, (), 7)
    assert request.messages[-1].text == "Weather in Rome?"


async def test_tool_without_arguments_needs_none() -> None:
    asked = bench(fits=["clock"])
    assert (await asked.complete("What time is it?", tools=[CLOCK])).calls == (ToolCall("r-1", "clock", {}),)
    assert asked.requests == []


@pytest.mark.parametrize(("choice", "name"), [("required", "ring"), ("door", "door")])
async def test_clients_choice_is_kept(choice: str, name: str) -> None:
    asked = bench(wishes=Wishes(tool_choice=choice), fits=["math"])
    clients = [client_tool("ring"), client_tool("door")]
    assert [call.name for call in (await asked.complete("x", tools=[math(), *clients])).calls] == [name]


async def test_results_are_shown_as_the_tools_gave_them() -> None:
    asked = bench(fits=["math"])
    results = [
        Message("tool", "Error: the shop is closed.", tool_call_id="1", name="math"),
        Message("tool", "2 exactly", tool_call_id="2", name="math"),
    ]
    reply = await asked.complete(QUESTION, CALLED, *results, tools=[math({"expression": "1+1"})])
    assert (reply.text, reply.calls) == ("Error: the shop is closed.\n\n2 exactly", ())
    assert asked.requests == []
    assert asked.events(ModelStarted) == []


async def test_results_are_shown_unmarked_also_without_tools_at_hand() -> None:
    page = Message("tool", "Rain in Rome", tool_call_id="1", name="page")
    asked = bench(untrusted=["page"])
    assert (await asked.complete("x", page, tools=[CLOCK])).text == "Rain in Rome"
    assert (await asked.complete("x", page)).text == "Rain in Rome"


async def test_results_before_the_last_question_are_observations_and_untrusted_ones_are_marked() -> None:
    page = Message("tool", "Rain in Rome", tool_call_id="1", name="page")
    asked = bench("You are welcome.", untrusted=["page"])
    said = Message("assistant", "Rain in Rome")
    await asked.complete("Weather?", CALLED, page, said, Message("user", "Thanks"), tools=[math()])
    messages = asked.requests[0].messages
    assert [message.role for message in messages] == ["user", "assistant", "user", "assistant", "user"]
    assert messages[2].text.startswith("Observation from page: Untrusted data")
    assert "Rain in Rome" in messages[2].text


async def test_response_format_is_kept_also_for_results() -> None:
    wishes = Wishes(answer_schema={"type": "object"})
    asked = bench('{"n": 2}', wishes=wishes, fits=["math"])
    result = Message("tool", "2", tool_call_id="1", name="math")
    reply = await asked.complete(QUESTION, CALLED, result, tools=[math({"expression": "1+1"})], say=True)
    assert (reply.text, reply.calls) == ('{"n": 2}', ())
    assert asked.requests[0].schema == wishes.answer_schema


async def test_model_is_not_asked_for_what_may_be_left_out() -> None:
    properties = {"place": {"type": "string"}, "units": {"enum": ["metric", "imperial"]}}
    parameters: Json = {"type": "object", "properties": properties, "required": ["place"]}
    tool = ToolSpec("weather", "Tells the weather", parameters)
    bench = ModelBench('{"place": "Oslo"}', tool_mode="fit", fits=["weather"])
    reply = await bench.model.complete([Message("user", "How is Oslo?")], tools=[tool])
    assert reply.calls[0].arguments == {"place": "Oslo"}
    assert bench.requests[0].schema["properties"] == {"place": {"type": "string"}}


async def test_model_that_fails_to_fill_in_answers_without_the_tool() -> None:
    bench = ModelBench(ModelError("the JSON was cut"), "I do not know.", tool_mode="fit", fits=["weather"])
    reply = await bench.model.complete([Message("user", "How is Oslo?")], tools=[WEATHER])
    assert (reply.text, reply.calls) == ("I do not know.", ())


async def test_costs_of_filling_in_are_counted() -> None:
    asked = bench(deltas('{"place": "Rome"}'), fits=["weather"])
    assert (await asked.complete("x", tools=[WEATHER])).usage == Usage(10, 5)
    assert (asked.budget.usage, asked.budget.model_calls) == (Usage(10, 5), 1)
