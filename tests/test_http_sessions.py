"""Conversations over HTTP: going on with them, listing, reading and deleting them, and keeping them to their owner."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx
import pytest

from agentic.testing.ollama import calls, says
from tests.http_fixtures import Api, SharedOllama, chat_body, error_of

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a town",
        "parameters": {"type": "object", "properties": {"town": {"type": "string"}}, "required": ["town"]},
    },
}


def said(ollama: SharedOllama, *, call: int = -1) -> list[tuple[str, str]]:
    """The messages that the model was given, as roles and texts, but for an agent's own instruction."""
    messages = ollama.chats[call]["messages"]
    return [(message["role"], message.get("content", "")) for message in messages if message["role"] != "system"]


def message_of(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    message: dict[str, Any] = response.json()["choices"][0]["message"]
    return message


@pytest.mark.parametrize("session_id", ["0" * 24, "nonsense", "../../etc", "a/b", "%00", "x" * 5000])
@pytest.mark.parametrize("stream", [False, True])
def test_unknown_session_is_not_found(ann: Api, session_id: str, stream: bool) -> None:
    answer = ann.chat(session_id=session_id, stream=stream)
    assert answer.status_code == 404
    error = error_of(answer.json())
    assert (error["code"], error["param"]) == ("session_not_found", "session_id")
    assert len(error["message"]) < 200


def test_session_in_the_header_is_checked_as_well(ann: Api) -> None:
    answer = ann.post(
        "/v1/chat/completions",
        json={"messages": [{"role": "user", "content": "hello"}]},
        headers={"X-Session-Id": "0" * 24},
    )
    assert error_of(answer.json())["code"] == "session_not_found"


def test_what_is_anothers_does_not_exist(ann: Api, bob: Api) -> None:
    mine = ann.chat("a secret")
    session_id, run_id = mine.headers["x-session-id"], mine.headers["x-run-id"]
    refusals = [
        bob.chat(session_id=session_id),
        bob.get(f"/api/conversations/{session_id}"),
        bob.delete(f"/api/conversations/{session_id}"),
    ]
    for refused in refusals:
        assert refused.status_code == 404
        assert error_of(refused.json())["code"] == "session_not_found"
    unknown = bob.get("/api/runs/run_00000000000000000000")
    foreign = bob.get(f"/api/runs/{run_id}")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert error_of(foreign.json())["code"] == error_of(unknown.json())["code"]
    listed = bob.get("/api/conversations", params={"limit": 200}).json()["conversations"]
    assert session_id not in [conversation["session_id"] for conversation in listed]
    assert len(ann.conversation(session_id)) == 2


def test_results_of_anothers_calls_do_not_open_their_session(ann: Api, bob: Api, ollama: SharedOllama) -> None:
    ollama.script(calls(("weather", {"town": "Oslo"})))
    handed = ann.chat("Oslo?", tools=[WEATHER])
    call_id = message_of(handed)["tool_calls"][0]["id"]
    answer = bob.chat([{"role": "tool", "tool_call_id": call_id, "content": "sunny"}])
    assert answer.status_code == 200
    assert answer.headers["x-session-id"] != handed.headers["x-session-id"]
    assert said(ollama) == [("tool", "sunny")]


def test_only_the_new_message_need_be_sent(ann: Api, ollama: SharedOllama) -> None:
    first = ann.chat("one")
    session_id = first.json()["session_id"]
    assert first.headers["x-session-id"] == session_id
    second = ann.chat("two", session_id=session_id)
    assert second.json()["session_id"] == session_id
    assert said(ollama) == [("user", "one"), ("assistant", "You said: one"), ("user", "two")]


def test_session_header_does_as_the_field_does(ann: Api, ollama: SharedOllama) -> None:
    session_id = ann.chat("one").headers["x-session-id"]
    body = {"model": "agentic/chat", "messages": [{"role": "user", "content": "two"}]}
    answer = ann.post("/v1/chat/completions", json=body, headers={"X-Session-Id": session_id})
    assert answer.headers["x-session-id"] == session_id
    assert said(ollama) == [("user", "one"), ("assistant", "You said: one"), ("user", "two")]


def test_whole_history_is_not_given_twice(ann: Api, ollama: SharedOllama) -> None:
    history = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "one"}]
    first = ann.chat(history)
    history += [{"role": "assistant", "content": message_of(first)["content"]}, {"role": "user", "content": "two"}]
    second = ann.chat(history, session_id=first.headers["x-session-id"])
    assert said(ollama) == [("user", "one"), ("assistant", "You said: one"), ("user", "two")]
    history += [{"role": "assistant", "content": message_of(second)["content"]}, {"role": "user", "content": "three"}]
    ann.chat(history, session_id=first.headers["x-session-id"])
    assert len(said(ollama)) == 5
    assert [m["role"] for m in ollama.chats[-1]["messages"]].count("system") == 1
    stored = ann.conversation(first.headers["x-session-id"])
    assert [message["content"] for message in stored if message["role"] == "user"] == ["one", "two", "three"]


