"""The provider and the network: servers that are away, busy, silent, cut off, or left."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from agentic import Message, ModelDelta, ModelError, ModelRequest, ModelTimeout, ModelUnavailable
from agentic.testing.openai import ScriptedUpstream, cuts, errors_midstream, fails, hangs, says, streams
from agentic.testing.server import free_port
from agentic_openai_upstream.provider import UpstreamProvider
from agentic_openai_upstream.settings import Upstream

HELLO = ModelRequest(model="maker/chat-8b", messages=[Message("user", "hello")])
KEY = "sk-of-these-tests"
FINISHED = 'data: {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}\n\n'


@contextlib.asynccontextmanager
async def served(server: ScriptedUpstream, **fields: Any) -> AsyncIterator[UpstreamProvider]:
    async with server.serve() as url:
        provider = UpstreamProvider("vllm", Upstream(**{"base_url": url, "api_key": KEY, **fields}))
        try:
            yield provider
        finally:
            await provider.aclose()


async def asked(server: ScriptedUpstream) -> None:
    for _ in range(500):
        await asyncio.sleep(0.01)
        if server.chats:
            return
    raise AssertionError("the server was not asked")


async def drain(provider: UpstreamProvider) -> list[ModelDelta]:
    return [delta async for delta in provider.stream(HELLO)]


async def test_refused_connection_is_told_with_address_and_fix() -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    provider = UpstreamProvider("vllm", Upstream(base_url=url, api_key=KEY))
    for attempt in (provider.models(), drain(provider)):
        with pytest.raises(ModelUnavailable) as caught:
            await attempt
        assert url in caught.value.message and 'base_url of "vllm"' in caught.value.message
    assert url in (await provider.health() or "")
    await provider.aclose()


async def test_host_name_that_does_not_exist_is_unavailable() -> None:
    provider = UpstreamProvider("vllm", Upstream(base_url="http://no-such-host.invalid:8000"))
    with pytest.raises(ModelUnavailable, match="host is not known"):
        await provider.models()
    await provider.aclose()


@pytest.mark.parametrize(
    ("greeting", "why"),
    [(b"SSH-2.0-OpenSSH_9.6\r\n", "speaks no HTTP"), (b"", "closed the connection without an answer")],
)
async def test_server_that_speaks_no_http_is_told_without_the_key(greeting: bytes, why: str) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(greeting)
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(greet, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
    provider = UpstreamProvider("vllm", Upstream(base_url=url, api_key=KEY))
    async with other:
        with pytest.raises(ModelUnavailable, match=why) as caught:
            await provider.models()
    # The library's own error holds the request's headers.
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert KEY not in f"{caught.value!r}"
    await provider.aclose()


@pytest.mark.parametrize("busy", [fails(429, "slow down"), fails(503, "busy", retry_after_s=0.2)])
async def test_a_busy_server_is_asked_again_before_the_first_byte(busy: Any) -> None:
    server = ScriptedUpstream()
    server.script(busy, says("now"))
    async with served(server) as provider:
        assert "".join(delta.text for delta in await drain(provider)) == "now"
    assert len(server.chats) == 2


async def test_retry_after_is_kept_to() -> None:
    server = ScriptedUpstream()
    server.script(fails(429, "slow down", retry_after_s=1.5), says("now"))
    async with served(server) as provider:
        await provider.models()
        start = time.monotonic()
        await drain(provider)
        assert 1.5 <= time.monotonic() - start < 3


async def test_a_server_that_is_busy_for_longer_is_given_up_at_once_and_its_time_is_passed_on() -> None:
    server = ScriptedUpstream()
    server.script(fails(503, "maintenance", headers={"Retry-After": "120"}))
    async with served(server) as provider:
        await provider.models()
        start = time.monotonic()
        with pytest.raises(ModelUnavailable, match="maintenance") as caught:
            await drain(provider)
        assert time.monotonic() - start < 1
    assert caught.value.retry_after_s == 120
    assert len(server.chats) == 1


async def test_a_server_that_stays_busy_is_given_up_in_time_even_if_it_says_at_once() -> None:
    server = ScriptedUpstream()
    server.answer = lambda _: fails(429, "slow down", retry_after_s=0)
    async with served(server, retry_s=1.2) as provider:
        start = time.monotonic()
        with pytest.raises(ModelUnavailable, match="slow down"):
            await drain(provider)
        assert time.monotonic() - start < 2
    assert len(server.chats) == 2


async def test_waiting_for_a_busy_server_can_be_cancelled() -> None:
    server = ScriptedUpstream()
    server.answer = lambda _: fails(429, "slow down", retry_after_s=20)
    async with served(server) as provider:
        asking = asyncio.create_task(drain(provider))
        await asked(server)
        asking.cancel()
        done, _ = await asyncio.wait([asking], timeout=1)
        assert done and asking.cancelled()


@pytest.mark.parametrize(
    "fault", [fails(500, "boom"), fails(502, "bad gateway"), errors_midstream("slow down"), cuts()]
)
async def test_other_faults_are_not_tried_again(fault: Any) -> None:
    server = ScriptedUpstream()
    server.script(fault)
    async with served(server) as provider:
        with pytest.raises(ModelError):
            await drain(provider)
    assert len(server.chats) == 1


async def test_date_after_which_to_ask_again_is_passed_on_in_seconds() -> None:
    server, later = ScriptedUpstream(), datetime.now(UTC) + timedelta(hours=1)
    server.script(fails(503, "maintenance", headers={"Retry-After": format_datetime(later, usegmt=True)}))
    async with served(server) as provider:
        with pytest.raises(ModelUnavailable, match="maintenance") as caught:
            await drain(provider)
    assert caught.value.retry_after_s == pytest.approx(3600, abs=60)


@pytest.mark.parametrize("after", [0, 2])
async def test_cut_connection_is_an_error_after_what_came(after: int) -> None:
    server = ScriptedUpstream()
    server.script(cuts(after=after))
    seen = []
    async with served(server) as provider:
        with pytest.raises(ModelError, match="broke off") as caught:
            async for delta in provider.stream(HELLO):
                seen.append(delta.text)
    assert not isinstance(caught.value, ModelUnavailable)
    assert len(seen) == after


async def test_an_answer_that_is_cut_after_its_finish_is_whole() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            body, promised = b'{"data": [{"id": "maker/chat-8b"}]}', 35
        else:
            await reader.readuntil(b"}]")
            body, promised = FINISHED.encode(), 1000
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (promised, body))
        await writer.drain()
        writer.close()

    other = await asyncio.start_server(answer, "127.0.0.1", 0)
    provider = UpstreamProvider("vllm", Upstream(base_url=f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"))
    async with other:
        deltas = await drain(provider)
    assert [(delta.text, delta.finish) for delta in deltas] == [("a", ""), ("", "stop")]
    await provider.aclose()


@pytest.mark.parametrize("after", [0, 2])
async def test_silence_longer_than_the_timeout_is_told(after: int) -> None:
    server = ScriptedUpstream()
    server.script(hangs(after=after))
    async with served(server, timeout_s=0.3) as provider:
        with pytest.raises(ModelTimeout, match='timeout_s of "vllm"'):
            await drain(provider)
        assert await server.disconnected(1)


async def test_slow_answer_that_keeps_coming_is_waited_for() -> None:
    server = ScriptedUpstream()
    server.script(says("a b c d e", wait_s=0.2, delay_s=0.2))
    async with served(server, timeout_s=0.6) as provider:
        assert "".join([delta.text for delta in await drain(provider)]) == "a b c d e"


@pytest.mark.parametrize("after", [1, 3])
async def test_closing_the_answer_stops_the_model_within_a_second(after: int) -> None:
    server = ScriptedUpstream()
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
    server = ScriptedUpstream()
    server.script(hangs())
    async with served(server) as provider:
        await provider.models()
        asking = asyncio.create_task(drain(provider))
        await asked(server)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await server.disconnected(1)


async def test_a_server_that_leaves_the_line_open_after_its_end_holds_nobody_up() -> None:
    server = ScriptedUpstream()
    server.script(streams(FINISHED, "data: [DONE]\n\n", ": still here\n\n", delay_s=1))
    async with served(server) as provider:
        await provider.models()
        start = time.monotonic()
        assert (await drain(provider))[-1].finish == "stop"
        assert time.monotonic() - start < 1.9


async def test_connections_are_used_again() -> None:
    taken = 0

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        taken += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)

        async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65536):
                    target.write(data)
                    await target.drain()
            target.close()

        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer))

    server = ScriptedUpstream()
    async with server.serve() as url:
        port = int(url.rsplit(":", 1)[1])
        between = await asyncio.start_server(pass_on, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{between.sockets[0].getsockname()[1]}"
        provider = UpstreamProvider("vllm", Upstream(base_url=address))
        for _ in range(5):
            await drain(provider)
        await provider.aclose()
        between.close()
    assert taken == 1


async def test_the_proxy_of_the_environment_is_used_but_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    server = ScriptedUpstream()
    async with server.serve() as url:
        monkeypatch.setenv("http_proxy", url)
        monkeypatch.setenv("no_proxy", "other.invalid")
        far = UpstreamProvider("vllm", Upstream(base_url="http://far.invalid/v1"))
        assert (await drain(far))[-1].finish == "stop"
        assert {request.headers["host"] for request in server.requests} == {"far.invalid"}
        for excepted in ("http://other.invalid/v1", f"http://127.0.0.1:{free_port()}/v1"):
            provider = UpstreamProvider("vllm", Upstream(base_url=excepted))
            with pytest.raises(ModelUnavailable):
                await provider.models()
            await provider.aclose()
        await far.aclose()


async def test_server_that_comes_back_is_used_again() -> None:
    server = ScriptedUpstream()
    async with server.serve() as url:
        provider = UpstreamProvider("vllm", Upstream(base_url=url))
        assert await provider.health() is None
    assert await provider.health() is not None
    async with server.serve(int(url.rsplit(":", 1)[1])):
        assert await provider.health() is None
        assert (await drain(provider))[-1].finish == "stop"
        await provider.aclose()


async def test_hundred_and_fifty_answers_do_not_wait_for_one_another() -> None:
    server = ScriptedUpstream()
    server.answer = lambda _: hangs(after=1)
    async with served(server) as provider:
        await provider.models()
        answers = [provider.stream(HELLO) for _ in range(150)]
        firsts = await asyncio.gather(*(anext(answer) for answer in answers))
        assert len(firsts) == len(server.chats) == 150
        await asyncio.gather(*(answer.aclose() for answer in answers))


async def test_logs_hold_neither_keys_nor_words(caplog: pytest.LogCaptureFixture) -> None:
    server = ScriptedUpstream()
    server.script(fails(503, "secret words", retry_after_s=0.1), fails(400, "secret words"))
    with caplog.at_level(logging.DEBUG):
        async with served(server) as provider:
            with pytest.raises(ModelError):
                await drain(provider)
    own = [record.getMessage() for record in caplog.records if record.name.startswith("agentic")]
    assert len(own) == 3
    assert not [line for line in own if KEY in line or "secret" in line or "hello" in line]
