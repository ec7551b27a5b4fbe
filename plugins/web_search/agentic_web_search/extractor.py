"""Pages taken apart in processes of their own: parsers of strangers' pages hang, eat memory and crash elsewhere."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from contextlib import suppress
from dataclasses import dataclass

from agentic import Fetched, Json, ToolError
from agentic_web_search.kinds import Kind

logger = logging.getLogger(__name__)

_SIDE_BY_SIDE = 2
_PASSED_ON = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""All that the process is given of the environment: what finding the libraries may need, and no secret."""


@dataclass(frozen=True, slots=True)
class Read:
    """A page's text, or the part of it that was asked for; ``more``: it goes on after that."""

    text: str
    title: str
    date: str
    more: bool


class Extractor:
    """Runs one process a page, two at a time, each with ``memory_mb`` of address space."""

    def __init__(self, memory_mb: int) -> None:
        self._memory_mb = memory_mb
        self._free = asyncio.Semaphore(_SIDE_BY_SIDE)

    async def read(self, fetched: Fetched, kind: Kind, *, start: int, most: int, seconds: float) -> Read:
        """The text from character ``start`` on, at most ``most`` of them.

        Raises ToolError where there is none, and where time or memory ran out.
        """
        asked = {
            "kind": kind,
            "url": fetched.url,
            "media_type": fetched.media_type,
            "charset": fetched.charset,
            "start": start,
            "most": most,
        }
        try:
            async with asyncio.timeout(seconds), self._free:
                said = await self._ask(json.dumps(asked).encode() + b"\n" + fetched.data, seconds)
        except TimeoutError:
            raise ToolError(f"The page could not be taken apart within {seconds:.0f} s.") from None
        if "error" in said:
            raise ToolError(said["error"])
        return Read(said["text"], said["title"], said["date"], said["more"])

    async def _ask(self, request: bytes, seconds: float) -> Json:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-s", "-m", "agentic_web_search.extraction", str(seconds), str(self._memory_mb)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
        )
        try:
            answer, _ = await process.communicate(request)
        finally:
            # Its time is up, or its caller has gone.
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        try:
            said: Json = json.loads(answer)
        except ValueError:
            logger.warning("[ReadPage] Extraction: ended with code %s", process.returncode)
            raise ToolError("The page cannot be taken apart: it needs too much memory or time.") from None
        return said


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONIOENCODING": "utf-8"}
