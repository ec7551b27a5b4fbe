"""The engine's child process, seen from the parent: started at first use, started again after a crash."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agentic import ModelUnavailable

logger = logging.getLogger(__name__)

CONTEXT = 4096
START_LIMIT_S = 90.0
STOP_LIMIT_S = 2.0
STDERR_KEPT = 8192
STDERR_LINES = 5
STDERR_LINE = 500
REINSTALL = "Run: pip install --force-reinstall agentic-plugin-llamacpp"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the engine listens, and the key that it asks for."""

    url: str
    api_key: str


def _threads() -> tuple[int, int]:
    """Threads for generating and for reading the prompt.

    Threads of the engine spin while they wait for each other: on a busy machine with few cores two stall where one
    does not, and generation gains little from more.
    """
    return 1, max(1, min(4, (os.cpu_count() or 1) // 2))


class Engine:
    """One child process at most. ``command`` starts it; everything that goes wrong is ModelUnavailable with a fix."""

    def __init__(self, command: Sequence[str] | None = None, start_limit_s: float = START_LIMIT_S) -> None:
        self._command = command or (sys.executable, "-P", str(Path(__file__).with_name("child.py")))
        self._start_limit_s = start_limit_s
        self._process: asyncio.subprocess.Process | None = None
        self._endpoint: Endpoint | None = None
        self._complaints = b""
        self._listening: asyncio.Task[None] | None = None
        self._starting = asyncio.Lock()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The running child's process id, or None."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def endpoint(self, model: Path) -> Endpoint:
        """The endpoint of an engine that runs ``model``, started if none does. Raises ModelUnavailable."""
        async with self._starting:
            if self._closed:
                raise ModelUnavailable("The embedded model has been shut down; start the server again.")
            if self._endpoint and self.pid:
                return self._endpoint
            if self._process is not None:
                logger.warning("[Engine] Restart: the engine had %s", self._how_it_ended())
                await self.kill()
            self._endpoint = await self._start(model)
            return self._endpoint

    async def kill(self) -> None:
        """End the child at once; the next use starts another."""
        process, self._process, self._endpoint = self._process, None, None
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
        await process.wait()
        await self._hear_out()

    async def aclose(self) -> None:
        """Let the child end by itself, or end it; no other is started afterwards."""
        self._closed = True
        process = self._process
        if process is not None and process.stdin is not None:
            process.stdin.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_LIMIT_S):
                    await process.wait()
        await self.kill()

    async def _start(self, model: Path) -> Endpoint:
        self._complaints = b""
        started = False
        try:
            async with asyncio.timeout(self._start_limit_s):
                process = await self._spawn()
                endpoint = await self._first_words(process, model)
            started = not self._closed
        except TimeoutError:
            raise ModelUnavailable(
                f"The embedded engine was not ready after {self._start_limit_s:g} s; the machine may be overloaded. "
                "Try again."
            ) from None
        except OSError as error:
            raise ModelUnavailable(
                f"The embedded engine's process cannot be started: {error}. Free memory or processes, and try again."
            ) from error
        finally:
            if not started:
                await self.kill()
        if not started:
            raise ModelUnavailable("The embedded model has been shut down; start the server again.")
        logger.info("[Engine] Started: pid %d, model %s", process.pid, model.name)
        return endpoint

    async def _spawn(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        self._process = process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=pipe, stderr=pipe
        )
        assert process.stderr is not None
        self._listening = asyncio.create_task(self._listen(process.stderr))
        return process

    async def _first_words(self, process: asyncio.subprocess.Process, model: Path) -> Endpoint:
        assert process.stdin is not None and process.stdout is not None
        api_key = secrets.token_urlsafe(32)
        threads, prompt_threads = _threads()
        order = {
            "model": str(model),
            "api_key": api_key,
            "context": CONTEXT,
            "threads": threads,
            "prompt_threads": prompt_threads,
        }
        with suppress(ConnectionError):
            process.stdin.write(json.dumps(order).encode() + b"\n")
            await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            await process.wait()
            await self._hear_out()
            raise ModelUnavailable(self._why_no_start())
        try:
            answer = json.loads(line)
        except ValueError:
            raise ModelUnavailable(f"The embedded engine's first words were no JSON. {REINSTALL}") from None
        if "error" in answer:
            raise ModelUnavailable(_refusal(answer["error"], model))
        return Endpoint(answer["address"], api_key)

    async def _listen(self, stderr: asyncio.StreamReader) -> None:
        # In pieces and not by lines, for a line may be longer than the reader holds.
        while piece := await stderr.read(STDERR_KEPT):
            self._complaints = (self._complaints + piece)[-STDERR_KEPT:]

    async def _hear_out(self) -> None:
        if self._listening is not None:
            await self._listening
            self._listening = None

    def _how_it_ended(self) -> str:
        code = self._process.returncode if self._process else None
        if code is None:
            return "gone away"
        if code >= 0:
            return f"ended with exit code {code}"
        return f"been ended by signal {signal.Signals(-code).name}"

    def _why_no_start(self) -> str:
        ended = self._how_it_ended()
        if "SIGILL" in ended:
            return "The embedded engine needs a processor with AVX2; use Ollama with OLLAMA_HOST instead."
        if "SIGKILL" in ended:
            return "The embedded engine was killed at its start, most likely for want of memory: it needs 500 MB."
        lines = [line.strip()[-STDERR_LINE:] for line in self._complaints.decode(errors="replace").splitlines()]
        told = " | ".join([line for line in lines if line][-STDERR_LINES:]) or "it said nothing"
        return f"The embedded engine could not start; it has {ended} ({told}). {REINSTALL}"


def _refusal(reason: str, model: Path) -> str:
    """The child's own words on why it cannot serve, and what to do about them."""
    if "libgomp" in reason:
        return "The embedded engine needs the system's libgomp. Run: apt-get install libgomp1"
    if reason.startswith(("ImportError", "ModuleNotFoundError")):
        return f"The embedded engine is not installed whole ({reason}). {REINSTALL}"
    return (
        f"The embedded engine cannot load {model} ({reason}). If AGENTIC_MODEL_FILE names it, name a whole gguf file; "
        "else delete it, and it is fetched again."
    )
