"""A server that speaks S3's protocol, for tests: moto's, in a process of its own::

    with running_s3() as server:
        store = S3Blobs(...)        # server.endpoint, and a bucket from server.make_bucket()

It keeps everything in memory. Needs ``moto[server]``.
"""

from __future__ import annotations

import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ACCESS_KEY = "AKIATESTSTESTSTESTST"
SECRET_KEY = "a secret for tests"
# Without this each answer waits 40 ms for the acknowledgement of its own first half.
_PROGRAM = """
import sys
from werkzeug.serving import WSGIRequestHandler
WSGIRequestHandler.disable_nagle_algorithm = True
from moto.server import main
main(sys.argv[1:])
"""
_START_S = 60.0
_STOP_S = 30.0


@dataclass(slots=True)
class S3Server:
    """A server at ``endpoint``, which takes :data:`ACCESS_KEY` and :data:`SECRET_KEY`, and any others."""

    endpoint: str
    process: subprocess.Popen[bytes]

    def make_bucket(self) -> str:
        """A new bucket; its name."""
        name = f"tests-{secrets.token_hex(6)}"
        request = urllib.request.Request(f"{self.endpoint}/{name}", method="PUT", headers={"Content-Length": "0"})
        with urllib.request.urlopen(request, timeout=30):
            return name

    def stop(self) -> None:
        """End it; what it kept is gone."""
        self.process.terminate()
        self.process.wait(_STOP_S)


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """A server that runs. Raises RuntimeError with what it wrote if it does not start."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="agentic-s3-") as folder:
        log = Path(folder) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, "-H", "127.0.0.1", "-p", str(port)],
                stdout=output,
                stderr=output,
            )
        server = S3Server(f"http://127.0.0.1:{port}", process)
        try:
            _await(server, log)
            yield server
        finally:
            if process.poll() is None:
                server.stop()


def _await(server: S3Server, log: Path) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if server.process.poll() is not None:
            raise RuntimeError(f"the S3 server ended at once:\n{log.read_text('utf-8', 'replace')}")
        try:
            with urllib.request.urlopen(f"{server.endpoint}/moto-api/", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the S3 server did not answer:\n{log.read_text('utf-8', 'replace')}")
