"""The HTTP server's end: a signal ends the server alone, so that what still runs can be stored behind it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Generator
from contextlib import contextmanager

import uvicorn

ENDING = (signal.SIGINT, signal.SIGTERM)


class PatientServer(uvicorn.Server):
    """Ends at SIGINT or SIGTERM, at a second SIGINT without waiting for answers on their way.

    uvicorn's own raises the signal again once it has ended, which would end the process before the kernel has stored
    partial answers and ended its child processes.
    """

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take the signals for as long as the server runs."""
        loop = asyncio.get_running_loop()
        for one in ENDING:
            loop.add_signal_handler(one, self.handle_exit, one, None)
        try:
            yield
        finally:
            for one in ENDING:
                loop.remove_signal_handler(one)
