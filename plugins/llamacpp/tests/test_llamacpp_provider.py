"""The provider: with an engine that fails on purpose, then with the real one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from agentic import (
    Json,
    Message,
    ModelError,
    ModelNotFound,
    ModelRequest,
    ModelTimeout,
    ModelUnavailable,
    Sampling,
    ToolSpec,
)
from agentic_llamacpp import Settings, agentic_model_providers
from agentic_llamacpp.engine import Endpoint, Engine
from agentic_llamacpp.provider import NOTICE, LlamaCpp

MODEL = "smollm2-135m-instruct"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'data: {"choices": [{"delta": {"content": "Hello"}}]}\n\n'

Script = Callable[[asyncio.StreamWriter], Awaitable[None]]


class ScriptedEngine(Engine):
    """An engine that is a socket with a script; ``kills`` counts how often it was given up."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self._script = script
        self.kills = 0

    async def endpoint(self, model: Path) -> Endpoint:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        return Endpoint(f"http://127.0.0.1:{port}", "key")

    async def kill(self) -> None:
        self.kills += 1

    async def aclose(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await self._script(writer)
        writer.close()


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def ask(
    text: str = "Write a long story about the sea.", schema: Json | None = None, **sampling: object
) -> ModelRequest:
    chosen = Sampling(**{"temperature": 0, **sampling})  # type: ignore[arg-type]
    return ModelRequest(model=MODEL, messages=[Message("user", text)], schema=schema, sampling=chosen)


async def answer(provider: LlamaCpp, request: ModelRequest) -> str:
    return "".join([delta.text async for delta in provider.stream(request)])


def fetched(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def failing(tmp_path: Path, script: Script) -> tuple[LlamaCpp, ScriptedEngine]:
    model_file = tmp_path / "SmolLM2-135M-Instruct.Q4_1.gguf"
    model_file.write_bytes(b"GGUF")
    engine = ScriptedEngine(script)
    return LlamaCpp(tmp_path, model_file, engine=engine, silence_s=0.3), engine


async def test_an_engine_that_dies_in_mid_answer_is_an_error_and_given_up(tmp_path: Path) -> None:
    async def dies(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(EVENT))
        await writer.drain()

    provider, engine = await failing(tmp_path, dies)
    pieces = []
    with pytest.raises(ModelError, match="stopped in the middle"):
        async for delta in provider.stream(ask()):
            pieces.append(delta.text)
    assert pieces == ["Hello"]
    assert engine.kills == 1
    await provider.aclose()


async def test_an_engine_that_falls_silent_is_a_timeout_and_given_up(tmp_path: Path) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(EVENT))
        await writer.drain()
        await asyncio.sleep(2)

    provider, engine = await failing(tmp_path, silent)
    with pytest.raises(ModelTimeout, match=r"silent for 0\.3 s"):
        await answer(provider, ask())
    assert engine.kills == 1
    await provider.aclose()


async def test_an_engine_that_resets_the_connection_in_mid_answer_is_an_error(tmp_path: Path) -> None:
    async def resets(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(EVENT))
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.transport.abort()

    provider, engine = await failing(tmp_path, resets)
    with pytest.raises(ModelError, match="stopped in the middle"):
        await answer(provider, ask())
    assert engine.kills == 1
    await provider.aclose()


async def test_a_stream_that_ends_early_is_an_error(tmp_path: Path) -> None:
    async def short(writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD + chunk(EVENT) + chunk(b"") + b"\r\n")
        await writer.drain()

    provider, _ = await failing(tmp_path, short)
    with pytest.raises(ModelError, match="cut off"):
        await answer(provider, ask())
    await provider.aclose()


async def test_an_engine_that_is_gone_is_unavailable(tmp_path: Path) -> None:
    async def never(writer: asyncio.StreamWriter) -> None:
        raise AssertionError("nobody listens")

    class Gone(ScriptedEngine):
        async def endpoint(self, model: Path) -> Endpoint:
            endpoint = await super().endpoint(model)
            self._server.close()
            await self._server.wait_closed()
            return endpoint

    provider, _ = await failing(tmp_path, never)
    gone = Gone(never)
    provider._engine = gone
    with pytest.raises(ModelUnavailable, match="gone"):
        await answer(provider, ask())
    assert gone.kills == 1
    await provider.aclose()


async def test_another_models_name_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=f"called {MODEL}, not gpt-4"):
        await answer(LlamaCpp(tmp_path), ModelRequest(model="gpt-4", messages=[]))


async def test_tools_are_refused_not_dropped(tmp_path: Path) -> None:
    request = ModelRequest(model=MODEL, messages=[], tools=[ToolSpec("math", "sums", {})])
    with pytest.raises(ModelError, match="cannot call tools"):
        await answer(LlamaCpp(tmp_path), request)


