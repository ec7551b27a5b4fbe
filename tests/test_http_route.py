"""A decision is told with the answer, with the run, and before it: ``POST /api/route`` explains without running."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic.testing.ollama import ScriptedModel, ScriptedOllama, calls, fails, hangs, says
from agentic.testing.server import Server, run_agentic, running_server
from tests.http_fixtures import Api, SharedOllama, chat_body, error_of, read_stream

SUM = "How much is 17 * 23?"


def explain(api: Api, text: str | list[dict[str, Any]] = SUM, **fields: Any) -> httpx.Response:
    return api.post("/api/route", json=chat_body(text, {"model": "agentic", **fields}))


def decision_of(run: list[dict[str, Any]]) -> dict[str, Any]:
    [found] = [event for event in run if event["type"] == "decided"]
    return found


@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({"messages": []}, 400, "messages"),
        ({"n": 2}, 400, "n"),
        ({"model": "agentic/ghost"}, 404, "model"),
        ({"model": "ghost"}, 404, "model"),
        ({"session_id": "0" * 24}, 404, "session_id"),
        ({"tool_choice": "required"}, 400, "tool_choice"),
    ],
)
def test_what_could_not_be_run_is_refused_alike(ann: Api, fields: dict[str, Any], status: int, param: str) -> None:
    explained, run = explain(ann, **fields), ann.chat(**{"model": "agentic", **fields})
    assert (explained.status_code, run.status_code) == (status, status)
    assert error_of(explained.json()) == error_of(run.json())
    assert error_of(explained.json())["param"] == param


def test_stranger_is_told_nothing(server: Server) -> None:
    assert httpx.post(f"{server.url}/api/route", json=chat_body(SUM, {})).status_code == 401


def test_session_of_another_does_not_exist(ann: Api, bob: Api) -> None:
    session_id = ann.chat().headers["x-session-id"]
    assert explain(bob, session_id=session_id).status_code == 404
    assert explain(ann, session_id=session_id).status_code == 200


def test_model_that_is_away_is_told_as_for_a_run(data: Path, keys: dict[str, str]) -> None:
    with (
        running_server({"OLLAMA_HOST": "http://127.0.0.1:9"}, data_dir=data) as server,
        Api(server, keys["ann"]) as api,
    ):
        assert explain(api).status_code == 503


def test_explanation_tells_all_bids_and_tools_and_runs_nothing(ann: Api, ollama: SharedOllama) -> None:
    before = ann.get("/api/conversations", params={"limit": 200}).json()
    told = explain(ann).json()
    assert list(told) == ["agent", "reason", "bids", "tools", "model", "router"]
    assert (told["agent"], told["model"], told["router"]) == ("react", "qwen3:8b", "auction")
    assert told["bids"][0] == {"agent": "react", "fitness": told["bids"][0]["fitness"], "reason": told["reason"]}
    assert {bid["agent"] for bid in told["bids"]} >= {"react", "chat"}
    assert all(0 <= bid["fitness"] <= 1 and bid["reason"] for bid in told["bids"])
    best = told["tools"][0]
    assert (best["tool"], best["suggested"]) == ("math", {"expression": "17 * 23"})
    assert ollama.chats == []
    assert ann.get("/api/conversations", params={"limit": 200}).json() == before


def test_explanation_is_what_the_run_then_decides(ann: Api, ollama: SharedOllama) -> None:
    told = explain(ann, "Tell me a joke").json()
    ollama.script("Ha.")
    decided = decision_of(ann.run_of(ann.chat("Tell me a joke", model="agentic")))
    assert told["agent"] == "chat"
    assert {key: decided[key] for key in ("agent", "reason", "bids", "router")} == {
        key: told[key] for key in ("agent", "reason", "bids", "router")
    }


@pytest.mark.parametrize(("model", "agent"), [("qwen3:8b", "chat"), ("agentic/react@qwen3:8b", "react")])
def test_agent_that_the_request_settles_is_explained_without_bids(ann: Api, model: str, agent: str) -> None:
    told = explain(ann, model=model).json()
    assert (told["agent"], told["model"], told["router"]) == (agent, "qwen3:8b", "request")
    assert told["bids"] == told["tools"] == []
    assert told["reason"].startswith("the client asked for")


def test_history_of_the_session_is_taken_into_account(ann: Api) -> None:
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGVsbG8="}}]
    first = ann.chat([{"role": "user", "content": picture}], model="seeing")
    blind = explain(ann, session_id=first.headers["x-session-id"])
    assert blind.status_code == 400, "the model under the agents takes no pictures, and there is one in the session"
    assert "no pictures" in error_of(blind.json())["message"]
    assert explain(ann, session_id=first.headers["x-session-id"], model="agentic/@seeing").status_code == 200


@pytest.mark.parametrize(("model", "router"), [("agentic", "auction"), ("agentic/react", "request")])
def test_decision_is_in_the_first_chunk_the_header_the_answer_and_the_run(
    ann: Api, ollama: SharedOllama, model: str, router: str
) -> None:
    ollama.script(calls(("math", {"expression": "17*23"})), "391", calls(("math", {"expression": "17*23"})), "391")
    response = ann.chat(SUM, model=model, stream=True)
    origin = read_stream(response).chunks[0]["agentic"]
    whole = ann.chat(SUM, model=model)
    decided = decision_of(ann.run_of(response))
    told = {key: decided[key] for key in ("reason", "bids", "router")}
    assert response.headers["x-agent"] == whole.headers["x-agent"] == decided["agent"] == origin["agent"] == "react"
    assert origin["decision"] == whole.json()["agentic"]["decision"] == told
    assert told["router"] == router


def test_unknown_router_stops_the_start(tmp_path: Path, server: Server) -> None:
    environment = {**server.environment, "SERVER_PORT": "0", "ROUTER": "ghost", "DATA_DIR": str(tmp_path)}
    done: subprocess.CompletedProcess[str] = run_agentic("serve", env=environment, folder=tmp_path)
    assert done.returncode != 0
    assert "ROUTER=ghost: there is no router of this name. Installed: ask_model." in done.stderr


def test_router_that_asks_the_model_chooses_and_says_so(data: Path, keys: dict[str, str]) -> None:
    ollama = ScriptedOllama([ScriptedModel("qwen3:8b")])
    with (
        ollama.running() as url,
        running_server({"OLLAMA_HOST": url, "ROUTER": "ask_model"}, data_dir=data) as server,
        Api(server, keys["ann"]) as api,
    ):
        choice = json.dumps({"reason": "it only wants to talk", "agent": "chat"})
        ollama.script(says(choice, thinking="Which one?"), "391, I believe.")
        response = api.chat(SUM, model="agentic", stream=True)
        streamed = read_stream(response)
        decision = streamed.chunks[0]["agentic"]["decision"]
        assert (response.headers["x-agent"], streamed.text) == ("chat", "391, I believe.")
        assert (decision["router"], decision["reason"]) == ("ask_model", "it only wants to talk")
        assert decision["bids"][0]["agent"] == "react", "the bids are told as they were"
        assert not any("reasoning_content" in delta for delta in streamed.deltas)
        assert ollama.chats[0]["format"]["properties"]["agent"]["enum"] == [bid["agent"] for bid in decision["bids"]]
        kinds = [event["type"] for event in api.run_of(response)]
        assert kinds[:4] == ["run_started", "model_started", "model_finished", "decided"]

        ollama.script(choice)
        assert explain(api).json()["router"] == "ask_model"

        ollama.script(fails(500, "out of memory"), "I calculate.")
        fallback = api.chat(SUM, model="agentic")
        decision = fallback.json()["agentic"]["decision"]
        assert (fallback.headers["x-agent"], decision["router"]) == ("react", "auction")
        assert decision["reason"].startswith("the router ask_model failed (ModelError), so the auction decided: ")

        ollama.script(hangs(after=0))
        with pytest.raises(httpx.ReadTimeout):
            api.post("/api/route", json=chat_body(SUM, {"model": "agentic"}), timeout=1.5)
        assert asyncio.run(ollama.disconnected(timeout=1)), "nobody waits for an explanation that nobody will read"
