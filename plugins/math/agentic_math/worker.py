"""The process that computes: ``python -m agentic_math.worker SECONDS MEGABYTES``.

It reads one JSON line ``{"expression": …}`` after the other and answers each with one of ``answer``, ``retry`` and
``error``; with ``last`` set it ends after that answer. Its standard input is its lifeline: when that closes, the
process ends, in mid-computation too. It keeps nothing of what it computed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import IO

from sympy.core.cache import clear_cache

from agentic import Json, ToolError, ToolRetry
from agentic_math import lifeline
from agentic_math.answer import render, wants_decimals
from agentic_math.evaluate import evaluate, functions
from agentic_math.grammar import parse

_RECURSION = 20_000


def main() -> None:
    """Serve until standard input closes."""
    seconds, megabytes = float(sys.argv[1]), int(sys.argv[2])
    answers = _private_output()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.setrecursionlimit(_RECURSION)
    sys.set_int_max_str_digits(0)
    functions()
    lifeline.limit_memory(megabytes)
    _say(answers, {"ready": True})
    for line in sys.stdin.buffer:
        with lifeline.guarded(seconds + 1):
            said = compute(json.loads(line)["expression"])
        _say(answers, said)
        if said.get("last"):
            return
        clear_cache()


def compute(expression: str) -> Json:
    """What the expression comes to, or why it comes to nothing."""
    try:
        tree = parse(expression)
        return {"answer": render(evaluate(tree), wants_decimals(tree))}
    except ToolRetry as error:
        return {"retry": error.message}
    except ToolError as error:
        return {"error": error.message}
    except MemoryError:
        return {"error": "This needs more memory than a computation may use. Try a smaller problem.", "last": True}
    except RecursionError:
        return {"error": "This is nested too deeply to be computed. Split it up.", "last": True}
    except ZeroDivisionError:
        return {"error": "Division by zero is undefined."}
    except Exception as error:  # noqa: BLE001 - SymPy raises every kind for what it cannot do; the caller reads why
        return {"error": f"SymPy cannot compute this ({type(error).__name__}). Write it in another way."}


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
