"""Step by step over a real server, with models of every way of calling tools: what goes wrong is an observation."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from agentic.testing.openai import ScriptedUpstream, calls, fails, hangs, says
from agentic.testing.server import Server
from tests.http_fixtures import Api, chat_body, eventually, read_stream
from tests.modes_fixtures import CHOOSING, ending, turn

STEPS = 5
TOWER = "Look up the height of the tower"


@pytest.fixture
def api(modes_server: Server, keys: dict[str, str], models: ScriptedUpstream) -> Iterator[Api]:
    with Api(modes_server, keys["ann"]) as api:
        yield api


def ask(api: Api, mode: str, text: str = "Find it out") -> httpx.Response:
    response = api.chat(text, model=f"agentic/react@{mode}")
    assert response.status_code == 200, response.text
    return response


def said(response: httpx.Response) -> str:
    text: str = response.json()["choices"][0]["message"]["content"]
    return text


def of_type(run: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in run if event["type"] == kind]


@pytest.mark.parametrize("mode", CHOOSING)
def test_unknown_tool_is_an_observation_that_names_those_there_are(
    api: Api, models: ScriptedUpstream, mode: str
) -> None:
    # In text the call is asked for once more, since it cannot be meant.
    again = turn(mode, ("ghost", "x")) if mode == "text" else []
    models.script(*turn(mode, ("ghost", "x")), *again, *turn(mode, ("lookup", "tower")), *ending(mode, "324 m."))
    response = ask(api, mode)
    assert said(response).endswith("324 m.")
    ghost, lookup = of_type(api.run_of(response), "tool_call_finished")
    assert ghost["error"] is True
    assert ghost["result"].startswith("Error: There is no tool 'ghost'. Tools: ")
    assert "lookup" in ghost["result"]
    assert ghost["result"] in heard(models)
    assert (lookup["error"], lookup["result"]) == (False, "tower: 324 m")


@pytest.mark.parametrize("mode", CHOOSING)
@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (("broken", {"what": "archive"}), "Error: the archive is closed"),
        (("lookup", {"where": "tower"}), "what: Field required"),
    ],
)
def test_tools_error_is_an_observation_to_act_upon(
    api: Api, models: ScriptedUpstream, mode: str, wrong: tuple[str, dict[str, Any]], told: str
) -> None:
    name, arguments = wrong
    first = {
        "native": calls((name, arguments)),
        "schema": says(json.dumps({"thought": "", "calls": [{"action": name, "input": arguments}]})),
        "text": says(f"Action: {name}\nInput: {json.dumps(arguments)}"),
    }
    models.script(first[mode], *turn(mode, ("lookup", "tower")), *ending(mode, "324 m."))
    response = ask(api, mode)
    assert said(response).endswith("324 m.")
    failed, mended = of_type(api.run_of(response), "tool_call_finished")
    assert failed["error"] is True
    assert told in failed["result"]
    assert told in heard(models)
    assert mended["error"] is False


@pytest.mark.parametrize("mode", CHOOSING)
def test_at_the_cap_it_answers_with_what_is_known_and_says_so(api: Api, models: ScriptedUpstream, mode: str) -> None:
    for n in range(STEPS):
        models.script(*turn(mode, ("lookup", f"tower {n}")))
    models.script("They are all alike.")
    response = ask(api, mode)
    assert said(response).endswith(f"They are all alike.\n\nStopped after {STEPS} steps.")
    assert response.json()["choices"][0]["finish_reason"] == "stop"
    run = api.run_of(response)
    assert len(of_type(run, "tool_call_finished")) == STEPS
    assert [event["text"] for event in of_type(run, "notice")] == [f"Stopped after {STEPS} steps."]
    last = models.chats[-1]
    assert "Your steps are used up" in last["messages"][0]["content"]
    assert not last.get("tools")
    assert not last.get("response_format")
    assert all(f"tower {n}: 324 m" in heard(models) for n in range(STEPS)), "everything found out is at hand"


def test_model_that_cannot_choose_shows_the_error_as_it_is(api: Api, models: ScriptedUpstream) -> None:
    models.script('{"what": 7}')
    response = ask(api, "fit", TOWER)
    assert "what: Input should be a valid string" in said(response)
    assert len(of_type(api.run_of(response), "tool_call_finished")) == 1


def test_model_that_cannot_choose_shows_the_result_as_it_is(api: Api, models: ScriptedUpstream) -> None:
    models.script('{"what": "tower"}')
    assert said(ask(api, "fit", TOWER)) == "tower: 324 m"


@pytest.mark.parametrize("mode", ["native", "schema"])
def test_two_half_second_tools_in_one_step_take_about_half_a_second(
    api: Api, models: ScriptedUpstream, mode: str
) -> None:
    models.script(*turn(mode, ("nap", "one"), ("nap", "two")), *ending(mode, "Rested."))
    run = api.run_of(ask(api, mode))
    started, finished = of_type(run, "tool_call_started"), of_type(run, "tool_call_finished")
    assert [event["seconds"] > 0.45 for event in finished] == [True, True]
    took = max(event["at"] for event in finished) - min(event["at"] for event in started)
    assert took < 0.8 * sum(event["seconds"] for event in finished), "they run side by side"
    assert len(of_type(run, "model_started")) == (2 if mode == "native" else 3), "in one step"


@pytest.mark.parametrize("mode", CHOOSING)
def test_trace_tells_each_step_in_its_order(api: Api, models: ScriptedUpstream, mode: str) -> None:
    models.script(*turn(mode, ("lookup", "tower")), *turn(mode, ("broken", "x")), *ending(mode, "324 m."))
    response = api.chat("Find it out", model=f"agentic/react@{mode}", stream=True)
    streamed = read_stream(response)
    run = api.run_of(response)
    shown = [e["type"] for e in run if e["type"] in ("decided", "tool_call_started", "tool_call_finished")]
    assert shown == ["decided", *["tool_call_started", "tool_call_finished"] * 2]
    assert (run[0]["type"], run[-1]["type"], run[-1]["reason"]) == ("run_started", "run_finished", "stop")
    assert [event["number"] for event in run] == sorted({event["number"] for event in run})
    # The first one's is the wall time at which the run began; the others count from there.
    assert [event["at"] for event in run[1:]] == sorted(event["at"] for event in run[1:])
    assert "".join(event["text"] for event in of_type(run, "text_delta")) == streamed.text
    calls_made = of_type(run, "tool_call_started")
    assert [(event["tool"], event["arguments"]) for event in calls_made] == [
        ("lookup", {"what": "tower"}),
        ("broken", {"what": "x"}),
    ]
    assert all(event["id"].startswith(response.headers["x-run-id"]) for event in calls_made)


TOO_LONG = fails(400, "This model's maximum context length is 8 tokens.", code="context_length_exceeded")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("agent", ["agentic/react@native", "agentic/react@schema", "agentic/chat@native", "native"])
def test_a_prompt_beyond_the_models_context_is_400_in_openais_shape(
    api: Api, models: ScriptedUpstream, agent: str, stream: bool
) -> None:
    models.script(TOO_LONG)
    response = api.chat("word " * 100, model=agent, stream=stream)
    assert response.status_code == 400, response.text
    error = response.json()["error"]
    assert (error["type"], error["code"], error["param"]) == (
        "invalid_request_error",
        "context_length_exceeded",
        "messages",
    )
    assert "maximum context length is 8 tokens" in error["message"]


def test_a_prompt_that_a_result_made_too_long_is_told_in_the_stream(api: Api, models: ScriptedUpstream) -> None:
    models.script(*turn("native", ("lookup", "tower")), TOO_LONG)
    response = api.chat("x", model="agentic/react@native", stream=True)
    assert response.status_code == 200
    *_, failure, done = [block for block in response.text.split("\n\n") if block.startswith("data: ")]
    error = json.loads(failure.removeprefix("data: "))["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", "context_length_exceeded")
    assert done == "data: [DONE]"
    [*_, last] = api.run_of(response)
    assert (last["type"], last["status"], last["code"]) == ("run_failed", 400, "context_length_exceeded")


def diary(server: Server) -> str:
    """What the tool that never ends has written down."""
    file = server.data_dir / "stuck.txt"
    return file.read_text() if file.exists() else ""


async def leave_once(api: Api, body: dict[str, Any], reached: Callable[[], bool]) -> None:
    """Ask, and close the connection as soon as the server has come so far."""
    async with httpx.AsyncClient(base_url=api.base_url, headers=api.headers, timeout=30) as http:
        asking = asyncio.create_task(http.post("/v1/chat/completions", json=body))
        assert await asyncio.to_thread(eventually, reached, 10)
        asking.cancel()
        await asyncio.wait([asking])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_leaving_stops_running_tools_within_a_second_and_leaves_nothing_behind(
    api: Api, modes_server: Server, models: ScriptedUpstream, stream: bool
) -> None:
    (modes_server.data_dir / "stuck.txt").unlink(missing_ok=True)
    models.script(*turn("native", ("stuck", "a"), ("stuck", "b"), ("lookup", "tower")), "Here I am.")
    body = chat_body("x", {"model": "agentic/react@native", "stream": stream})
    asyncio.run(leave_once(api, body, lambda: diary(modes_server).split().count("began") == 2))
    assert eventually(lambda: diary(modes_server).split().count("ended") == 2, within_s=1)

    newest = api.get("/api/conversations", params={"limit": 1}).json()["conversations"][0]["session_id"]
    assert eventually(lambda: len(api.conversation(newest)) == 2)
    run = api.get(f"/api/runs/{api.conversation(newest)[0]['run_id']}").json()["events"]
    assert run[-1]["reason"] == "cancelled"
    assert len(models.chats) == 1, "no model is asked any more"
    assert said(api.chat("Are you there?", model="agentic/chat@native", session_id=newest)) == "Here I am."
    assert api.delete(f"/api/conversations/{newest}").json()["runs"] == 2


async def test_leaving_in_a_later_step_stops_the_model(api: Api, models: ScriptedUpstream) -> None:
    models.script(*turn("native", ("lookup", "tower")), hangs(after=0))
    await leave_once(api, chat_body("x", {"model": "agentic/react@native"}), lambda: len(models.chats) == 2)
    assert await models.disconnected(timeout=1)


def heard(models: ScriptedUpstream) -> str:
    """All that the model was given last, as one text."""
    return "\n".join(str(message.get("content") or "") for message in models.chats[-1]["messages"])
