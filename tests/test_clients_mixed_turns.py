"""Tools of the client's beside the server's, with OpenAI's client and models of every way of calling tools.

In a mixed turn the server's tools run first; then the client is given its calls, and its next request goes on from
there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import openai
import pytest

from agentic.testing.openai import ScriptedUpstream
from agentic.testing.server import Server
from tests.modes_fixtures import CHOOSING, ending, turn


def client_tool(name: str, description: str) -> Any:
    parameters = {"type": "object", "properties": {"what": {"type": "string"}}, "required": ["what"]}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


TOOLS: Any = [
    client_tool("open_door", "Open a door of the house"),
    client_tool("ring_bell", "Ring the bell of the house"),
]
TOWER, DOOR, BELL = ("lookup", "tower"), ("open_door", "front"), ("ring_bell", "loud")


@dataclass
class Turn:
    """A turn as a client has it in the end, streamed or whole."""

    session_id: str
    run_id: str
    finish: str | None
    text: str
    calls: list[Any] = field(default_factory=list)

    @property
    def called(self) -> list[tuple[str, str]]:
        return [(call.function.name, json.loads(call.function.arguments)["what"]) for call in self.calls]

    @property
    def message(self) -> Any:
        """The turn as the client puts it into its history."""
        listed = [
            {"id": call.id, "type": "function", "function": call.function.model_dump(include={"name", "arguments"})}
            for call in self.calls
        ]
        return {"role": "assistant", "content": self.text or None, "tool_calls": listed}

    def results(self, *texts: str) -> list[Any]:
        return [
            {"role": "tool", "tool_call_id": call.id, "content": text}
            for call, text in zip(self.calls, texts, strict=True)
        ]


class Talk:
    """A client of OpenAI's; ``stream`` and ``named`` (whether it sends X-Session-Id) are its habits."""

    def __init__(self, server: Server, key: str, *, stream: bool, named: bool) -> None:
        self.client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0)
        self.stream, self.named = stream, named
        self.session_id = ""

    def ask(self, model: str, messages: Sequence[Any], **more: Any) -> Turn:
        headers = {"X-Session-Id": self.session_id} if self.named and self.session_id else {}
        create = self.client.chat.completions.with_raw_response.create
        raw = create(
            model=model, messages=list(messages), tools=TOOLS, extra_headers=headers, stream=self.stream, **more
        )
        made = self._streamed(raw) if self.stream else self._whole(raw)
        self.session_id = made.session_id
        return made

    def events(self, made: Turn) -> list[dict[str, Any]]:
        found: Any = self.client.get(
            f"{str(self.client.base_url).removesuffix('v1/')}api/runs/{made.run_id}", cast_to=object
        )
        events: list[dict[str, Any]] = found["events"]
        return events

    def _whole(self, raw: Any) -> Turn:
        choice = raw.parse().choices[0]
        return Turn(
            raw.headers["x-session-id"],
            raw.headers["x-run-id"],
            choice.finish_reason,
            choice.message.content or "",
            choice.message.tool_calls or [],
        )

    def _streamed(self, raw: Any) -> Turn:
        made = Turn(raw.headers["x-session-id"], raw.headers["x-run-id"], None, "")
        for chunk in raw.parse():
            for choice in chunk.choices:
                made.text += choice.delta.content or ""
                made.finish = choice.finish_reason or made.finish
                made.calls += choice.delta.tool_calls or []
        assert [call.index for call in made.calls] == list(range(len(made.calls)))
        return made