def test_turns_of_one_session_queue(ann: Api, ollama: SharedOllama) -> None:
    session_id = ann.chat("zero").headers["x-session-id"]
    ollama.script(says("first answer", delay_s=0.3))
    answers: dict[str, httpx.Response] = {}
    turn = threading.Thread(target=lambda: answers.update(one=ann.chat("one", session_id=session_id)))
    turn.start()
    while len(ollama.chats) < 2:
        turn.join(0.01)
    answers["two"] = ann.chat("two", session_id=session_id)
    turn.join()
    assert message_of(answers["one"])["content"] == "first answer"
    assert said(ollama)[-3:] == [("user", "one"), ("assistant", "first answer"), ("user", "two")]
    roles = [message["role"] for message in ann.conversation(session_id)]
    assert roles == ["user", "assistant"] * 3


def test_conversation_is_told_in_the_documented_form(ann: Api) -> None:
    me = ann.get("/api/auth/me").json()
    session_id = ann.chat("hello").headers["x-session-id"]
    told = ann.get(f"/api/conversations/{session_id}").json()
    assert set(told) == {"session_id", "user_id", "messages", "created_at", "updated_at"}
    assert (told["session_id"], told["user_id"]) == (session_id, me["id"])
    assert [(m["role"], m["content"]) for m in told["messages"]] == [
        ("user", "hello"),
        ("assistant", "You said: hello"),
    ]
    times = [told["created_at"], *(message["timestamp"] for message in told["messages"])]
    assert times == sorted(times)
    assert all(time.endswith("Z") and "T" in time for time in [*times, told["updated_at"]])


def test_conversations_are_listed_newest_first_page_by_page(bob: Api) -> None:
    made = [bob.chat(f"talk {number}").headers["x-session-id"] for number in range(5)]
    bob.chat("once more", session_id=made[0])
    listed: list[str] = []
    after: str | None = None
    for _ in range(3):
        page = bob.get("/api/conversations", params={"limit": 2, **({"after": after} if after else {})}).json()
        assert len(page["conversations"]) <= 2
        listed += [conversation["session_id"] for conversation in page["conversations"]]
        after = page["next"]
    assert listed[:5] == [made[0], *reversed(made[1:])]
    assert bob.get("/api/conversations", params={"limit": 200}).json()["next"] is None


def test_deleted_conversation_is_gone_with_its_runs(ann: Api) -> None:
    first = ann.chat("hello")
    session_id = first.headers["x-session-id"]
    second = ann.chat("again", session_id=session_id)
    deleted = ann.delete(f"/api/conversations/{session_id}")
    assert deleted.status_code == 200
    assert deleted.json()["deleted"] is True
    assert ann.get(f"/api/conversations/{session_id}").status_code == 404
    assert ann.delete(f"/api/conversations/{session_id}").status_code == 404
    for answer in (first, second):
        assert ann.get(f"/api/runs/{answer.headers['x-run-id']}").status_code == 404
    assert ann.chat(session_id=session_id).status_code == 404
    listed = ann.get("/api/conversations", params={"limit": 200}).json()["conversations"]
    assert session_id not in [conversation["session_id"] for conversation in listed]


