"""A child process of the tests: llama.cpp's own HTTP server, for whoever runs this as a script.

Reads one JSON line from stdin, ``{"model", "key", "embeds"}``, writes its address to stdout, and ends with its stdin.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def serve(order: dict[str, Any]) -> Any:
    import xllamacpp  # type: ignore[import-untyped]  # it ships no types

    params = xllamacpp.CommonParams()
    params.model.path = order["model"]
    params.model_alias = {"HuggingFaceTB/SmolLM2-135M-Instruct"}
    params.n_ctx = 2048
    # Of texts embedded side by side by a model made for chat, some are given other vectors than alone.
    params.n_parallel = 1 if order["embeds"] else 2
    params.n_batch = params.n_ubatch = 256
    # Threads of the engine spin while they wait for each other, which stalls them on a busy machine.
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_ram_mib = 0
    params.embedding = order["embeds"]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order["key"]]
    params.ui = False
    params.offline = True
    params.verbosity = -1
    if order["embeds"]:
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    return xllamacpp.Server(params)


def main() -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    server = serve(json.loads(sys.stdin.readline()))
    print(server.listening_address, file=answers, flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
