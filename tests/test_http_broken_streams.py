"""A stream that cannot be written ends with an error that clients can read, and its run with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest

from agentic import Run
from agentic.events import Entry, TextDelta
from agentic.runtime.run import LiveRun
from agentic.server.dialects.chat_completions import DONE, Completion
from agentic.server.sse import EventStream
from tests.http_fixtures import error_of
from tests.kernel_in_memory import House

ENDLESS_S = 30.0


class Breaking(Completion):
    """Writes as many texts as it is told to, and breaks at the next."""

    def __init__(self, live: LiveRun, texts: int) -> None:
        super().__init__(live, "m")
        self._texts = texts

    def render(self, entries: Sequence[Entry]) -> bytes:
        self._texts -= sum(isinstance(entry.event, TextDelta) for entry in entries)
        if self._texts < 0:
            raise ValueError("a secret that nobody may read")
        return super().render(entries)


async def talk(run: Run) -> None:
    run.say("word")
    await asyncio.sleep(0.05)
    run.say("word")
    await asyncio.sleep(ENDLESS_S)


async def streamed(texts: int, *, sending: type[Exception] | None = None) -> tuple[LiveRun, list[dict[str, Any]]]:
    """What is sent of a run whose renderer breaks after ``texts`` texts, or whose sending fails."""
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(ENDLESS_S)
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if sending is not None and sent:
            raise sending("gone")
        sent.append(message)

    live = await House(talk).ask()
    answer = EventStream(live, Breaking(live, texts), lambda run: {"X-Run-Id": run.id})
    await answer({"type": "http"}, receive, send)
    return live, sent


async def test_fault_before_the_first_byte_is_a_500_and_ends_the_run(caplog: pytest.LogCaptureFixture) -> None:
    live, (start, body) = await streamed(0)
    assert start["status"] == 500
    assert (b"x-run-id", live.id.encode()) in start["headers"]
    error = error_of(json.loads(body["body"]))
    assert (error["type"], "ValueError" in error["message"], "secret" in error["message"]) == (
        "server_error",
        True,
        False,
    )
    assert (await asyncio.wait_for(live.log(), 2))[-1].event.reason == "cancelled"  # type: ignore[attr-defined]
    assert f"[EventStream] Not written: run={live.id}" in caplog.text


async def test_fault_in_mid_stream_is_told_in_the_stream_and_ends_the_run() -> None:
    live, (start, *bodies, end) = await streamed(1)
    assert start["status"] == 200
    written = b"".join(body["body"] for body in bodies)
    *_, last, done, rest = written.split(b"\n\n")
    assert (done + b"\n\n", rest) == (DONE, b"")
    assert "ValueError" in error_of(json.loads(last.removeprefix(b"data: ")))["message"]
    assert (end["body"], end["more_body"]) == (b"", False)
    assert (await asyncio.wait_for(live.log(), 2))[-1].event.reason == "cancelled"  # type: ignore[attr-defined]


async def test_client_that_is_gone_ends_the_run_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    live, sent = await streamed(9, sending=OSError)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert (await asyncio.wait_for(live.log(), 2))[-1].event.reason == "cancelled"  # type: ignore[attr-defined]
    assert "Not written" not in caplog.text
