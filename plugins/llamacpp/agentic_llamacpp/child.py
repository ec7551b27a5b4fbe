"""The child process: llama.cpp's HTTP server on a random loopback port, for the parent alone.

Run as a script, not as a module of the package, so that the child imports the engine and nothing else.

The parent writes one JSON line to stdin, ``{"model", "api_key", "context", "threads", "prompt_threads"}``, and reads
one from stdout: ``{"address": "http://127.0.0.1:port"}`` or ``{"error": "why"}``. From then on stdin is the lifeline:
the child ends when it closes. A process forked by the parent may hold the pipe open, so the child watches its parent's
id too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import Any

PARENT_CHECK_S = 1.0
PROMPT_BATCH = 64
"""Tokens read between two looks at whether the client is still there: under a second's work on a slow core, and no
slower than large batches on a processor."""


def _serve(order: dict[str, Any]) -> Any:
    """Load the model and start the server; it runs in threads of its own as long as the returned object lives."""
    import xllamacpp  # type: ignore[import-untyped]  # it ships no types

    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.n_ctx = order["context"]
    params.n_parallel = 1
    params.cpuparams.n_threads = order["threads"]
    params.cpuparams_batch.n_threads = order["prompt_threads"]
    params.n_batch = params.n_ubatch = PROMPT_BATCH
    params.cache_ram_mib = 0
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order["api_key"]]
    params.cors_origins = ""
    params.ui = False
    params.endpoint_slots = False
    params.sse_ping_interval = -1
    params.offline = True
    params.verbosity = -1
    return xllamacpp.Server(params)


def _end_with_stdin() -> None:
    while os.read(0, 4096):
        pass
    os._exit(0)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_S)
    os._exit(0)


def main() -> None:
    """Obey the order on stdin, tell the address on stdout, and stay until the parent goes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the parent decides when to end
    parent = os.getppid()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever the engine prints must not look like an answer
    with os.fdopen(os.dup(0), "rb", buffering=0) as orders:
        order = json.loads(orders.readline())
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    try:
        server = _serve(order)
    except (ImportError, OSError, RuntimeError, ValueError, AttributeError) as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=answers, flush=True)
        sys.exit(1)
    print(json.dumps({"address": server.listening_address}), file=answers, flush=True)
    _end_with(parent)


if __name__ == "__main__":
    main()