def test_run_is_told_as_its_events(ann: Api, ollama: SharedOllama) -> None:
    ollama.script(calls(("lookup", {"what": "tower"})), "324 m.")
    answer = ann.chat("How high?", model="agentic/react")
    told = ann.get(f"/api/runs/{answer.headers['x-run-id']}").json()
    assert (told["run_id"], told["session_id"]) == (answer.headers["x-run-id"], answer.headers["x-session-id"])
    kinds = [event["type"] for event in told["events"]]
    assert (kinds[0], kinds[-1]) == ("run_started", "run_finished")
    assert {"decided", "model_started", "model_finished", "tool_call_started", "text_delta"} <= set(kinds)
    assert [event["number"] for event in told["events"]] == sorted(event["number"] for event in told["events"])


@pytest.mark.parametrize("named", [True, False], ids=["with session id", "without"])
@pytest.mark.parametrize("history", [True, False], ids=["whole history", "result alone"])
def test_mixed_turn_goes_on_with_the_clients_result(ann: Api, ollama: SharedOllama, named: bool, history: bool) -> None:
    ollama.script(
        calls(("lookup", {"what": "tower"}), ("weather", {"town": "Paris"}), text="Let me see. "),
        "324 m, and sunny.",
    )
    question = {"role": "user", "content": "Tower and weather?"}
    first = ann.chat([question], model="agentic/react", tools=[WEATHER])
    assert first.json()["choices"][0]["finish_reason"] == "tool_calls"
    message = message_of(first)
    assert message["content"] == "Let me see. "
    (call,) = message["tool_calls"]
    assert (call["type"], call["function"]["name"]) == ("function", "weather")
    assert json.loads(call["function"]["arguments"]) == {"town": "Paris"}

    result = {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}
    spoken = {"role": "assistant", "content": message["content"], "tool_calls": message["tool_calls"]}
    sent = [question, spoken, result] if history else [result]
    fields = {"session_id": first.headers["x-session-id"]} if named else {}
    second = ann.chat(sent, model="agentic/react", tools=[WEATHER], **fields)
    assert message_of(second)["content"] == "324 m, and sunny."
    assert second.headers["x-session-id"] == first.headers["x-session-id"]

    given = [m for m in ollama.chats[-1]["messages"] if m["role"] != "system"]
    assert [m["role"] for m in given] == ["user", "assistant", "tool", "tool"]
    assert {c["function"]["name"] for c in given[1]["tool_calls"]} == {"lookup", "weather"}
    assert sorted(m["content"] for m in given[2:]) == ["sunny", "tower: 324 m"]


def test_system_message_of_the_first_turn_holds_for_the_next(ann: Api, ollama: SharedOllama) -> None:
    first = ann.chat([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "one"}])
    ann.chat("two", session_id=first.headers["x-session-id"])
    assert ollama.chats[-1]["messages"][0] == {"role": "system", "content": "Be brief."}


def test_conversation_deleted_while_a_run_works_on_it_leaves_nothing(ann: Api, ollama: SharedOllama) -> None:
    first = ann.chat("remember this")
    session_id = first.headers["x-session-id"]
    ollama.script(says("word " * 100, delay_s=0.1))
    with ann.stream(
        "POST", "/v1/chat/completions", json=chat_body("on", {"session_id": session_id, "stream": True})
    ) as run:
        run_id = run.headers["x-run-id"]
        deleted = ann.delete(f"/api/conversations/{session_id}")
        assert deleted.status_code == 200
    assert ann.get(f"/api/runs/{run_id}").status_code == 404
    assert ann.get(f"/api/runs/{first.headers['x-run-id']}").status_code == 404
    assert ann.get(f"/api/conversations/{session_id}").status_code == 404
    assert ann.delete(f"/api/conversations/{session_id}").status_code == 404
