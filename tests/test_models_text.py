"""Tools for models that only write: what comes before a call streams, the call itself is never shown."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from agentic import Message, ModelError, ToolCall, ToolSpec
from agentic.events import TextDelta
from agentic.messages import Usage
from agentic.models.handle import Wishes
from agentic.models.text import Splitter, parse_call
from agentic.ports.model import ModelDelta, Sampling
from agentic.testing.runs import client_tool
from tests.kernel_in_memory import ModelBench, deltas

MATH = ToolSpec("math", "Calculates", {"type": "object", "properties": {"expression": {"type": "string"}}})
CALL = 'Action: math\nInput: {"expression": "1+1"}'
MATH_CALL = ToolCall("r-1", "math", {"expression": "1+1"})


def bench(*answers: Any, **more: Any) -> ModelBench:
    return ModelBench(*answers, **{"tool_mode": "text", "schema": False, **more})


def split(pieces: list[str]) -> tuple[str, str]:
    splitter = Splitter()
    shown = "".join(splitter.feed(piece) for piece in pieces) + splitter.rest()
    return shown, splitter.held


TEXTS = [
    (f"Let me see.\n{CALL}", "Let me see.\n", CALL),
    (CALL, "", CALL),
    (f"  {CALL}\nObservation: 2", "", f"{CALL}\nObservation: 2"),
    (f"One\r\n\r\n{CALL}", "One\r\n\r\n", CALL),
    ("An Action: within a line\nActions speak\n Act", "An Action: within a line\nActions speak\n Act", ""),
    ("Act\nAction\nActio", "Act\nAction\nActio", ""),
    ("line\u2028Action: no\x0bAction: no\x85Action: no", "line\u2028Action: no\x0bAction: no\x85Action: no", ""),
    ("\n\n   \nAction", "\n\n   \nAction", ""),
    ("\n \n\tAction: x", "\n \n", "Action: x"),
    ("", "", ""),
]


@pytest.mark.parametrize(("text", "shown", "held"), TEXTS)
def test_what_is_shown_and_held_does_not_hang_on_how_the_text_comes(text: str, shown: str, held: str) -> None:
    assert split([text]) == (shown, held)
    assert split(list(text)) == (shown, held)
    for place in range(len(text) + 1):
        assert split([text[:place], text[place:]]) == (shown, held)
    for first, second in itertools.combinations(range(len(text) + 1), 2):
        assert split([text[:first], text[first:second], text[second:]]) == (shown, held)


def test_nothing_of_a_call_is_ever_shown_and_ordinary_text_is_shown_at_once() -> None:
    splitter = Splitter()
    assert [splitter.feed(piece) for piece in ("Hel", "lo\n", "A", "ct", "ion", ": x")] == [
        "Hel",
        "lo\n",
        "",
        "",
        "",
        "",
    ]
    assert splitter.held == "Action: x"
    ordinary = Splitter()
    assert [ordinary.feed(piece) for piece in ("Ac", "me ", "Action: ")] == ["", "Acme ", "Action: "]


@pytest.mark.parametrize(
    "written",
    [
        "Action: math",
        "Action: math\nInput:",
        "Action: math\nInput: 1+1",
        'Action: math\nInput: {"a": 1',
        'Action: math\nInput: {"a": 1} and so on',
        "Action: math\nInput: [1]",
        "Action: a\nInput: {}\nAction: b\nInput: {}",
        "",
    ],
)
def test_call_that_breaks_the_form_is_not_read(written: str) -> None:
    assert parse_call(written) is None


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        (CALL, {"expression": "1+1"}),
        (f"{CALL}  \n\n", {"expression": "1+1"}),
        (f"{CALL}\nObservation: 3\nThe answer is 3.", {"expression": "1+1"}),
        ("Action:math\n\nInput:{}", {}),
        ('Action: math \nInput: {\n  "a": {"b": "}"}\n}', {"a": {"b": "}"}}),
    ],
)
def test_call_that_keeps_to_the_form_is_read(written: str, arguments: dict[str, Any]) -> None:
    assert parse_call(written) == ToolCall("", "math", arguments)


async def test_text_streams_and_the_call_follows_it() -> None:
    asked = bench(f"Let me see.\n{CALL}")
    reply = await asked.complete("1+1?", tools=[MATH], say=True)
    assert (reply.text, reply.calls, reply.finish) == ("Let me see.\n", (MATH_CALL,), "tool_calls")
    assert "".join(event.text for event in asked.events(TextDelta)) == "Let me see.\n"
    [request] = asked.requests
    assert (request.tools, request.schema) == ((), None)
    assert "- math: Calculates" in request.messages[0].text


async def test_answer_without_a_call_is_an_answer() -> None:
    asked = bench(deltas("It is 2.", finish="length"))
    reply = await asked.complete("1+1?", tools=[MATH])
    assert (reply.text, reply.calls, reply.finish, reply.usage) == ("It is 2.", (), "length", Usage(10, 5))


async def test_call_that_cannot_be_read_gets_one_turn_to_be_mended() -> None:
    asked = bench("Hm.\nAction: math\nInput: 1+1", f"Sorry.\n{CALL}")
    reply = await asked.complete("1+1?", tools=[MATH], say=True)
    assert (reply.text, reply.calls, reply.usage) == ("Hm.\n", (MATH_CALL,), Usage(20, 10))
    again = asked.requests[1].messages
    assert [message.role for message in again[-2:]] == ["assistant", "user"]
    assert again[-2].text == "Action: math\nInput: 1+1"
    assert "Names: math" in again[-1].text


async def test_call_that_cannot_be_mended_is_malformed_for_the_model_to_read() -> None:
    reply = await bench("Action: math\nInput: 1+1", "Action: math\nInput: nothing").complete("1+1?", tools=[MATH])
    assert reply.calls == (ToolCall("r-1", "math", {}, malformed="Action: math\nInput: 1+1"),)


async def test_unknown_tool_is_asked_about_once_and_then_passed_on() -> None:
    asked = bench("Action: maths\nInput: {}", "I do not know.")
    assert [call.name for call in (await asked.complete("x", tools=[MATH])).calls] == ["maths"]
    assert len(asked.requests) == 2


async def test_what_the_client_asked_of_the_answer_holds_and_a_call_cut_short_is_mended() -> None:
    wishes = Wishes(sampling=Sampling(max_tokens=3, stop=("END",), temperature=0.5))
    asked = bench(deltas("Action: math\nInput: {", finish="length"), CALL, wishes=wishes)
    assert (await asked.complete("x", tools=[MATH])).calls == (MATH_CALL,)
    first, mending = (request.sampling for request in asked.requests)
    assert (first.max_tokens, first.stop, first.temperature) == (3, ("END", "\nObservation"), 0.5)
    assert (mending.max_tokens, mending.temperature) == (None, 0.5)


@pytest.mark.parametrize("choice", ["required", "ring"])
async def test_demanded_call_is_asked_for_again_and_then_a_model_error(choice: str) -> None:
    ring = client_tool("ring")
    asked = bench("No.", "Action: ring\nInput: {}", wishes=Wishes(tool_choice=choice))
    assert [call.name for call in (await asked.complete("Ring", tools=[MATH, ring])).calls] == ["ring"]
    assert "You must call" in asked.requests[0].messages[0].text
    assert "math" not in asked.requests[0].messages[0].text, "a demand speaks of the client's tools"
    for stubborn in ("No again.", "Action: ghost\nInput: {}"):
        with pytest.raises(ModelError, match="called no tool"):
            await bench("No.", stubborn, wishes=Wishes(tool_choice=choice)).complete("Ring", tools=[ring])


async def test_earlier_calls_are_written_in_the_form_and_results_are_observations() -> None:
    asked = bench("It is 2.")
    await asked.complete(
        "1+1?",
        Message("assistant", "Let me see.", tool_calls=(ToolCall("1", "math", {"expression": "1+1"}),)),
        Message("tool", "2", tool_call_id="1", name="math"),
        tools=[MATH],
    )
    roles = [(message.role, message.text) for message in asked.requests[0].messages[1:]]
    assert roles == [
        ("user", "1+1?"),
        ("assistant", f"Let me see.\n{CALL}"),
        ("user", "Observation from math: 2"),
    ]


async def test_thinking_is_passed_on() -> None:
    asked = bench([ModelDelta(thinking="Hm."), *deltas("It is 2.")])
    assert (await asked.complete("x", tools=[MATH])).thinking == "Hm."
