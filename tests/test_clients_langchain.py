"""LangChain's ChatOpenAI works unchanged."""

from __future__ import annotations

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel, SecretStr

from agentic.testing.ollama import calls, fails
from agentic.testing.server import Server
from tests.http_fixtures import SharedOllama


class Thing(BaseModel):
    """A thing and its size."""

    name: str
    size: int


@tool
def weather(town: str) -> str:
    """The weather of a town."""
    return f"sunny in {town}"


@pytest.fixture
def chat(server: Server, keys: dict[str, str], ollama: SharedOllama) -> ChatOpenAI:
    return ChatOpenAI(model="agentic", base_url=f"{server.url}/v1", api_key=SecretStr(keys["ann"]), max_retries=0)


def test_failure_is_raised(chat: ChatOpenAI, ollama: SharedOllama) -> None:
    ollama.script(fails(500, "no luck"))
    with pytest.raises(Exception, match="no luck"):
        chat.invoke("hello")


def test_invoke(chat: ChatOpenAI) -> None:
    answer = chat.invoke([("system", "Be brief."), ("user", "hello")])
    assert answer.content == "You said: hello"
    assert answer.usage_metadata is not None
    assert answer.response_metadata["finish_reason"] == "stop"


def test_stream(chat: ChatOpenAI) -> None:
    chunks = list(chat.stream("hello"))
    assert "".join(str(chunk.content) for chunk in chunks) == "You said: hello"
    assert len(chunks) > 2


async def test_async_invoke_and_stream(chat: ChatOpenAI) -> None:
    assert (await chat.ainvoke("hello")).content == "You said: hello"
    assert "".join([str(chunk.content) async for chunk in chat.astream("hello")]) == "You said: hello"


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_bound_tools_are_called_and_gone_on_with(chat: ChatOpenAI, ollama: SharedOllama, streamed: bool) -> None:
    ollama.script(calls(("lookup", {"what": "tower"}), ("weather", {"town": "Oslo"})), "Sunny, and 324 m.")
    bound = chat.model_copy(update={"model_name": "agentic/react"}).bind_tools([weather])
    question = HumanMessage("Weather and tower?")
    if streamed:
        chunks = list(bound.stream([question]))
        asked = chunks[0]
        for chunk in chunks[1:]:
            asked += chunk
    else:
        asked = bound.invoke([question])
    (call,) = asked.tool_calls
    assert (call["name"], call["args"]) == ("weather", {"town": "Oslo"})
    result = ToolMessage(weather.invoke(call["args"]), tool_call_id=call["id"])
    assert bound.invoke([question, asked, result]).content == "Sunny, and 324 m."
    given = [message for message in ollama.chats[-1]["messages"] if message["role"] != "system"]
    assert [message["role"] for message in given] == ["user", "assistant", "tool", "tool"]


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output(chat: ChatOpenAI, ollama: SharedOllama, method: str) -> None:
    thing = '{"name": "ball", "size": 3}'
    decided = f'{{"thought": "", "calls": [{{"action": "Thing", "input": {thing}}}]}}'
    ollama.answer = lambda body: decided if "calls" in str(body.get("format")) else thing
    structured = chat.with_structured_output(Thing, method=method)
    assert structured.invoke("A ball of size 3, as JSON") == Thing(name="ball", size=3)


def test_turns_over_the_responses_api(server: Server, keys: dict[str, str], ollama: SharedOllama) -> None:
    chat = ChatOpenAI(
        model="agentic",
        base_url=f"{server.url}/v1",
        api_key=SecretStr(keys["ann"]),
        max_retries=0,
        use_responses_api=True,
        use_previous_response_id=True,
    )
    first = chat.invoke([HumanMessage("one")])
    second = chat.invoke([HumanMessage("one"), first, HumanMessage("two")])
    assert second.text == "You said: two"
    assert [message["content"] for message in ollama.chats[-1]["messages"] if message["role"] == "user"] == [
        "one",
        "two",
    ]
    assert "".join(chunk.text for chunk in chat.stream("hello")) == "You said: hello"
    thing = chat.with_structured_output(Thing, method="json_schema")
    ollama.script('{"name": "ball", "size": 3}')
    assert thing.invoke("a ball") == Thing(name="ball", size=3)


def test_embeddings(server: Server, keys: dict[str, str], ollama: SharedOllama) -> None:
    embedding = OpenAIEmbeddings(
        model="nomic",
        base_url=f"{server.url}/v1",
        api_key=SecretStr(keys["ann"]),
        check_embedding_ctx_length=False,
    )
    assert [len(vector) for vector in embedding.embed_documents(["a", "b"])] == [8, 8]
