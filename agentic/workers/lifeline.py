"""How a worker is bounded from within, by means that hold even while C code keeps the interpreter busy."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
from collections.abc import Iterator

_INPUT = 0


def limit_memory(megabytes: int) -> None:
    """Bound the address space, and leave no core files. Does nothing where the system has no such limits."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = megabytes * 1024 * 1024
    # macOS refuses a limit below what is mapped already, which is far more than is used.
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))


@contextlib.contextmanager
def guarded(seconds: float) -> Iterator[None]:
    """While this lasts, the system ends the process after ``seconds``, or when standard input is closed.

    Both come as signals with their default action, so no Python code has to run for them.
    """
    if sys.platform == "win32":
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    _watch_input(True)
    try:
        yield
    finally:
        _watch_input(False)
        signal.setitimer(signal.ITIMER_REAL, 0)


def _watch_input(on: bool) -> None:
    """Have SIGIO sent when the other end of standard input goes away; nobody writes to it while the other works."""
    if not sys.platform.startswith("linux"):
        return
    import fcntl

    fcntl.fcntl(_INPUT, fcntl.F_SETOWN, os.getpid())
    flags = fcntl.fcntl(_INPUT, fcntl.F_GETFL)
    fcntl.fcntl(_INPUT, fcntl.F_SETFL, flags | os.O_ASYNC if on else flags & ~os.O_ASYNC)
    if on and _is_closed():
        os._exit(1)


def _is_closed() -> bool:
    """Whether the other end went away before it was watched."""
    poll = select.poll()
    poll.register(_INPUT, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))
