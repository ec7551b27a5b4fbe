"""What ``agentic`` on the command line starts: it waits for the imports in peace, and ends them cleanly.

It lies beside ``agentic``, since within it its first line would run after most of what it waits for.
"""

import os
import signal
from types import FrameType

_INTERRUPTED = 130
"""The exit code of a program that ctrl-C has ended, as shells tell it."""


def main() -> None:
    """Run the command line. Ctrl-C before a command has begun ends the process at once, and without a trace."""
    is_heard = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_heard:
        signal.signal(signal.SIGINT, _leave)
    from agentic.cli.main import app

    if is_heard:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    app(prog_name="agentic")


def _leave(_number: int, _frame: FrameType | None) -> None:
    # An exception would be lost where an import swallows those of what it tries.
    os._exit(_INTERRUPTED)
