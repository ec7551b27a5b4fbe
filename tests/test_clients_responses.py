"""OpenAI's Responses API through the openai client: whole, streamed, continued, in the background, unhappy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from agentic.testing.ollama import calls, cuts, errors_midstream, fails, says
from tests.http_fixtures import Api, SharedOllama, eventually

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"town": {"type": "string"}},
        "required": ["town"],
        "additionalProperties": False,
    },
}
PIXEL = "data:image/png;base64,iVBORw0KGgo="


class Thing(BaseModel):
    name: str
    size: int


def ask(client: openai.OpenAI, given: Any = "hello", **more: Any) -> Response:
    """A whole response, which the client's own types hold without a remainder of errors."""
    answer: Response = client.responses.create(**{"model": "agentic/chat", "input": given, **more})
    return strict(answer)


def strict(answer: Response) -> Response:
    """The response, held to the client's types as strictly as pydantic does it."""
    return Response.model_validate(answer.model_dump(mode="json", warnings=False))


def streamed(client: openai.OpenAI, given: Any = "hello", **more: Any) -> list[Any]:
    """The events of a stream, each held to what every stream must keep."""
    events = list(client.responses.create(**{"model": "agentic/chat", "input": given, "stream": True, **more}))
    numbers = [event.sequence_number for event in events]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0
    assert events[0].type == "response.created"
    ends = [event.type for event in events if event.type.split(".")[1] in ("completed", "incomplete", "failed")]
    assert len(ends) == 1 and events[-1].type == ends[0]
    strict(events[-1].response)
    return events


def kinds(events: Sequence[Any]) -> list[str]:
    """The types of events, a row of equal ones told once."""
    types = [event.type.removeprefix("response.") for event in events]
    return [kind for n, kind in enumerate(types) if n == 0 or types[n - 1] != kind]


def seen(ollama: SharedOllama) -> list[tuple[str, str]]:
    """What the model was shown last."""
    return [(message["role"], message["content"]) for message in ollama.chats[-1]["messages"]]


# What goes wrong.


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": [{"role": "user"}]}, "input.0.content"),
        ({"input": [{"type": "computer_call", "id": "x"}]}, "input.0"),
        ({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}, "input"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input.0.call_id"),
        ({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}, "input.0.content.0"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "https://x.org/a.png"}]}]},
            "input.0.content.0.image_url",
        ),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]},
            "input.0.content.0.image_url",
        ),
        (
            {"input": [{"role": "system", "content": [{"type": "input_image", "image_url": PIXEL}]}]},
            "input.0.content",
        ),
        ({"tools": [{"type": "function"}]}, "tools.0.name"),
        ({"tools": [{**WEATHER, "parameters": {"type": "string"}}]}, "tools.0.parameters"),
        ({"tools": [WEATHER, WEATHER]}, "tools"),
        ({"tools": [{"type": "namespace", "name": "n", "tools": [{"type": "custom"}]}]}, "tools.0.tools.0.type"),
        ({"tools": [{"type": "custom", "name": "patch"}]}, "tools.0.type"),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["x"]}]}, "tools.0.type"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": {"type": "function", "name": "no"}}, "tool_choice"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"max_tool_calls": 3}, "max_tool_calls"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"include": ["message.output_text.logprobs"]}, "include.0"),
        ({"text": {"verbosity": "high"}}, "text.verbosity"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema"),
        ({"background": True, "store": False}, "background"),
        ({"temperature": 3}, "temperature"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_broken_request_is_refused_with_the_place_of_the_fault(ann: Api, body: dict[str, Any], param: str) -> None:
    answer = ann.post("/v1/responses", json={"model": "agentic/chat", "input": "hello", **body})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_body_that_is_no_json_object_is_refused(ann: Api) -> None:
    for content in (b"{", b"[]", b'{"input": ' + b"[" * 400 + b"]" * 400 + b"}"):
        answer = ann.post("/v1/responses", content=content)
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "invalid_request"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("status", "kind"), [(500, openai.InternalServerError), (503, openai.InternalServerError)])
def test_dead_model_is_the_clients_own_error(
    client: openai.OpenAI, ollama: SharedOllama, status: int, kind: Any, stream: bool
) -> None:
    ollama.script(fails(status, "no luck"))
    with pytest.raises(kind):
        client.responses.create(model="agentic/chat", input="hello", stream=stream)


@pytest.mark.parametrize("fault", [errors_midstream("out of memory", after=2), cuts(after=2)], ids=["error", "cut"])
def test_failure_in_mid_stream_is_a_failed_response(client: openai.OpenAI, ollama: SharedOllama, fault: Any) -> None:
    ollama.script(fault)
    events = streamed(client)
    assert events[-1].type == "response.failed"
    failed = events[-1].response
    assert (failed.status, failed.error.code) == ("failed", "server_error")
    assert failed.output_text == "word1 word2 "
    assert failed.output[0].status == "incomplete"
    kept = strict(client.responses.retrieve(failed.id))
    assert (kept.status, kept.output_text, kept.error) == ("failed", "word1 word2 ", failed.error)


def test_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, model="gpt-9")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


