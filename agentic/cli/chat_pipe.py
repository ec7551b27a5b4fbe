"""The lines of ``agentic chat`` without a terminal: one question a line of standard input."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from typing import Any, TextIO


class Pipe:
    """Gives the lines of ``source`` one after another, read by a thread that nobody waits for.

    Ctrl-C ends it: what a program has sent is not stopped answer by answer.
    """

    def __init__(self, source: TextIO) -> None:
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[str | None] = asyncio.Queue(1)
        self._ended: asyncio.Future[None] = self._loop.create_future()
        threading.Thread(target=self._read, args=(source,), name="chat-lines", daemon=True).start()

    async def next(self) -> str | None:
        """The next line without its end; None after the last one."""
        waiting = asyncio.ensure_future(self._lines.get())
        either: set[asyncio.Future[Any]] = {waiting, self._ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done() and not self._ended.done():
            return waiting.result()
        waiting.cancel()
        return None

    def interrupt(self) -> None:
        """See :meth:`end`."""
        self.end()

    def end(self) -> None:
        """Give no more lines."""
        if not self._ended.done():
            self._ended.set_result(None)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """While an answer is written; there is nothing to keep apart from it."""
        yield

    def _read(self, source: TextIO) -> None:
        for line in source:
            if not self._hand_over(line.rstrip("\r\n")):
                return
        self._hand_over(None)

    def _hand_over(self, line: str | None) -> bool:
        """Wait until there is room for a line; False if nobody is there any more to take it."""
        handing = self._lines.put(line)
        try:
            asyncio.run_coroutine_threadsafe(handing, self._loop).result()
        except (RuntimeError, CancelledError):
            # The loop is closed, or closing.
            handing.close()
            return False
        return True
