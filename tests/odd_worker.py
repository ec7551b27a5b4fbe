"""A worker that does as it is told, well or ill."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from agentic import ToolError, ToolRetry
from agentic.workers import serve


def work(request: Any, payload: bytes) -> str:
    """Do what the request names."""
    match request["do"]:
        case "measure":
            return str(len(payload))
        case "print":
            print("noise")
            return "quiet"
        case "sleep":
            time.sleep(60)
        case "nap":
            time.sleep(0.7)
        case "spin":
            while True:
                pass
        case "die":
            os._exit(3)
        case "retry":
            raise ToolRetry("once more, better")
        case "refuse":
            raise ToolError("not like this")
        case "memory":
            raise MemoryError
        case "environment":
            return " ".join(os.environ)
        case "pid":
            return str(os.getpid())
    return "done"


if __name__ == "__main__":
    if sys.argv[3:]:
        raise SystemExit("a worker is given seconds and megabytes, and nothing else")
    time.sleep(float(os.environ.get("START_S", "0")))
    serve(work, too_big="too big", too_deep="too deep")
