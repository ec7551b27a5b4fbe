"""Conversations over HTTP: found, renamed, exported and cleared, and told of where they outgrow the model's context."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agentic.testing.ollama import says
from agentic.testing.server import Server
from tests.http_fixtures import Api, SharedOllama, error_of

LONG = "a long story " * 120


@pytest.fixture
def carl(server: Server, ollama: SharedOllama) -> Iterator[Api]:
    """The API as a user whom no other test knows."""
    with Api(server, _key(server)) as api:
        assert api.delete("/api/conversations", params={"all": "true"}).status_code == 200
        yield api


_keys: dict[str, str] = {}


def _key(server: Server) -> str:
    if server.url not in _keys:
        _keys[server.url] = server.add_user("carl")
    return _keys[server.url]


def started(api: Api, text: str = "hello") -> str:
    answer = api.chat(text)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-session-id"])


@pytest.mark.parametrize(
    "path",
    [
        "/api/conversations/search",
        "/api/conversations/search?q=",
        "/api/conversations/search?q=%20%20",
        f"/api/conversations/search?q={'x' * 201}",
        "/api/conversations/search?q=x&limit=0",
        "/api/conversations/search?q=x&limit=101",
    ],
)
def test_search_without_sense_is_refused(ann: Api, path: str) -> None:
    refused = ann.get(path)
    assert refused.status_code == 422
    assert error_of(refused.json())["param"] in ("q", "limit")


@pytest.mark.parametrize(
    "body",
    [{}, {"title": ""}, {"title": "  "}, {"title": 5}, {"title": "x" * 201}, {"title": "x", "other": 1}, []],
)
def test_title_that_is_none_is_refused(carl: Api, body: Any) -> None:
    session_id = started(carl)
    refused = carl.patch(f"/api/conversations/{session_id}", json=body)
    assert refused.status_code == 422
    error_of(refused.json())
    [head] = carl.get("/api/conversations").json()["conversations"]
    assert head["title"] == "hello"


def test_unknown_format_of_an_export_is_refused(carl: Api) -> None:
    session_id = started(carl)
    refused = carl.get(f"/api/conversations/{session_id}/export", params={"format": "pdf"})
    assert (refused.status_code, error_of(refused.json())["param"]) == (422, "format")


@pytest.mark.parametrize("path", ["/api/conversations", "/api/conversations/", "/api/conversations?all=1"])
def test_nothing_is_cleared_by_a_slip(carl: Api, path: str) -> None:
    session_id = started(carl)
    refused = carl.delete(path, follow_redirects=True)
    assert refused.status_code in (404, 422)
    assert len(carl.conversation(session_id)) == 2


def test_conversation_is_named_by_its_first_question_and_renamed(carl: Api) -> None:
    session_id = started(carl, "  What is\n the matter? ")
    [head] = carl.get("/api/conversations").json()["conversations"]
    assert head["title"] == "What is the matter?"
    renamed = carl.patch(f"/api/conversations/{session_id}", json={"title": "The matter"})
    assert renamed.status_code == 200
    assert renamed.json()["title"] == "The matter"
    [head] = carl.get("/api/conversations").json()["conversations"]
    assert head == renamed.json()


def test_words_are_found_in_questions_and_answers(carl: Api, ollama: SharedOllama) -> None:
    ollama.script(says("It is the Brandenburg Gate."))
    session_id = started(carl, "Which gate is in Berlin?")
    started(carl, "something else")
    for query in ("berlin GATE", "brandenburg"):
        found = carl.get("/api/conversations/search", params={"q": query}).json()
        assert [head["session_id"] for head in found["conversations"]] == [session_id]
        assert found["next"] is None
    assert found["conversations"][0]["matches"][0]["text"] == "It is the Brandenburg Gate."
    assert found["searched"] == 4


def test_export_is_the_documented_json(carl: Api) -> None:
    session_id = started(carl)
    answer = carl.get(f"/api/conversations/{session_id}/export")
    assert answer.headers["content-disposition"] == f'attachment; filename="conversation-{session_id}.json"'
    exported = answer.json()
    assert exported == carl.get(f"/api/conversations/{session_id}").json()
    assert list(exported) == ["session_id", "user_id", "messages", "created_at", "updated_at"]
    assert all({"role", "content", "timestamp"} <= set(message) for message in exported["messages"])


def test_export_as_markdown_can_be_read(carl: Api) -> None:
    session_id = started(carl, "Grüße")
    answer = carl.get(f"/api/conversations/{session_id}/export", params={"format": "markdown"})
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="conversation-{session_id}.md"'
    assert answer.text.startswith("# Grüße\n")
    assert answer.text.endswith("You said: Grüße\n")


def test_all_conversations_are_deleted_with_their_runs_and_counted(carl: Api) -> None:
    answers = [carl.chat(), carl.chat()]
    receipt = carl.delete("/api/conversations", params={"all": "true"}).json()
    assert receipt == {
        "deleted": True,
        "conversations": 2,
        "messages": 4,
        "runs": 2,
        "files": 0,
        "kept_by_plugins": 0,
    }
    assert carl.get("/api/conversations").json() == {"conversations": [], "next": None}
    for answer in answers:
        assert carl.get(f"/api/runs/{answer.headers['x-run-id']}").status_code == 404


@pytest.mark.parametrize("stream", [False, True])
def test_conversation_longer_than_the_context_loses_its_oldest_turns_and_the_client_is_told(
    carl: Api, ollama: SharedOllama, stream: bool
) -> None:
    turns = [{"role": role, "content": f"{n} {LONG}"} for n in range(60) for role in ("user", "assistant")]
    messages = [{"role": "system", "content": "Be brief."}, *turns, {"role": "user", "content": "and now?"}]
    if stream:
        answer = carl.chat_stream(messages)
        steps = [chunk["agentic"] for chunk in answer.chunks if "agentic" in chunk]
        notices = [step["text"] for step in steps if step.get("type") == "notice"]
        thought = "".join(delta.get("reasoning_content") or "" for delta in answer.deltas)
        assert f"! {notices[0]}" in thought
    else:
        notices = carl.chat(messages).json()["agentic"]["notices"]
    given = ollama.chats[-1]["messages"]
    left_out = len(messages) - len(given)
    assert notices == [
        "The conversation is longer than the model's context of 16,384 tokens: "
        f"its first {left_out} messages were left out."
    ]
    assert 20 < left_out < 100
    assert given[0]["content"] == "Be brief."
    assert given[1]["role"] == "user"
    assert given[-1]["content"] == "and now?"