@pytest.mark.parametrize("stream", [False, True])
def test_what_the_model_cannot_take_is_told_by_the_field_of_this_dialect(client: openai.OpenAI, stream: bool) -> None:
    picture = [{"role": "user", "content": [{"type": "input_image", "image_url": PIXEL, "detail": "auto"}]}]
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="toolless", input=picture, stream=stream)
    assert caught.value.param == "input"
    with pytest.raises(openai.NotFoundError) as missing:
        client.responses.create(model="agentic", input="hello", conversation="0" * 24, stream=stream)
    assert missing.value.param == "conversation"


def test_response_of_another_is_as_one_that_does_not_exist(client: openai.OpenAI, other: openai.OpenAI) -> None:
    real = ask(client)
    for absent in (real.id, "resp_00000000aaaaaaaaaaaa", "nonsense", "run_1/../x"):
        with pytest.raises(openai.NotFoundError) as caught:
            ask(other, previous_response_id=absent)
        assert caught.value.param == "previous_response_id"
        assert absent[:10] in str(caught.value)
    for item in (real.output[0].id, "msg_00aa_out0", "nonsense", real.output[0].id.replace("out0", "out9")):
        reference: Any = [{"type": "item_reference", "id": item}, {"role": "user", "content": "hello"}]
        with pytest.raises(openai.NotFoundError) as missing:
            ask(other, reference)
        assert missing.value.param == "input.0.id"
    many: Any = [{"type": "item_reference", "id": f"msg_0_out{n}"} for n in range(1001)]
    with pytest.raises(openai.BadRequestError) as refused:
        ask(other, many)
    assert refused.value.param == "input"


def test_chat_completion_is_no_response(client: openai.OpenAI, ann: Api) -> None:
    run_id = ann.chat("hello").headers["x-run-id"]
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(run_id.replace("run_", "resp_"))


async def test_client_that_goes_away_stops_the_model(aclient: openai.AsyncOpenAI, ollama: SharedOllama) -> None:
    ollama.script(says("word " * 200, delay_s=0.1))
    stream = await aclient.responses.create(model="agentic/chat", input="hello", stream=True)
    async for event in stream:
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    assert await ollama.disconnected(timeout=1)


async def test_client_that_waits_for_the_whole_and_goes_away_stops_the_model(
    aclient: openai.AsyncOpenAI, ollama: SharedOllama
) -> None:
    ollama.script(says("word " * 200, delay_s=0.1))
    waiting = asyncio.create_task(aclient.responses.create(model="agentic/chat", input="hello"))
    assert await asyncio.to_thread(eventually, lambda: bool(ollama.chats), 10)
    waiting.cancel()
    assert await ollama.disconnected(timeout=3)


# Whole and streamed.


def test_whole_answer(client: openai.OpenAI) -> None:
    raw = client.responses.with_raw_response.create(
        model="agentic", input="hello", metadata={"a": "b"}, temperature=0.5, user="u", store=True
    )
    answer = strict(raw.parse())
    assert answer.output_text == "You said: hello"
    assert (answer.status, answer.error, answer.incomplete_details) == ("completed", None, None)
    assert answer.usage is not None and answer.usage.total_tokens > 0
    assert (answer.metadata, answer.temperature, answer.user, answer.model) == ({"a": "b"}, 0.5, "u", "agentic")
    assert answer.id.removeprefix("resp_") == raw.headers["x-run-id"].removeprefix("run_")
    assert json.loads(raw.text)["agentic"]["session_id"] == raw.headers["x-session-id"]
    assert strict(client.responses.retrieve(answer.id)) == answer


