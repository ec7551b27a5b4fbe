"""A real server in a process of its own, for tests over HTTP::

    ollama = ScriptedOllama()
    with ollama.running() as address, running_server({"OLLAMA_HOST": address}) as server:
        key = server.add_user("ann", role="admin")
        client = openai.OpenAI(base_url=f"{server.url}/v1", api_key=key)

Nothing of it touches the machine's own data or settings: it has a DATA_DIR and a working folder of its own, and of the
environment only what a process needs to start.
"""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PASSWORD = "a password for tests"
"""The password of every user that :func:`add_user` makes."""

_START_S = 60.0
_STOP_S = 30.0
_COMMAND_S = 60.0
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "SYSTEMROOT", "PYTHONPATH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs, or ran. ``environment`` is all that it was started with; ``log_file`` holds its stderr."""

    url: str
    data_dir: Path
    process: subprocess.Popen[bytes]
    environment: Mapping[str, str]
    log_file: Path

    @property
    def stderr(self) -> str:
        """What it has written to its standard error so far."""
        return self.log_file.read_text(errors="replace")

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run ``agentic`` with these arguments over the server's data and settings, and wait for its end."""
        return run_agentic(*arguments, env=self.environment, folder=self.data_dir.parent, stdin=stdin)

    def add_user(self, name: str, *, role: Literal["admin", "user"] = "user") -> str:
        """See :func:`add_user`."""
        return add_user(name, role=role, env=self.environment, folder=self.data_dir.parent)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Send the signal, wait for the end, and return the exit code. SIGKILL leaves it no time for anything."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(_STOP_S)


def run_agentic(
    *arguments: str, env: Mapping[str, str], folder: Path, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run ``agentic`` with these arguments in ``folder``, with ``env`` as its whole environment."""
    return subprocess.run(
        _command(*arguments),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        env=dict(env),
        cwd=folder,
        timeout=_COMMAND_S,
    )


def add_user(name: str, *, role: Literal["admin", "user"] = "user", env: Mapping[str, str], folder: Path) -> str:
    """Make a user with an API key through the command line; returns the key. Raises RuntimeError if that fails."""
    said = ""
    steps = (("users", "add", name, "--role", role), ("keys", "create", name, "--name", "tests"))
    for step in steps:
        done = run_agentic(*step, env=env, folder=folder, stdin=f"{PASSWORD}\n")
        if done.returncode:
            raise RuntimeError(f"agentic {' '.join(step)}: exit code {done.returncode}: {done.stderr}")
        said = done.stdout.strip()
    return said


def own_environment(env: Mapping[str, str], *, data_dir: Path, path: Sequence[Path] = ()) -> dict[str, str]:
    """An environment with these settings, and of the machine's own only what a process needs to start.

    ``path``: folders from which plugins are found besides the installed ones.
    """
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    found = [*map(str, path), *filter(None, [kept.get("PYTHONPATH")])]
    return {**kept, "PYTHONPATH": os.pathsep.join(found), "DATA_DIR": str(data_dir), **env}


@contextmanager
def running_server(
    env: Mapping[str, str] | None = None,
    *,
    path: Sequence[Path] = (),
    data_dir: Path | None = None,
    arguments: Sequence[str] = (),
) -> Iterator[Server]:
    """``agentic serve`` on a free port, ready to be asked, and ended at the end.

    ``env`` are settings by their environment names; ``path`` folders from which plugins are found besides the installed
    ones; ``data_dir`` a folder to keep data in, so that a second server can go on with it; ``arguments`` go to
    ``agentic serve``. Raises RuntimeError, with what the server wrote, if it ends instead of starting.
    """
    with tempfile.TemporaryDirectory(prefix="agentic-", ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) if data_dir is None else data_dir.parent
        kept = data_dir or folder / "data"
        port = free_port()
        whole = own_environment({"SERVER_PORT": str(port), **(env or {})}, data_dir=kept, path=path)
        server = _start(whole, kept, Path(temporary) / "stderr.log", arguments)
        try:
            _await_health(server)
            yield server
        finally:
            if server.process.poll() is None:
                server.process.kill()
            server.process.wait(_STOP_S)


def _start(environment: Mapping[str, str], data_dir: Path, log_file: Path, arguments: Sequence[str]) -> Server:
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            _command("serve", *arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=dict(environment),
            cwd=data_dir.parent,
        )
    url = f"http://127.0.0.1:{environment['SERVER_PORT']}"
    return Server(url=url, data_dir=data_dir, process=process, environment=environment, log_file=log_file)


def _await_health(server: Server) -> None:
    host = server.url.removeprefix("http://")
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended with exit code {server.process.returncode}:\n{server.stderr}")
        connection = http.client.HTTPConnection(host, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise RuntimeError(f"the server did not answer within {_START_S:g} s:\n{server.stderr}")


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "agentic", *arguments]


def free_port() -> int:
    """A port of this machine at which nothing listens just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
