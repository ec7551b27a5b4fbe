"""What users notice while a large document is taken in: ``python -m bench.ingest``; see the README beside this."""

from __future__ import annotations

import argparse
import asyncio
import io
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from agentic.testing.ollama import ScriptedModel, ScriptedOllama, says
from agentic.testing.server import running_server

WORDS = (
    "The harbour of the old town was deepened in the spring so that larger ships could enter it at low tide, and the "
    "council asked the engineers to report every month what the work had cost and how much of it was still to be done. "
)
HEALTH_PAUSE_S, TOKEN_S, LOOK_S = 0.01, 0.02, 0.25
MOST_S = 900


@dataclass
class Seen:
    """Milliseconds: of answers of /health, and of the longest silence within each streamed answer."""

    health: list[float] = field(default_factory=list)
    silences: list[float] = field(default_factory=list)
    broken: int = 0

    def told(self, name: str) -> str:
        p50, p99 = statistics.median(self.health), _p99(self.health)
        silence = max(self.silences, default=0.0)
        return f"| {name} | {p50:.1f} | {p99:.1f} | {max(self.health):.1f} | {silence:.0f} | {self.broken} |"


def document(pages: int) -> bytes:
    """A PDF of so many full pages, no two alike."""
    from reportlab.lib.pagesizes import A4
    from reportlab.pdfgen.canvas import Canvas

    data = io.BytesIO()
    canvas = Canvas(data, pagesize=A4)
    for page in range(1, pages + 1):
        text = canvas.beginText(50, 790)
        for line in range(50):
            text.textLine(f"{page}.{line} {WORDS[(page * 7 + line * 3) % 120 :][:90]}")
        canvas.drawText(text)
        canvas.showPage()
    canvas.save()
    return data.getvalue()


async def main(pages: int) -> None:
    """Measure the server idle, then while it takes the document in."""
    ollama = ScriptedOllama([ScriptedModel("qwen3:8b")])
    with tempfile.TemporaryDirectory() as folder, ollama.running() as url:
        settings = {"OLLAMA_HOST": url, "OLLAMA_MODEL": "qwen3:8b"}
        with running_server(settings, data_dir=Path(folder) / "data") as server:
            key = server.add_user("bench")
            headers = {"Authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60) as api:
                idle = Seen()
                await _watch(api, ollama, idle, asyncio.create_task(asyncio.sleep(5)))
                busy, taking = Seen(), asyncio.create_task(_take_in(api, document(pages)))
                await _watch(api, ollama, busy, taking)
                took_s, shown = taking.result()
    print("| server | /health p50 ms | p99 ms | max ms | longest silence in a stream ms | streams broken |")
    print("|---|---|---|---|---|---|")
    print(idle.told("idle"))
    print(busy.told(f"taking in {pages} pages"))
    rate = f"{took_s:.1f} s, {pages / took_s:.1f} pages/s"
    print(f"\n{shown['status']}: {shown['chunks']} chunks in {rate} {shown['error']}")


async def _take_in(api: httpx.AsyncClient, data: bytes) -> tuple[float, dict[str, object]]:
    began = time.monotonic()
    answer = await api.post("/api/files/upload", files={"file": ("bench.pdf", data)})
    if answer.status_code != 200:
        raise SystemExit(answer.json()["error"]["message"])
    while time.monotonic() - began < MOST_S:
        shown = (await api.get(f"/api/files/documents/{answer.json()['file_id']}")).json()
        if shown["status"] != "indexing":
            return time.monotonic() - began, shown
        await asyncio.sleep(LOOK_S)
    raise SystemExit(f"not taken in within {MOST_S} s: {shown}")


async def _watch(api: httpx.AsyncClient, ollama: ScriptedOllama, seen: Seen, until: asyncio.Task[object]) -> None:
    """Ask for /health, and stream one answer after another, until the task ends."""
    streaming = asyncio.create_task(_stream(api, ollama, seen, until))
    while not until.done():
        began = time.perf_counter()
        (await api.get("/health")).raise_for_status()
        seen.health.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(HEALTH_PAUSE_S)
    await streaming


async def _stream(api: httpx.AsyncClient, ollama: ScriptedOllama, seen: Seen, until: asyncio.Task[object]) -> None:
    body = {"model": "agentic/chat", "stream": True, "messages": [{"role": "user", "content": "Tell me more."}]}
    while not until.done():
        ollama.script(says("word " * 40, delay_s=TOKEN_S))
        last, longest, is_whole = None, 0.0, False
        async with api.stream("POST", "/v1/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                now = time.perf_counter()
                is_whole = line == "data: [DONE]" or is_whole
                if '"content":"word' in line:
                    longest = max(longest, now - last) if last is not None else longest
                    last = now
        seen.silences.append(longest * 1000)
        seen.broken += not is_whole


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=200)
    asyncio.run(main(parser.parse_args().pages))
