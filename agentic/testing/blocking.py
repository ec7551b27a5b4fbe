"""Calls that would stop a server for all of its users: those that wait in the event loop's own thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def blocking_calls() -> Iterator[list[str]]:
    """The calls that wait in this thread meanwhile, by name, as they come; other threads may wait."""
    found: list[str] = []
    here = threading.get_ident()
    sleep, connect = time.sleep, socket.socket.connect

    def slept(seconds: float) -> None:
        if threading.get_ident() == here:
            found.append("time.sleep")
        sleep(seconds)

    def connected(self: socket.socket, address: Any) -> None:
        # Those of an event loop have no timeout to wait for.
        if threading.get_ident() == here and self.gettimeout() != 0:
            found.append("socket.connect")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "sleep", slept)
        patch.setattr(socket.socket, "connect", connected)
        yield found
