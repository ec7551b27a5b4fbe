"""The command ``agentic``, apart from the package: so ctrl-C ends it without a trace also while that is imported."""

import os
import signal
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command that was typed."""
    # Whoever started it may have it ignore the signal, as shells do with what they run in the background.
    is_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_default:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from agentic.cli.main import main as run

    try:
        if is_default:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
