"""What the tests of Chroma share: a real server, started from the package itself."""

from __future__ import annotations

import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from blockbuster import blockbuster_ctx

from agentic.testing.server import free_port

COMMAND = Path(sys.executable).with_name("chroma")


@pytest.fixture(autouse=True)
def unblocked_loop() -> Iterator[None]:
    """Fails a test in which the plugin blocks the event loop."""
    with blockbuster_ctx("agentic_vectors_chroma"):
        yield


@dataclass
class Server:
    """A running ``chroma run``."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [COMMAND, "run", "--path", self.folder, "--host", "127.0.0.1", "--port", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v2/heartbeat", timeout=5).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text("utf-8", "replace")
                time.sleep(0.1)
        raise AssertionError("chroma run did not come up")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("chroma-server"), free_port())
    made.start()
    yield made
    made.stop()
