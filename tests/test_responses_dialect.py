"""A run's events as a response: what holds for every order in which they may come."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentic.errors import AgenticError, ModelUnavailable
from agentic.events import (
    ApprovalNeeded,
    Citation,
    CitationAdded,
    Decided,
    Entry,
    Event,
    HandedOver,
    Notice,
    Progress,
    RunFailed,
    RunFinished,
    RunStarted,
    TextDelta,
    ThinkingDelta,
    ToolCallFinished,
    ToolCallStarted,
)
from agentic.messages import ToolCall, Usage
from agentic.runtime.record import coalesce
from agentic.server.dialects.responses import ResponseWriter

BEGINNING = (RunStarted(1000.5, "a" * 24, "agentic"), Decided("react", "it fits"))
DONE = RunFinished("stop", Usage(3, 4))


def log(*events: Event) -> list[Entry]:
    """The events as a whole log, a tenth of a second apart."""
    return [Entry(n, n / 10, event) for n, event in enumerate((*BEGINNING, *events), 1)]


def writer(**more: Any) -> ResponseWriter:
    return ResponseWriter("run_0a1b", {"background": False, **more.pop("asked", {})}, "agentic", **more)


def told(*events: Event, **more: Any) -> list[dict[str, Any]]:
    """The events of the stream, read as clients read them."""
    return read(writer(**more).render(log(*events)))


def read(data: bytes) -> list[dict[str, Any]]:
    found = []
    for block in data.decode().split("\n\n")[:-1]:
        name, _, value = block.partition("\ndata: ")
        assert len(value.splitlines()) == 1, "clients split lines at more than \\n"
        found.append(json.loads(value))
        assert name == f"event: {found[-1]['type']}"
    return found


def whole(*events: Event) -> dict[str, Any]:
    return writer().whole(log(*events))


def shapes(response: dict[str, Any]) -> list[tuple[str, str]]:
    """The items of a response, each with its text."""
    found = []
    for item in response["output"]:
        parts = item.get("content") or item.get("summary") or [{"text": item.get("arguments", "")}]
        found.append((item["type"], "".join(part["text"] for part in parts)))
    return found


def test_failed_run_says_how_and_keeps_what_was_said() -> None:
    failure = RunFailed(503, "away", "upstream_error", "model_unavailable", usage=Usage(1, 1))
    response = whole(ThinkingDelta("Well."), TextDelta("So "), failure)
    assert (response["status"], shapes(response)) == ("failed", [("reasoning", "Well."), ("message", "So ")])
    error = {"code": "server_error", "message": "away", "type": "upstream_error", "param": None}
    assert response["error"] == {**error, "reason": "model_unavailable"}
    assert [item["status"] for item in response["output"]] == ["completed", "incomplete"]


@pytest.mark.parametrize(
    ("status", "code"), [(400, "invalid_prompt"), (429, "rate_limit_exceeded"), (502, "server_error")]
)
def test_error_has_one_of_openais_codes(status: int, code: str) -> None:
    assert whole(RunFailed(status, "no", "x"))["error"]["code"] == code


def test_stream_that_an_error_breaks_off_ends_as_failed() -> None:
    one = writer()
    begun = read(one.render(log(TextDelta("So "))))
    ended = read(one.fail(ModelUnavailable("away")))
    assert [event["type"] for event in ended] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.failed",
    ]
    assert ended[0]["sequence_number"] == begun[-1]["sequence_number"] + 1
    assert ended[-1]["response"]["error"]["message"] == "away"


def test_stream_that_breaks_before_it_has_begun_ends_as_failed() -> None:
    [ended] = read(writer().fail(AgenticError("no")))
    assert (ended["type"], ended["response"]["status"], ended["response"]["output"]) == (
        "response.failed",
        "failed",
        [],
    )


def test_cancelled_run_is_cancelled_and_its_stream_failed() -> None:
    events = told(TextDelta("So "), RunFinished("cancelled"))
    assert events[-1]["type"] == "response.failed"
    assert (events[-1]["response"]["status"], events[-1]["response"]["error"]) == ("cancelled", None)


@pytest.mark.parametrize("sign", ["\u0085", "\u2028", "\u2029", "\n"])
def test_line_breaks_of_all_kinds_stay_in_their_line(sign: str) -> None:
    events = told(TextDelta(f"a{sign}b"), DONE)
    assert [event["delta"] for event in events if "delta" in event] == [f"a{sign}b"]


def test_answer_without_a_word_is_an_empty_message() -> None:
    assert shapes(whole(DONE)) == [("message", "")]
    assert shapes(whole(ThinkingDelta("Hm."), DONE)) == [("reasoning", "Hm."), ("message", "")]


def test_what_happens_in_the_midst_of_an_answer_does_not_part_it() -> None:
    response = whole(
        TextDelta("The tower "),
        Notice("A limit was hit."),
        Progress("1", "Looking"),
        ThinkingDelta("Hm."),
        TextDelta("is high."),
        DONE,
    )
    assert shapes(response) == [("message", "The tower is high.")]
    assert response["agentic"]["notices"] == ["A limit was hit."]
    assert [step["type"] for step in response["agentic"]["steps"]] == ["notice", "progress"]


def test_tool_ends_a_message_and_what_was_held_back_comes_with_it() -> None:
    call = ToolCallStarted("c1", "lookup", {"what": "x"})
    response = whole(
        TextDelta("Wait. "), Notice("Slow."), call, ToolCallFinished("c1", "lookup", "324 m"), TextDelta("324 m"), DONE
    )
    assert shapes(response) == [
        ("message", "Wait. "),
        ("reasoning", '! Slow.\n\n→ lookup(what="x")\n← 324 m\n'),
        ("message", "324 m"),
    ]


def test_question_to_a_person_is_told_at_once() -> None:
    call = ToolCallStarted("c1", "mail", {})
    needed = ApprovalNeeded("c1", "mail", {}, "it writes", 60)
    events = told(call, TextDelta("Wait. "), needed)
    assert (events[-1]["type"], events[-1]["agentic"]["type"]) == (
        "response.reasoning_summary_text.delta",
        "approval_needed",
    )


def test_calls_of_the_client_are_items_of_their_own() -> None:
    calls = (ToolCall("c1", "weather", {"town": "Oslo"}), ToolCall("c2", "weather", {}, malformed="{oops"))
    events = told(TextDelta("Wait."), HandedOver(calls), RunFinished("tool_calls"))
    response = events[-1]["response"]
    assert response["status"] == "completed"
    assert shapes(response) == [
        ("message", "Wait."),
        ("function_call", '{"town":"Oslo"}'),
        ("function_call", "{oops"),
    ]
    assert [item["call_id"] for item in response["output"][1:]] == ["c1", "c2"]
    assert len({item["id"] for item in response["output"]}) == 3


def test_sources_stand_where_they_are_said() -> None:
    response = whole(
        TextDelta("One. "),
        CitationAdded(Citation("https://a.org", "A", 0, 3)),
        ToolCallStarted("c1", "lookup", {}),
        CitationAdded(Citation("https://b.org", "B", 5, 8)),
        CitationAdded(Citation("https://c.org", "C")),
        TextDelta("Two."),
        DONE,
    )
    first, last = (item["content"][0]["annotations"] for item in response["output"] if item["type"] == "message")
    assert [(one["url"], one["start_index"], one["end_index"]) for one in first] == [("https://a.org", 0, 3)]
    assert [(one["url"], one["start_index"], one["end_index"]) for one in last] == [
        ("https://b.org", 0, 3),
        ("https://c.org", 0, 0),
    ]


def test_response_is_queued_then_in_progress_and_shows_what_is_there() -> None:
    entries = log(TextDelta("So far"))
    assert writer().whole(entries[:1])["status"] == "queued"
    under_way = writer().whole(entries)
    assert (under_way["status"], shapes(under_way), under_way["usage"]) == (
        "in_progress",
        [("message", "So far")],
        None,
    )
    assert under_way["output"][0]["status"] == "in_progress"


def test_run_that_goes_on_after_a_restart_is_told_of_once() -> None:
    again = Decided("react", "it was at work")
    kinds = [event["type"] for event in told(again, TextDelta("x"), DONE)]
    assert kinds.count("response.in_progress") == 1


@pytest.mark.parametrize("after", range(-1, 40))
def test_stream_is_taken_up_after_any_number_though_the_log_has_joined_its_pieces(after: int) -> None:
    pieces = [ThinkingDelta("Hm. "), ThinkingDelta("Well."), *(TextDelta(f"w{n} ") for n in range(5)), DONE]
    asked = {"background": True}
    lived = told(*pieces, asked=asked)
    read_before = [event for event in lived if event["sequence_number"] <= after]
    # Only a number that was given can be the last that was read.
    last = read_before[-1]["sequence_number"] if read_before else -1
    stored = writer(asked=asked, after=last)
    taken_up = read(stored.render(coalesce(log(*pieces))))

    def text(kind: str) -> str:
        events = [*read_before, *taken_up]
        return "".join(event["delta"] for event in events if event["type"] == f"response.{kind}.delta")

    assert (text("reasoning_summary_text"), text("output_text")) == ("Hm. Well.", "w0 w1 w2 w3 w4 ")
    numbers = [event["sequence_number"] for event in (*read_before, *taken_up)]
    assert numbers == sorted(set(numbers))
    if last < lived[-1]["sequence_number"]:
        assert taken_up[-1] == lived[-1]
