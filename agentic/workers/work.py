"""What runs in a worker process: requests come in, answers go out, and nothing is kept in between.

Standard input is the lifeline: when it closes, the process ends, in the middle of its work too. A request is a JSON
line ``{"request": …, "bytes": n}`` and n bytes of payload; an answer is a JSON line with one of ``answer``, ``retry``
and ``error``; with ``last`` the process ends after it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from typing import IO

from agentic.errors import ToolError, ToolRetry
from agentic.messages import Json
from agentic.workers import lifeline

Work = Callable[[Json, bytes], str]


def serve(work: Work, *, too_big: str, too_deep: str) -> None:
    """Do ``work`` for every request until standard input closes: ``python -m MODULE SECONDS MEGABYTES``.

    ToolError and ToolRetry are told to whoever asked. After a MemoryError or a RecursionError they are told ``too_big``
    or ``too_deep``, and the process ends. All limits are set here, so import what is needed before.
    """
    seconds, megabytes = float(sys.argv[1]), int(sys.argv[2])
    answers = _private_output()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    lifeline.limit_memory(megabytes)
    _say(answers, {"ready": True})
    source = sys.stdin.buffer
    for line in source:
        asked = json.loads(line)
        payload = source.read(asked["bytes"])
        if len(payload) < asked["bytes"]:
            return
        # The server ends what takes too long; this holds where the server itself is gone.
        with lifeline.guarded(seconds + 1):
            said = _done(work, asked["request"], payload, too_big, too_deep)
        _say(answers, said)
        if said.get("last"):
            return


def _done(work: Work, request: Json, payload: bytes, too_big: str, too_deep: str) -> Json:
    try:
        return {"answer": work(request, payload)}
    except ToolRetry as error:
        return {"retry": error.message}
    except ToolError as error:
        return {"error": error.message}
    except MemoryError:
        return {"error": too_big, "last": True}
    except RecursionError:
        return {"error": too_deep, "last": True}


def _private_output() -> IO[bytes]:
    """Standard output for answers alone: whatever a library prints goes nowhere."""
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    return answers


def _say(answers: IO[bytes], said: Json) -> None:
    answers.write(json.dumps(said).encode() + b"\n")
    answers.flush()
