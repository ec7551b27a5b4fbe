"""The HTTP server's end: a signal ends the server alone, so that what still runs can be stored behind it."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

import uvicorn

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The last is sent where the terminal is closed; with ``nohup`` it is ignored, and stays so."""


PATIENCE_S = 8.0
"""Seconds that answers on their way are given to finish; then they are ended, each with its proper last words."""


class PatientServer(uvicorn.Server):
    """Ends at SIGINT, SIGTERM or SIGHUP, at a second SIGINT without waiting for answers on their way.

    uvicorn's own raises the signal again once it has ended, which would end the process before the kernel has stored
    partial answers and ended its child processes.
    """

    def __init__(self, config: uvicorn.Config, end_runs: Callable[[], None]) -> None:
        super().__init__(config)
        self._end_runs = end_runs

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for what is under way, and end it in time for its clients to be told."""
        ending = asyncio.get_running_loop().call_later(PATIENCE_S, self._end_runs)
        try:
            await super().shutdown(sockets)
        finally:
            ending.cancel()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take the signals for as long as the server runs."""
        loop = asyncio.get_running_loop()
        taken = [one for one in ENDING if signal.getsignal(one) != signal.SIG_IGN]
        for one in taken:
            loop.add_signal_handler(one, self.handle_exit, one, None)
        try:
            yield
        finally:
            for one in taken:
                loop.remove_signal_handler(one)