async def test_the_model_is_listed_and_healthy_before_anything_is_fetched(tmp_path: Path) -> None:
    provider = agentic_model_providers(Settings(), tmp_path)
    (info,) = await provider.models()
    assert (info.id, info.tool_mode, info.schema, info.default, info.notice) == (MODEL, "fit", True, True, NOTICE)
    assert provider.fallback
    assert provider.rank < 0
    assert await provider.health() is None
    assert not fetched(tmp_path)
    await provider.aclose()


def test_the_hook_imports_no_engine_and_no_http() -> None:
    code = (
        "import sys; from pathlib import Path; import agentic_llamacpp as p;"
        "p.agentic_model_providers(p.Settings(), Path('x'));"
        "print([m for m in ('xllamacpp', 'httpx', 'aiohttp', 'rich') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


async def test_it_knows_the_capital_of_france(provider: LlamaCpp) -> None:
    assert "Paris" in await answer(provider, ask("What is the capital of France?", max_tokens=40))


async def test_same_seed_same_answer(provider: LlamaCpp) -> None:
    request = ask("Tell me something.", temperature=1.0, seed=7, max_tokens=16)
    assert await answer(provider, request) == await answer(provider, request)


async def test_stop_words_stop(provider: LlamaCpp) -> None:
    assert "," not in await answer(provider, ask("Count: 1, 2, 3, 4", stop=(",",), max_tokens=40))


async def test_broken_unicode_and_an_empty_conversation_are_answered(provider: LlamaCpp) -> None:
    assert await answer(provider, ask("a\ud800b \u2028 \x00", max_tokens=4))
    empty = ModelRequest(model=MODEL, messages=[], sampling=Sampling(max_tokens=4))
    assert await answer(provider, empty)


async def test_a_schema_binds_the_answer(provider: LlamaCpp) -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}}, "required": ["city"]}
    value = json.loads(await answer(provider, ask("What is the weather in Oslo?", schema)))
    assert value["city"] in ("Oslo", "Rome")


async def test_a_schema_that_makes_no_sense_is_an_error(provider: LlamaCpp) -> None:
    with pytest.raises(ModelError, match="cannot follow this JSON Schema"):
        await answer(provider, ask("hi", {"type": "objekt"}))


async def test_json_cut_by_max_tokens_is_an_error(provider: LlamaCpp) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 40}}, "required": ["a"]}
    with pytest.raises(ModelError, match="raise max_tokens"):
        await answer(provider, ask("hi", schema, max_tokens=4))


async def test_too_long_a_prompt_is_refused_with_its_size(provider: LlamaCpp) -> None:
    with pytest.raises(ModelError, match=r"has 60\d\d tokens and the embedded model reads at most 4096"):
        await answer(provider, ask("word " * 6000))


async def test_closing_frees_the_engine_within_a_second(provider: LlamaCpp) -> None:
    stream = provider.stream(ask())
    await anext(stream)
    begun = time.monotonic()
    await stream.aclose()
    await answer(provider, ask("hi", max_tokens=1))
    assert time.monotonic() - begun < 2


async def test_leaving_while_the_prompt_is_read_frees_the_engine(provider: LlamaCpp) -> None:
    await answer(provider, ask("hi", max_tokens=1))
    reading = asyncio.create_task(answer(provider, ask("word " * 3000)))
    await asyncio.sleep(0.5)
    reading.cancel()
    begun = time.monotonic()
    await answer(provider, ask("hi", max_tokens=1))
    assert time.monotonic() - begun < 3


async def test_a_killed_engine_is_an_error_in_mid_answer_and_started_anew(provider: LlamaCpp) -> None:
    stream = provider.stream(ask())
    await anext(stream)
    assert provider._engine.pid is not None
    os.kill(provider._engine.pid, signal.SIGKILL)
    with pytest.raises(ModelError, match="stopped in the middle"):
        async for _ in stream:
            continue
    assert await answer(provider, ask("hi", max_tokens=5))


async def test_an_engine_killed_while_idle_is_started_anew(
    provider: LlamaCpp, caplog: pytest.LogCaptureFixture
) -> None:
    await answer(provider, ask("hi", max_tokens=1))
    pid = provider._engine.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert await answer(provider, ask("hi", max_tokens=5))
    assert provider._engine.pid != pid
    assert "ended by signal SIGKILL" in caplog.text


async def test_logs_hold_no_text_of_messages(provider: LlamaCpp, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="agentic_llamacpp")
    await answer(provider, ask("xyzzy secret", max_tokens=4))
    assert "Started" in caplog.text
    assert "xyzzy" not in caplog.text


async def test_a_closed_provider_answers_no_more(provider: LlamaCpp) -> None:
    await answer(provider, ask("hi", max_tokens=1))
    await provider.aclose()
    with pytest.raises(ModelUnavailable, match="shut down"):
        await answer(provider, ask("hi"))