@pytest.fixture(params=[False, True], ids=["whole", "streamed"])
def stream(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(params=[False, True], ids=["by call id", "by session id"])
def talk(modes_server: Server, keys: dict[str, str], stream: bool, request: pytest.FixtureRequest) -> Iterator[Talk]:
    talk = Talk(modes_server, keys["ann"], stream=stream, named=bool(request.param))
    with talk.client:
        yield talk


def read_by(upstream: ScriptedUpstream) -> str:
    """All that the model was last given, as one text."""
    return json.dumps(upstream.chats[-1]["messages"], ensure_ascii=False)


QUESTION: Any = {"role": "user", "content": "Look up the tower and open the door"}


@pytest.mark.parametrize("mode", CHOOSING)
@pytest.mark.parametrize("history", [True, False], ids=["whole history", "results alone"])
def test_mixed_turn_runs_the_servers_hands_over_the_clients_and_goes_on(
    talk: Talk, models: ScriptedUpstream, mode: str, history: bool
) -> None:
    models.script(*turn(mode, TOWER, DOOR))
    first = talk.ask(f"agentic/react@{mode}", [QUESTION])
    assert (first.finish, first.called) == ("tool_calls", [DOOR])
    kinds = [event["type"] for event in talk.events(first)]
    assert kinds.index("tool_call_finished") < kinds.index("handed_over")

    models.script(*ending(mode, "324 m, and open."))
    before = [QUESTION, first.message] if history else []
    second = talk.ask(f"agentic/react@{mode}", [*before, *first.results("the door is open")])
    assert (second.finish, second.text, second.calls) == ("stop", "324 m, and open.", [])
    assert second.session_id == first.session_id
    given = read_by(models)
    assert given.count("tower: 324 m") == given.count("the door is open") == 1


@pytest.mark.parametrize("mode", ["native", "schema"])
def test_several_calls_of_both_kinds_in_one_turn(talk: Talk, models: ScriptedUpstream, mode: str) -> None:
    models.script(*turn(mode, DOOR, TOWER, BELL, ("slow", "snail")))
    first = talk.ask(f"agentic/react@{mode}", [QUESTION])
    assert (first.finish, first.called) == ("tool_calls", [DOOR, BELL])

    models.script(*ending(mode, "All done."))
    second = talk.ask(f"agentic/react@{mode}", first.results("open", "rung"))
    assert second.text == "All done."
    given = read_by(models)
    assert [given.count(text) for text in ("tower: 324 m", "snail, slowly")] == [1, 1]


@pytest.mark.parametrize("mode", CHOOSING)
def test_failing_tool_of_the_server_is_told_in_the_next_turn(talk: Talk, models: ScriptedUpstream, mode: str) -> None:
    models.script(*turn(mode, ("broken", "archive"), DOOR))
    first = talk.ask(f"agentic/react@{mode}", [QUESTION])
    assert (first.finish, first.called) == ("tool_calls", [DOOR])
    models.script(*ending(mode, "The door is open, the archive is not."))
    second = talk.ask(f"agentic/react@{mode}", first.results("open"))
    assert second.text == "The door is open, the archive is not."
    assert read_by(models).count("Error: the archive is closed") == 1


@pytest.mark.parametrize("mode", CHOOSING)
def test_turn_after_turn_goes_on_in_one_conversation(talk: Talk, models: ScriptedUpstream, mode: str) -> None:
    models.script(*turn(mode, TOWER, DOOR))
    first = talk.ask(f"agentic/react@{mode}", [QUESTION])
    models.script(*turn(mode, ("lookup", "bridge"), BELL))
    second = talk.ask(f"agentic/react@{mode}", first.results("open"))
    assert (second.finish, second.called) == ("tool_calls", [BELL])
    models.script(*ending(mode, "Done."))
    third = talk.ask(f"agentic/react@{mode}", second.results("rung"))
    assert (third.text, third.session_id) == ("Done.", first.session_id)
    given = read_by(models)
    assert [given.count(text) for text in ("tower: 324 m", "bridge: 324 m")] == [1, 1]


def test_result_that_comes_with_a_word_of_the_user_goes_on_as_well(talk: Talk, models: ScriptedUpstream) -> None:
    models.script(*turn("native", TOWER, DOOR))
    first = talk.ask("agentic/react@native", [QUESTION])
    models.script("324 m.")
    hurry = {"role": "user", "content": "Be quick"}
    second = talk.ask("agentic/react@native", [QUESTION, first.message, *first.results("open"), hurry])
    assert (second.text, second.session_id) == ("324 m.", first.session_id)
    assert [message["role"] for message in models.chats[-1]["messages"]][-3:] == ["tool", "tool", "user"]


def test_user_who_drops_the_clients_calls_is_answered_all_the_same(
    modes_server: Server, keys: dict[str, str], models: ScriptedUpstream, stream: bool
) -> None:
    talk = Talk(modes_server, keys["ann"], stream=stream, named=True)
    models.script(*turn("native", TOWER, DOOR))
    talk.ask("agentic/react@native", [QUESTION])
    models.script("As you like.")
    second = talk.ask("agentic/react@native", [{"role": "user", "content": "Leave the door"}])
    assert second.text == "As you like."
    messages = models.chats[-1]["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "tool", "user"]
    assert [call["function"]["name"] for call in messages[2]["tool_calls"]] == ["lookup"]


@pytest.mark.parametrize("agent", ["agentic/react@fit", "agentic/chat@fit", "fit"])
def test_model_that_cannot_choose_is_given_the_clients_tools_too(
    talk: Talk, models: ScriptedUpstream, agent: str
) -> None:
    models.script('{"what": "front"}')
    question: Any = {"role": "user", "content": "Open the front door"}
    first = talk.ask(agent, [question])
    assert (first.finish, first.called) == ("tool_calls", [DOOR])
    second = talk.ask(agent, [question, first.message, *first.results("The door is open.")])
    assert (second.finish, second.text) == ("stop", "The door is open."), "results are shown as they are"
    asked = [chat["messages"][0]["content"] for chat in models.chats]
    assert all("Fill in the input" in one for one in asked), "only the arguments are the model's"


def test_model_that_cannot_choose_still_runs_the_servers_tools_and_talks(talk: Talk, models: ScriptedUpstream) -> None:
    models.script('{"what": "tower"}', "Why did the door cross the road?")
    looked = talk.ask("agentic/react@fit", [{"role": "user", "content": "Look up the height of the tower"}])
    assert (looked.finish, looked.text) == ("stop", "tower: 324 m")
    talk.session_id = ""
    joke = talk.ask("agentic/react@fit", [{"role": "user", "content": "Tell me a joke"}])
    assert (joke.finish, joke.text) == ("stop", "Why did the door cross the road?")


def test_agent_that_works_side_by_side_hands_all_calls_over_at_once_and_loses_no_result(
    talk: Talk, models: ScriptedUpstream
) -> None:
    plan = "slow:snail open_door:front lookup:tower ring_bell:loud broken:archive"
    first = talk.ask("agentic/planner@native", [{"role": "user", "content": plan}])
    assert (first.finish, first.called) == ("tool_calls", [DOOR, BELL])
    assert len({call.id for call in first.calls}) == 2
    events = talk.events(first)
    assert [event["type"] for event in events][-2:] == ["handed_over", "run_finished"]
    assert len([event for event in events if event["type"] == "tool_call_finished"]) == 3

    models.script("All of it.")
    second = talk.ask("agentic/planner@native", first.results("open", "rung"))
    assert (second.text, second.session_id) == ("All of it.", first.session_id)
    *_, spoken = [message for message in models.chats[-1]["messages"] if message["role"] == "assistant"]
    results = [message for message in models.chats[-1]["messages"] if message["role"] == "tool"]
    assert {call["id"] for call in spoken["tool_calls"]} == {result["tool_call_id"] for result in results}
    assert sorted(result["content"] for result in results) == [
        "Error: the archive is closed", "open", "rung", "snail, slowly", "tower: 324 m"
    ]  # fmt: skip


def test_client_sees_no_call_or_result_of_the_server(talk: Talk, models: ScriptedUpstream) -> None:
    models.script(*turn("native", TOWER, DOOR))
    first = talk.ask("agentic/react@native", [QUESTION])
    url = f"{str(talk.client.base_url).removesuffix('v1/')}api/conversations/{first.session_id}"
    headers = {"Authorization": f"Bearer {talk.client.api_key}"}
    stored = httpx.get(url, headers=headers).json()["messages"]
    assert [message["role"] for message in stored] == ["user", "assistant"]
