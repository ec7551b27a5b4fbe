"""The provider on a real port: servers that are away, silent, cut off, or left."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest

from agentic import Message, ModelDelta, ModelError, ModelRequest, ModelTimeout, ModelUnavailable
from agentic.testing.ollama import ScriptedOllama, cuts, hangs, says, sends
from agentic.testing.scripted_exchange import Receive, Scope, Send
from agentic.testing.server import free_port
from agentic_ollama.connection import Connection
from agentic_ollama.provider import OllamaProvider
from agentic_ollama.settings import Settings
from agentic_ollama.wire import Answer

HELLO = ModelRequest(model="qwen3:8b", messages=[Message("user", "hello")])


@contextlib.asynccontextmanager
async def served(server: ScriptedOllama, **settings: Any) -> AsyncIterator[OllamaProvider]:
    async with server.serve() as url:
        provider = OllamaProvider(Settings(ollama_host=url, **settings))
        try:
            yield provider
        finally:
            await provider.aclose()


async def drain(provider: OllamaProvider) -> list[ModelDelta]:
    return [delta async for delta in provider.stream(HELLO)]


async def test_refused_connection_is_told_with_address_and_fix() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    provider = OllamaProvider(Settings(ollama_host=url))
    for attempt in (provider.models(), drain(provider)):
        with pytest.raises(ModelUnavailable) as caught:
            await attempt
        assert url in caught.value.message and "ollama serve" in caught.value.message
    assert "ollama serve" in (await provider.health() or "")
    await provider.aclose()


async def test_host_name_that_does_not_exist_is_unavailable() -> None:
    provider = OllamaProvider(Settings(ollama_host="http://no-such-host.invalid:11434"))
    with pytest.raises(ModelUnavailable):
        await provider.models()
    await provider.aclose()


async def test_server_that_speaks_no_http_is_an_error_of_ours() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.6\r\n")
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(greet, "127.0.0.1", 0)
    provider = OllamaProvider(Settings(ollama_host=f"127.0.0.1:{other.sockets[0].getsockname()[1]}"))
    async with other:
        with pytest.raises(ModelUnavailable):
            await provider.models()
    await provider.aclose()


@pytest.mark.parametrize("after", [0, 2])
async def test_cut_connection_is_an_error_after_what_came(after: int) -> None:
    server = ScriptedOllama()
    server.script(cuts(after=after))
    seen = []
    async with served(server) as provider:
        with pytest.raises(ModelError, match="broke off") as caught:
            async for delta in provider.stream(HELLO):
                seen.append(delta.text)
    assert type(caught.value) is ModelError
    assert "".join(seen).split() == ["word1", "word2"][:after]


@pytest.mark.parametrize("after", [0, 2])
async def test_silence_longer_than_the_timeout_is_told(after: int) -> None:
    server = ScriptedOllama()
    server.script(hangs(after=after))
    async with served(server, ollama_timeout=0.2) as provider:
        with pytest.raises(ModelTimeout, match="OLLAMA_TIMEOUT"):
            await drain(provider)
        assert await server.disconnected(1)


async def test_slow_answer_that_keeps_coming_is_waited_for() -> None:
    server = ScriptedOllama()
    server.script(says("a b c d e", wait_s=0.2, delay_s=0.2))
    async with served(server, ollama_timeout=0.6) as provider:
        assert "".join([delta.text for delta in await drain(provider)]) == "a b c d e"


@pytest.mark.parametrize("after", [1, 3])
async def test_closing_the_answer_stops_the_model_within_a_second(after: int) -> None:
    server = ScriptedOllama()
    server.script(hangs(after=after))
    async with served(server) as provider:
        answer = provider.stream(HELLO)
        await anext(answer)
        start = time.monotonic()
        await answer.aclose()
        assert await server.disconnected(1)
        assert time.monotonic() - start < 1
        assert len(await drain(provider)) > 1


async def test_cancelling_before_the_first_byte_stops_the_model() -> None:
    server = ScriptedOllama()
    server.script(hangs())
    async with served(server) as provider:
        await provider.models()
        asking = asyncio.create_task(drain(provider))
        await asyncio.sleep(0.1)
        assert server.chats
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await server.disconnected(1)


async def test_server_that_comes_back_is_used_again() -> None:
    server = ScriptedOllama()
    async with server.serve() as url:
        provider = OllamaProvider(Settings(ollama_host=url))
        assert await provider.health() is None
    assert await provider.health() is not None
    async with server.serve(int(url.rsplit(":", 1)[1])):
        assert await provider.health() is None
        assert (await drain(provider))[-1].finish == "stop"
        await provider.aclose()


async def test_hundred_and_fifty_answers_do_not_wait_for_one_another() -> None:
    server = ScriptedOllama()
    server.answer = lambda _: hangs(after=1)
    async with served(server) as provider:
        await provider.models()
        answers = [provider.stream(HELLO) for _ in range(150)]
        firsts = await asyncio.gather(*(anext(answer) for answer in answers))
        assert len(firsts) == len(server.chats) == 150
        await asyncio.gather(*(answer.aclose() for answer in answers))


async def test_lines_that_come_together_are_joined_by_kind() -> None:
    said = [("", "let me"), ("", " see"), ("Six", ""), (" times", ""), ("", "hm"), (" seven", "")]
    lines = [{"message": {"role": "assistant", "content": text, "thinking": thought}} for text, thought in said]
    last = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop", "eval_count": 6}
    deltas = list(Answer().read([*lines, last], join=True))
    assert [(delta.text, delta.thinking) for delta in deltas] == [
        ("", "let me see"),
        ("Six times", ""),
        ("", "hm"),
        (" seven", ""),
        ("", ""),
    ]
    assert deltas[-1].finish == "stop"
    assert len(list(Answer().read([*lines, last], join=False))) == 7


@pytest.mark.parametrize("fault", [b'{"error": "out of memory"}\n', b"<html>\n"])
async def test_what_came_together_with_a_fault_is_not_lost(fault: bytes) -> None:
    line = b'{"message": {"role": "assistant", "content": "kept"}, "done": false}\n'

    server = ScriptedOllama()
    server.faults["/api/chat"] = sends(line + fault)
    seen: list[Any] = []
    async with server.serve() as url:
        connection = Connection(Settings(ollama_host=url))
        with pytest.raises(ModelError):
            async for parts in connection.lines("/api/chat", {}):
                seen += parts
        await connection.aclose()
    assert [part["message"]["content"] for part in seen] == ["kept"]


class Listens(ScriptedOllama):
    """Keeps the headers that it was sent last."""

    headers: Mapping[bytes, bytes] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers = dict(scope["headers"])
        await super().__call__(scope, receive, send)


@pytest.mark.parametrize(("key", "sent"), [("s3cret", b"Bearer s3cret"), (None, None)])
async def test_key_is_sent_where_there_is_one(key: str | None, sent: bytes | None) -> None:
    server = Listens()
    async with served(server, ollama_api_key=key) as provider:
        await provider.models()
    assert server.headers.get(b"authorization") == sent
