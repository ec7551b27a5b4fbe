"""A real PostgreSQL server for tests, from the programs of this machine::

    with running_postgres() as server:
        storage = MyStorage(server.url)
        server.restart()

It has a folder, a port and a password of its own, and is gone with all its data at the end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentic.testing.server import free_port

PASSWORD = "s3cret-pa55word"
_START_S = 60.0
_STOP_S = 30.0


@dataclass(slots=True)
class Postgres:
    """A PostgreSQL server that can be stopped and started. ``url`` is that of its owner, who may do everything."""

    programs: Path
    folder: Path
    port: int
    flush: bool = False
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """``postgresql://owner:…@127.0.0.1:port/postgres``."""
        return f"postgresql://owner:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    @property
    def data(self) -> Path:
        """The folder in which it keeps everything."""
        return self.folder / "data"

    @property
    def running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._process is not None

    def start(self) -> None:
        """Start it, and return when it takes connections. Raises RuntimeError with its log if it does not."""
        options = [
            "-c",
            "listen_addresses=127.0.0.1",
            "-c",
            f"fsync={'on' if self.flush else 'off'}",
            "-c",
            "max_connections=200",
        ]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.data, "-p", str(self.port), "-k", self.folder, *options],
                **_as_nobody(self.folder, log),
            )
        until = time.monotonic() + _START_S
        ready = [str(self.programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", "owner"]
        while subprocess.run(ready, check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL did not start:\n{self._log.read_text('utf-8', 'replace')}")
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: SIGINT cuts connections off and ends in order, SIGKILL does not."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_STOP_S)
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop and start it."""
        self.stop(how)
        self.start()

    @property
    def _log(self) -> Path:
        return self.folder / "postgres.log"


def postgres_programs() -> Path | None:
    """The folder of ``initdb`` and ``postgres``; None where PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [Path(shutil.which("initdb") or "")]
    return found[-1].parent if found[-1].name == "initdb" else None


@contextmanager
def running_postgres(place: Path | None = None, *, flush: bool = False) -> Iterator[Postgres]:
    """A server that runs, its folder in ``place``. ``flush``: it has what it commits on the disk, as it should at work.

    Raises RuntimeError where PostgreSQL is not installed.
    """
    programs = postgres_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL is not installed. Run: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="agentic-postgres-", dir=place))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "nobody", "nogroup")
            if place is not None:
                place.chmod(0o711)
        password = folder / "password"
        password.write_text(PASSWORD, "utf-8")
        password.chmod(0o644)
        server = Postgres(programs, folder, free_port(), flush)
        making = [
            str(programs / "initdb"),
            "-D",
            str(server.data),
            "-U",
            "owner",
            "-A",
            "scram-sha-256",
            "-N",
            "-E",
            "UTF8",
        ]
        with (folder / "initdb.log").open("wb") as log:
            subprocess.run([*making, f"--pwfile={password}"], check=True, **_as_nobody(folder, log))
        server.start()
        try:
            yield server
        finally:
            # At once: what an end in order would write is thrown away.
            server.stop(signal.SIGQUIT)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as_nobody(folder: Path, log: Any) -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    common = {"cwd": folder, "stdout": log, "stderr": subprocess.STDOUT}
    return {"user": "nobody", "group": "nogroup", "extra_groups": [], **common} if os.geteuid() == 0 else common