def test_streamed_answer_is_the_whole_one_step_by_step(client: openai.OpenAI) -> None:
    events = streamed(client)
    assert kinds(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == events[-1].response.output_text == "You said: hello"
    assert strict(client.responses.retrieve(events[-1].response.id)) == strict(events[-1].response)


def test_every_event_is_of_the_clients_types(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(calls(("lookup", {"what": "tower"}), text="Wait. "), says("It is 324 m.", thinking="So. "))
    for event in streamed(client, model="agentic/react"):
        type(event).model_validate(event.model_dump(mode="json", warnings=False))


def test_servers_own_steps_are_reasoning(client: openai.OpenAI, ollama: SharedOllama) -> None:
    script = (calls(("lookup", {"what": "tower"}), text="Wait. "), says("It is 324 m."))
    ollama.script(*script)
    events = streamed(client, model="agentic/react")
    answer = events[-1].response
    assert [item.type for item in answer.output] == ["message", "reasoning", "message"]
    assert answer.output[2].content[0].text == "It is 324 m."
    assert '→ lookup(what="tower")' in answer.output[1].summary[0].text
    [note] = answer.output[2].content[0].annotations
    assert (note.type, note.url, note.title) == ("url_citation", "https://tower.example/height", "The tower")
    steps = [event.agentic["type"] for event in events if getattr(event, "agentic", None)]
    assert steps[:2] == ["tool_call_started", "tool_call_finished"]
    told = answer.model_extra["agentic"]
    assert told["agent"] == "react"
    assert {"tool_call_started", "citation_added"} <= {step["type"] for step in told["steps"]}
    ollama.script(*script)
    whole = ask(client, model="agentic/react")
    assert [item.type for item in whole.output] == ["message", "reasoning", "message"]
    assert strict(client.responses.retrieve(answer.id)) == strict(answer)


def test_stream_helper_gathers_text_and_calls(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(calls(("lookup", {"what": "tower"}), ("weather", {"town": "Oslo"}), text="Wait. "))
    with client.responses.stream(model="agentic/react", input="hello", tools=[WEATHER]) as stream:
        types = {event.type for event in stream}
        final = stream.get_final_response()
    assert {"response.function_call_arguments.delta", "response.function_call_arguments.done"} <= types
    assert [item.type for item in final.output] == ["message", "reasoning", "function_call"]
    call: Any = final.output[-1]
    assert (call.name, call.parsed_arguments) == ("weather", {"town": "Oslo"})


@pytest.mark.parametrize("model", ["agentic", "agentic/chat", "agentic/react"])
def test_parsed_answer(client: openai.OpenAI, ollama: SharedOllama, model: str) -> None:
    ollama.answer = lambda body: '{"name": "ball", "size": 3}' if body.get("format") else says("A ball.")
    assert client.responses.parse(model=model, input="hello", text_format=Thing).output_parsed == Thing(
        name="ball", size=3
    )
    with client.responses.stream(model=model, input="hello", text_format=Thing) as stream:
        assert stream.get_final_response().output_parsed == Thing(name="ball", size=3)


def test_limit_of_length_makes_an_incomplete_response(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(says("word1 word2", done_reason="length"), says("word1 word2", done_reason="length"))
    answer = ask(client, max_output_tokens=2)
    assert (answer.status, answer.output_text) == ("incomplete", "word1 word2")
    assert answer.incomplete_details is not None and answer.incomplete_details.reason == "max_output_tokens"
    assert ollama.chats[-1]["options"]["num_predict"] == 2
    assert streamed(client)[-1].type == "response.incomplete"


def test_picture_reaches_the_model(client: openai.OpenAI, ollama: SharedOllama) -> None:
    content = [{"type": "input_text", "text": "What?"}, {"type": "input_image", "image_url": PIXEL, "detail": "auto"}]
    ask(client, [{"role": "user", "content": content}], model="seeing")
    assert ollama.chats[-1]["messages"][-1]["images"]


def test_conversation_with_a_tool_of_the_client_by_items(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(calls(("weather", {"town": "Oslo"})), "Sunny in Oslo.")
    items: list[Any] = [{"role": "user", "content": "hello"}]
    asked = ask(client, items, model="agentic", tools=[WEATHER], include=["reasoning.encrypted_content"])
    [call] = [item for item in asked.output if item.type == "function_call"]
    items += [item.model_dump(exclude_none=True) for item in asked.output]
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"})
    told = ask(client, items, model="agentic", tools=[WEATHER])
    assert told.output_text == "Sunny in Oslo."
    roles = [message["role"] for message in ollama.chats[-1]["messages"] if message["role"] != "system"]
    assert roles == ["user", "assistant", "tool"]


def test_mixed_turn_goes_on_by_the_previous_response(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(calls(("lookup", {"what": "tower"}), ("weather", {"town": "Oslo"})), "Both are known.")
    asked = ask(client, model="agentic/react", tools=[WEATHER])
    [call] = [item for item in asked.output if item.type == "function_call"]
    result: Any = [
        {"type": "function_call_output", "call_id": call.call_id, "output": [{"type": "input_text", "text": "sunny"}]}
    ]
    told = ask(client, result, model="agentic/react", tools=[WEATHER], previous_response_id=asked.id)
    assert told.output_text == "Both are known."
    results = [message["content"] for message in ollama.chats[-1]["messages"] if message["role"] == "tool"]
    assert any("324 m" in text for text in results), "the server's own result is known to the model"
    assert any("sunny" in text for text in results)


def test_choice_of_tools_holds(client: openai.OpenAI, ollama: SharedOllama) -> None:
    by_schema = '{"thought": "", "calls": [{"action": "weather", "input": {"town": "Kiel"}}]}'
    another: Any = {**WEATHER, "name": "another_tool"}
    ollama.script(by_schema, by_schema)
    for choice in (
        {"type": "function", "name": "weather"},
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "weather"}]},
    ):
        answer = ask(client, model="agentic", tools=[WEATHER, another], tool_choice=choice)
        assert [item.name for item in answer.output if item.type == "function_call"] == ["weather"]
        assert answer.model_dump()["tool_choice"]["type"] == choice["type"]


def test_tool_of_the_server_is_taken_under_openais_name(client: openai.OpenAI) -> None:
    for kind in ("web_search", "web_search_preview", "web_search_2025_08_26"):
        assert ask(client, tools=[{"type": kind}]).status == "completed"


def test_functions_of_a_namespace_are_called_by_their_names(client: openai.OpenAI, ollama: SharedOllama) -> None:
    function = {name: value for name, value in WEATHER.items() if name != "strict"}
    space: Any = {"type": "namespace", "name": "north", "description": "The north", "tools": [function]}
    ollama.script(calls(("north__weather", {"town": "Oslo"})), "Sunny.")
    asked = ask(client, model="agentic/react", tools=[space, {**WEATHER, "name": "other"}])
    [call] = [item for item in asked.output if item.type == "function_call"]
    assert (call.namespace, call.name) == ("north", "weather")
    items: list[Any] = [{"role": "user", "content": "hello"}, call.model_dump(exclude_none=True)]
    items.append({"type": "function_call_output", "call_id": call.call_id, "output": "sunny"})
    assert ask(client, items, model="agentic/react", tools=[space], store=False).output_text == "Sunny."
    [given] = [message for message in ollama.chats[-1]["messages"] if message.get("tool_calls")]
    assert given["tool_calls"][0]["function"]["name"] == "north__weather"


# What is kept.


def test_two_turns_by_the_previous_response(client: openai.OpenAI, ollama: SharedOllama, ann: Api) -> None:
    first = ask(client, "My name is Ada.", instructions="Be brief.")
    assert seen(ollama)[0][0] == "system" and "Be brief." in seen(ollama)[0][1]
    second = ask(client, "Who am I?", previous_response_id=first.id)
    assert second.previous_response_id == first.id
    told = seen(ollama)
    assert [text for role, text in told if role != "system"] == [
        "My name is Ada.",
        "You said: My name is Ada.",
        "Who am I?",
    ]
    assert not any("Be brief." in text for _, text in told), "instructions hold for one response"
    stored = ann.conversation(second.model_dump()["agentic"]["session_id"])
    assert [message["role"] for message in stored] == ["user", "assistant", "user", "assistant"]


def test_words_of_the_models_that_are_sent_after_a_response_hide_nothing_before_it(
    client: openai.OpenAI, ollama: SharedOllama, ann: Api
) -> None:
    first = ask(client, "The number is 42.")
    sent = [("user", "A riddle?"), ("assistant", "Yes."), ("user", "What is the number?")]
    second = ask(client, [{"role": role, "content": text} for role, text in sent], previous_response_id=first.id)
    told = ["The number is 42.", "You said: The number is 42.", "A riddle?", "Yes.", "What is the number?"]
    assert [text for role, text in seen(ollama) if role != "system"] == told
    stored = ann.conversation(second.model_dump()["agentic"]["session_id"])
    assert [message["content"] for message in stored][:5] == told


def test_branches_know_nothing_of_one_another(client: openai.OpenAI, ollama: SharedOllama) -> None:
    root = ask(client, "root")
    left = ask(client, "left", previous_response_id=root.id)
    right = ask(client, "right", previous_response_id=root.id)
    assert [text for role, text in seen(ollama) if role != "system"] == ["root", "You said: root", "right"]
    ask(client, "more", previous_response_id=right.id)
    assert [text for role, text in seen(ollama) if role == "user"] == ["root", "right", "more"]
    ask(client, "more", previous_response_id=left.id)
    assert [text for role, text in seen(ollama) if role == "user"] == ["root", "left", "more"]
    assert [item.content[0].text for item in client.responses.input_items.list(right.id)] == ["right"]


def test_conversation_may_be_named_instead(client: openai.OpenAI, ollama: SharedOllama, other: openai.OpenAI) -> None:
    first = ask(client, "one")
    session_id = first.model_dump()["agentic"]["session_id"]
    answer = ask(client, "two", conversation=session_id)
    assert answer.conversation is not None and answer.conversation.id == session_id
    assert [text for role, text in seen(ollama) if role == "user"] == ["one", "two"]
    with pytest.raises(openai.NotFoundError):
        ask(other, "two", conversation={"id": session_id})
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "two", conversation=session_id, previous_response_id=first.id)
    assert caught.value.param == "previous_response_id"


def test_item_is_read_where_it_is_referred_to(client: openai.OpenAI, ollama: SharedOllama) -> None:
    first = ask(client, "one")
    [given] = client.responses.input_items.list(first.id)
    items: list[Any] = [
        {"type": "item_reference", "id": given.id},
        {"id": first.output[0].id},
        {"role": "user", "content": "two"},
    ]
    ask(client, items)
    assert [text for role, text in seen(ollama) if role != "system"] == ["one", "You said: one", "two"]


def test_nothing_is_left_of_a_response_that_is_not_to_be_stored(
    client: openai.OpenAI, ollama: SharedOllama, ann: Api
) -> None:
    kept = ask(client, "one")
    before = ann.get("/api/conversations", params={"limit": 200}).json()
    ollama.script("No.", calls(("lookup", {"what": "file x"})), "No file.")
    for more in ({}, {"previous_response_id": kept.id}):
        answer = ask(client, "secret", store=False, model="agentic/react", **more)
        assert answer.store is False  # type: ignore[attr-defined]
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(answer.id)
        with pytest.raises(openai.NotFoundError):
            ask(client, previous_response_id=answer.id)
        assert ann.get(f"/api/runs/{answer.id.replace('resp_', 'run_')}").status_code == 404
    assert [text for role, text in seen(ollama) if role == "user"] == ["one", "secret"]
    assert any("no file can be made" in text for role, text in seen(ollama) if role == "tool")
    assert ann.get("/api/conversations", params={"limit": 200}).json() == before
    assert ann.get("/api/conversations/search", params={"q": "secret"}).json()["conversations"] == []


def test_input_items_are_listed_in_pages(client: openai.OpenAI) -> None:
    items: Any = [{"role": "user", "content": f"part {n}"} for n in range(5)]
    answer = ask(client, items, instructions="Be brief.")
    newest = client.responses.input_items.list(answer.id, limit=2)
    assert [item.content[0].text for item in newest.data] == ["part 4", "part 3"]
    assert newest.has_more
    assert [item.content[0].text for item in newest] == [f"part {n}" for n in reversed(range(5))]
    oldest = client.responses.input_items.list(answer.id, order="asc")
    assert [item.content[0].text for item in oldest] == [f"part {n}" for n in range(5)]
    for query in ({"limit": 0}, {"limit": "x"}, {"order": "up"}, {"after": "msg_1"}):
        with pytest.raises(openai.BadRequestError) as caught:
            client.responses.input_items.list(answer.id, extra_query=query)
        assert caught.value.param == next(iter(query))


def test_deleted_response_is_gone(client: openai.OpenAI, ann: Api) -> None:
    first = ask(client, "one")
    second = ask(client, "two", previous_response_id=first.id)
    session_id = second.model_dump()["agentic"]["session_id"]
    client.responses.delete(second.id)
    assert ann.get(f"/api/conversations/{session_id}").status_code == 200, "the first turn is still there"
    client.responses.delete(first.id)
    assert ann.get(f"/api/conversations/{session_id}").status_code == 404, "none of its turns is"
    for act in (client.responses.retrieve, client.responses.delete, client.responses.cancel):
        with pytest.raises(openai.NotFoundError):
            act(second.id)
    with pytest.raises(openai.NotFoundError):
        ask(client, previous_response_id=second.id)
    alone = ask(client, "alone")
    client.responses.delete(alone.id)
    assert ann.get(f"/api/conversations/{alone.model_dump()['agentic']['session_id']}").status_code == 404


# In the background.


def test_response_in_the_background_is_made_while_nobody_waits(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(says("word " * 20, delay_s=0.05))
    begun = ask(client, background=True)
    assert begun.status in ("queued", "in_progress")
    assert begun.background is True
    assert eventually(lambda: client.responses.retrieve(begun.id).status == "completed", within_s=15)
    assert client.responses.retrieve(begun.id).output_text == "word " * 20


def test_response_in_the_background_that_fails_tells_so_later(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(fails(500, "no luck"))
    begun = ask(client, background=True)
    assert eventually(lambda: client.responses.retrieve(begun.id).status == "failed", within_s=15)
    failed = strict(client.responses.retrieve(begun.id))
    assert failed.error is not None and "no luck" in failed.error.message


def test_cancelled_response_keeps_what_was_said(client: openai.OpenAI, ollama: SharedOllama) -> None:
    ollama.script(says("word " * 200, delay_s=0.05))
    begun = ask(client, background=True)
    assert eventually(lambda: bool(client.responses.retrieve(begun.id).output_text), within_s=15)
    ended = strict(client.responses.cancel(begun.id))
    assert ended.status == "cancelled"
    assert ended.output_text.startswith("word ")
    assert strict(client.responses.retrieve(begun.id)) == ended == strict(client.responses.cancel(begun.id))
    done = ask(client)
    assert strict(client.responses.cancel(done.id)) == done, "what is made already stays as it is"


def test_stream_of_the_background_is_taken_up_where_it_broke_off(client: openai.OpenAI, ollama: SharedOllama) -> None:
    text = "".join(f"w{n} " for n in range(30))
    ollama.script(says(text, delay_s=0.03))
    read, last, response_id = "", -1, ""
    with client.responses.create(model="agentic/chat", input="hello", background=True, stream=True) as stream:
        for event in stream:
            last = event.sequence_number
            if event.type == "response.created":
                response_id = event.response.id
            if event.type == "response.output_text.delta":
                read += event.delta
                if len(read) > 12:
                    break
    live = list(client.responses.retrieve(response_id, stream=True, starting_after=last))
    assert read + deltas_of(live) == text
    assert live[0].sequence_number > last
    assert live[-1].type == "response.completed"
    # The stored log has joined the pieces, and is taken up in their midst all the same.
    again = list(client.responses.retrieve(response_id, stream=True, starting_after=last))
    assert read + deltas_of(again) == text
    assert deltas_of(list(client.responses.retrieve(response_id, stream=True))) == text
    assert again[-1].sequence_number == live[-1].sequence_number
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.retrieve(response_id, stream=True, extra_query={"starting_after": "-4"})
    assert caught.value.param == "starting_after"


def deltas_of(events: Sequence[Any]) -> str:
    return "".join(event.delta for event in events if event.type == "response.output_text.delta")
