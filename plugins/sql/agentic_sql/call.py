"""One call of a database in a thread, which another thread can stop."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentic_sql.system import System

logger = logging.getLogger(__name__)

_AGAIN_S = 0.5
_TRIES = 20


class Stopped(Exception):
    """The call was stopped before it reached the database."""


class Call:
    """Knows the connection that a call works on while it works, so that only its own statement is ever stopped."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._held: tuple[System, Any] | None = None
        self._stopped = False

    def hold(self, system: System, raw: Any) -> None:
        """From now on the call works on ``raw``. Raises Stopped if nobody waits for it any more."""
        with self._lock:
            if self._stopped:
                raise Stopped
            self._held = system, raw

    def release(self) -> bool:
        """The call works on no connection any more; whether it was stopped, so that the connection is spoiled."""
        with self._lock:
            self._held = None
            self._done.set()
            return self._stopped

    def stop(self) -> None:
        """Stop what runs. Blocks until it has ended, for 10 s at most.

        The database is told again while it goes on: the first word may come just before the statement does.
        """
        with self._lock:
            self._stopped = True
        for _ in range(_TRIES):
            if not self._interrupted() or self._done.wait(_AGAIN_S):
                return
        logger.warning("[SQL] %s: a query that was stopped still runs", self._name)

    def _interrupted(self) -> bool:
        with self._lock:
            if self._held is None:
                return False
            system, raw = self._held
            known: tuple[type[Exception], ...] = (*system.errors, OSError)
            try:
                system.interrupt(raw)
            except known as error:
                logger.warning("[SQL] %s: a query could not be stopped: %s", self._name, type(error).__name__)
            return True
