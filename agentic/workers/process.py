"""One worker process, as the server holds it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping

from agentic.messages import Json

_PASSED_ON = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""All that a worker is given of the environment: what finding the libraries may need, and no secret."""


class WorkerDied(Exception):
    """The process ended instead of answering; ``code`` is its exit code, negative for a signal."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the worker ended with code {code}")
        self.code = code


class Process:
    """A worker process. Its methods block: call them in a thread; only ``kill`` may be called from anywhere."""

    def __init__(self, module: str, seconds: float, memory_mb: int, variables: Mapping[str, str]) -> None:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
        # Answers shall come in the same order every time.
        environment.update({"PYTHONHASHSEED": "0", **variables})
        self._popen = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", module, str(seconds), str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.pid = self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._popen.poll() is None

    def ask(self, request: Json, payload: bytes) -> Json:
        """Send a request with its payload and wait for the answer. Raises WorkerDied."""
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(json.dumps({"request": request, "bytes": len(payload)}).encode() + b"\n")
            self._popen.stdin.write(payload)
            self._popen.stdin.flush()
        except OSError as error:
            raise WorkerDied(self.end()) from error
        return self.read()

    def read(self) -> Json:
        """Wait for the next line of the worker. Raises WorkerDied."""
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line.endswith(b"\n"):
            raise WorkerDied(self.end())
        said: Json = json.loads(line)
        return said

    def kill(self) -> None:
        """End the process at once; a thread that waits for its answer gets WorkerDied."""
        self._popen.kill()

    def end(self) -> int:
        """Kill the process if it still runs, let go of its pipes, and give its exit code."""
        self._popen.kill()
        code = self._popen.wait()
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    # What was not yet written to a dead process has nowhere to go.
                    continue
        return code
