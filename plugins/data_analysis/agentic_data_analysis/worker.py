"""The process that analyses: ``python -m agentic_data_analysis.worker SECONDS MEGABYTES``.

It reads a JSON line with the request and ``bytes``, then as many bytes of data, and answers with one of ``answer``,
``retry`` and ``error``; with ``last`` set it ends after that answer. Its standard input is its lifeline: when that
closes, the process ends, in mid-analysis too. It keeps nothing of what it read.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from typing import IO

from agentic import Json, ToolError, ToolRetry
from agentic_data_analysis import lifeline
from agentic_data_analysis.analysis import analyse


def main() -> None:
    """Serve until standard input closes."""
    seconds, megabytes = float(sys.argv[1]), int(sys.argv[2])
    answers = _private_output()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # numpy warns of constant columns and overflows, which the answer tells in its own words.
    warnings.simplefilter("ignore")
    lifeline.limit_memory(megabytes)
    _say(answers, {"ready": True})
    source = sys.stdin.buffer
    for line in source:
        request = json.loads(line)
        data = source.read(request["bytes"])
        if len(data) < request["bytes"]:
            return
        with lifeline.guarded(seconds + 1):
            said = answer(request, data.decode())
        _say(answers, said)
        if said.get("last"):
            return


def answer(request: Json, data: str) -> Json:
    """What the data comes to, or why it comes to nothing."""
    try:
        return {"answer": analyse(request, data)}
    except ToolRetry as error:
        return {"retry": error.message}
    except ToolError as error:
        return {"error": error.message}
    except MemoryError:
        return {"error": "This needs more memory than an analysis may use. Give fewer rows or columns.", "last": True}
    except RecursionError:
        return {"error": "The data is nested too deeply to be analysed.", "last": True}


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


if __name__ == "__main__":
    main()
