"""What goes wrong at the model server reaches the client as the right status or a typed error, and is recorded."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from agentic.testing.ollama import Answer, calls, cuts, errors_midstream, fails, hangs, sends
from tests.http_fixtures import Api, SharedOllama, error_of

EARLY: dict[str, tuple[Answer, int, str, str]] = {
    "busy": (fails(503, "server busy"), 503, "model_unavailable", "server busy"),
    "too many": (fails(429, "slow down", retry_after_s=7), 503, "model_unavailable", "slow down"),
    "broken": (fails(500, "llama runner has died"), 502, "model_error", "llama runner has died"),
    "bad gateway": (fails(502, "no route"), 502, "model_error", "no route"),
    "pulled away": (fails(404, "model 'qwen3:8b' not found"), 404, "model_not_found", "ollama pull qwen3:8b"),
    "error line": (errors_midstream("out of memory", after=0), 502, "model_error", "out of memory"),
    "cut": (cuts(after=0), 502, "model_error", "broke off"),
    "no JSON": (sends("<html>"), 502, "model_error", "not JSON"),
    "hang": (hangs(after=0), 504, "model_timeout", "OLLAMA_TIMEOUT"),
}
LATE: dict[str, tuple[Answer, str, str]] = {
    "error line": (errors_midstream("out of memory", after=2), "model_error", "out of memory"),
    "cut": (cuts(after=2), "model_error", "broke off"),
    "hang": (hangs(after=2), "model_timeout", "OLLAMA_TIMEOUT"),
    "nonsense": (
        sends('{"message": {"content": "word1 word2 "}, "done": false}', "nonsense"),
        "model_error",
        "not JSON",
    ),
}


def assert_failure_is_recorded(api: Api, response: httpx.Response, status: int, said: str) -> None:
    last = api.run_of(response)[-1]
    assert (last["type"], last["status"]) == ("run_failed", status)
    question, *answers = api.conversation(response.headers["x-session-id"])
    assert (question["role"], question["content"]) == ("user", "hello")
    assert [(answer["content"], answer["incomplete"]) for answer in answers] == [(said, True)]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("fault", EARLY)
def test_fault_before_the_first_word_is_a_status(ann: Api, ollama: SharedOllama, fault: str, stream: bool) -> None:
    answer, status, code, told = EARLY[fault]
    ollama.script(answer)
    response = ann.chat(stream=stream)
    assert response.status_code == status, response.text
    error = error_of(response.json())
    assert error["code"] == code
    assert told in error["message"]
    assert response.headers.get("retry-after") == ("7" if fault == "too many" else None)
    assert_failure_is_recorded(ann, response, status, "")


@pytest.mark.parametrize("fault", LATE)
def test_fault_after_the_first_word_ends_the_stream_with_a_typed_error(
    ann: Api, ollama: SharedOllama, fault: str
) -> None:
    answer, code, told = LATE[fault]
    ollama.script(answer)
    streamed = ann.chat_stream()
    assert streamed.text == "word1 word2 "
    assert streamed.error is not None
    assert streamed.error["type"] == "upstream_error"
    assert streamed.error["code"] == code
    assert told in streamed.error["message"]
    assert_failure_is_recorded(ann, streamed.response, 504 if fault == "hang" else 502, "word1 word2 ")


@pytest.mark.parametrize("fault", LATE)
def test_fault_after_the_first_word_is_a_status_where_nothing_was_streamed(
    ann: Api, ollama: SharedOllama, fault: str
) -> None:
    answer, _, told = LATE[fault]
    ollama.script(answer)
    response = ann.chat()
    assert response.status_code == (504 if fault == "hang" else 502)
    assert told in error_of(response.json())["message"]
    assert_failure_is_recorded(ann, response, response.status_code, "word1 word2 ")


def test_fault_after_a_tool_ran_ends_the_stream_with_a_typed_error(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(calls(("lookup", {"what": "tower"})), fails(500, "llama runner has died"))
    streamed = ann.chat_stream(model="agentic/react")
    assert streamed.error is not None
    assert "llama runner has died" in streamed.error["message"]
    kinds = [event["type"] for event in ann.run_of(streamed.response)]
    assert kinds.count("tool_call_finished") == 1
    assert kinds[-1] == "run_failed"


def test_model_that_is_not_pulled_is_told_with_its_command(ann: Api) -> None:
    response = ann.chat(model="llama9:70b")
    assert response.status_code == 404
    error = error_of(response.json())
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "ollama pull llama9:70b" in error["message"]


def test_model_that_refuses_tools_is_told(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(fails(400, '"boastful" does not support tools'))
    refused = ann.chat(model="agentic/react@boastful")
    assert refused.status_code == 502
    assert "does not support tools" in error_of(refused.json())["message"]
    assert_failure_is_recorded(ann, refused, 502, "")


def test_model_without_tools_still_uses_the_servers_tools(ann: Api, ollama: SharedOllama) -> None:
    def answer(body: dict[str, Any]) -> str:
        assert "tools" not in body
        if body.get("format"):
            seen = any("324 m" in message["content"] for message in body["messages"])
            action = '{"action": "lookup", "input": {"what": "tower"}}'
            return '{"thought": "", "calls": []}' if seen else f'{{"thought": "look", "calls": [{action}]}}'
        return "It is 324 m."

    ollama.answer = answer
    body = ann.chat("How high is the tower?", model="agentic/react@toolless").json()
    assert body["choices"][0]["message"]["content"] == "It is 324 m."
    assert "tool_calls" not in body["choices"][0]["message"]
    assert [step["type"] for step in body["agentic"]["steps"]][:2] == ["tool_call_started", "tool_call_finished"]


def test_next_request_after_a_fault_is_served(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(fails(500, "llama runner has died"), "All is well.")
    assert ann.chat().status_code == 502
    assert ann.chat().json()["choices"][0]["message"]["content"] == "All is well."


def test_conversation_goes_on_after_a_failed_turn(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(cuts(after=2), "Better now.")
    failed = ann.chat()
    assert failed.status_code == 502
    body = ann.chat("again", session_id=failed.headers["x-session-id"]).json()
    assert body["choices"][0]["message"]["content"] == "Better now."
    assert [message["content"] for message in ollama.chats[-1]["messages"]] == ["hello", "word1 word2 ", "again"]
