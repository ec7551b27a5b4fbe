"""A live test of a back end before it is used: what must work in it works, and what must not does not."""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from pathlib import Path
from typing import Any

from agentic import ToolError
from agentic_python_exec.backends import Backend, start_of
from agentic_python_exec.limits import Limits
from agentic_python_exec.outcome import Outcome, Request
from agentic_python_exec.processes import allowed
from agentic_python_exec.runtime import Runtime
from agentic_python_exec.sandbox import Sandbox, Spawner

_LIMITS = Limits(wall=15, cpu=10)
_FEW, _MANY = 4, 200
_PROGRAM = """
import json, os, socket, threading, time

def works(act):
    try:
        act()
    except Exception:
        return False
    return True

def threads():
    started = 0
    for _ in range({many}):
        if not works(threading.Thread(target=time.sleep, args=(0.2,), daemon=True).start):
            break
        started += 1
    return started

with open("made.txt", "w") as file:
    file.write({nonce!r})
print(json.dumps({{
    "sum": sum(range(10)),
    "given": open("given.txt").read(),
    "reads a file of the host": works(lambda: open({secret!r}).read()),
    "reads /etc/passwd": works(lambda: open("/etc/passwd").read()),
    "writes outside of its folder": works(lambda: open({outside!r}, "w").close()),
    "reaches a server on this machine": works(lambda: socket.create_connection(("127.0.0.1", {port}), 1)),
    "starts another process": works(lambda: os.fork() or os._exit(0)),
    "signals another process": works(lambda: os.kill(os.getppid(), 0)),
    "threads": threads(),
}}))
"""


def check(backend: Backend, runtime: Runtime, spawner: Spawner, parent: Path) -> None:
    """Run the test. Blocks for a moment; raises ToolError that says what went wrong.

    ``parent`` is where sandboxes have their folders. An unsafe back end is only held to work.
    """
    nonce = secrets.token_hex(16)
    secret, outside = parent / f"canary-{nonce}", parent / f"canary-{nonce}-written"
    secret.write_text("a secret of the host", "utf-8")
    secret.chmod(0o644)
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            code = _PROGRAM.format(
                nonce=nonce, secret=str(secret), outside=str(outside), port=server.getsockname()[1], many=_MANY
            )
            outcome = _run(backend, runtime, spawner, parent, Request(code, [("given.txt", nonce.encode())]))
            reached = _was_reached(server)
        found = _found(outcome, nonce)
        if backend.kind != "unsafe":
            _judge(found, reached or outside.exists())
    finally:
        secret.unlink(missing_ok=True)
        outside.unlink(missing_ok=True)


def _run(backend: Backend, runtime: Runtime, spawner: Spawner, parent: Path, request: Request) -> Outcome:
    sandbox = Sandbox(spawner, start_of(backend, runtime, _LIMITS, parent, ()), _LIMITS)
    try:
        sandbox.wait_until_ready()
        return sandbox.run(request, allowed(backend, _LIMITS.processes))
    finally:
        sandbox.end()


def _found(outcome: Outcome, nonce: str) -> dict[str, Any]:
    """What the program found. Raises ToolError unless it ran as any harmless program must."""
    found: Any = None
    if outcome.reason == "done" and ("made.txt", nonce.encode()) in outcome.changed:
        with contextlib.suppress(ValueError):
            found = json.loads(outcome.output)
    if not isinstance(found, dict) or found.pop("sum", None) != 45 or found.pop("given", None) != nonce:
        words = (outcome.errors.strip().splitlines() or ["it said nothing"])[-1]
        raise ToolError(f"a harmless program does not run in it ({outcome.reason}: {words[:200]})")
    return found


def _judge(found: dict[str, Any], seen: bool) -> None:
    threads = found.pop("threads", None)
    held = [what for what, could in found.items() if could is not False]
    if seen:
        held.append("leaves traces outside")
    if held:
        raise ToolError(f"it does not confine: a program in it {', '.join(held)}")
    if not isinstance(threads, int) or not _FEW <= threads < _MANY:
        raise ToolError(f"it does not limit processes as it must: a program in it started {threads} threads")


def _was_reached(server: socket.socket) -> bool:
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True
