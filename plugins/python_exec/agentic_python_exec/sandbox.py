"""One sandbox, as the server holds it: started, given one program, and ended with all that is in it."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from agentic import Json, ToolError
from agentic_python_exec import folders
from agentic_python_exec.backends import Start
from agentic_python_exec.inside.frames import BadFrame, read_frame, write_frame
from agentic_python_exec.limits import Limits
from agentic_python_exec.outcome import Outcome, Request, read_outcome

_SAID = 4000


class SandboxFailed(ToolError):
    """The sandbox itself, not the program in it, did not do its work."""


class SandboxEnded(SandboxFailed):
    """It ended in the midst: somebody, or the kernel for want of memory, killed it."""


class Spawner:
    """The one thread that starts sandboxes. They end when it does, since the kernel counts a thread as their parent."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="python-exec-spawner")

    def start(self, start: Start) -> subprocess.Popen[bytes]:
        """Start the process; blocks. Raises OSError."""
        return self._thread.submit(self._popen, start).result()

    def close(self) -> None:
        """End the thread, and so whatever it has started and is still there."""
        self._thread.shutdown(wait=False)

    def _popen(self, start: Start) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            start.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=start.environment,
            cwd="/",
            start_new_session=True,
        )


class Sandbox:
    """A keeper process and its program. The methods block: call them in a thread; only ``kill`` may be called anywhere.

    A sandbox serves one request. ``end`` must be called in every case.
    """

    def __init__(self, spawner: Spawner, start: Start, limits: Limits) -> None:
        self._limits = limits
        self._folder: Path | None = start.folder
        self._places = _places(start.plan)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = spawner.start(start)
            self.pid = self._process.pid
            # One that has ended already is not to be told anything, and has last words of its own.
            with contextlib.suppress(BrokenPipeError):
                write_frame(self._pipe("stdin"), start.plan)
        except BaseException as error:
            self.end()
            if isinstance(error, OSError):
                raise SandboxFailed(f"it could not be started ({error.strerror})") from error
            raise

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def wait_until_ready(self) -> int:
        """Wait for it to get ready; the version of Landlock that holds it. Raises SandboxFailed with its last words."""
        header, _ = self._read(0, 0)
        version = header.get("landlock")
        if header.get("ready") is not True or type(version) is not int:
            raise SandboxFailed("it did not get ready")
        return version

    def run(self, request: Request, processes: int) -> Outcome:
        """Run one program and wait for its end. Raises SandboxFailed; ``kill`` from elsewhere brings that about."""
        try:
            write_frame(self._pipe("stdin"), {"code": request.code, "processes": processes}, request.files)
        except OSError as error:
            raise SandboxEnded("it was gone before the program began") from error
        header, files = self._read(self._limits.out_files, self._limits.out_bytes)
        try:
            outcome = read_outcome(header, files)
        except BadFrame as error:
            raise SandboxFailed(f"its answer cannot be read: {error}") from error
        return replace(outcome, output=self._told(outcome.output), errors=self._told(outcome.errors))

    def kill(self) -> None:
        """End everything in it at once, without waiting."""
        process = self._process
        if process is not None and process.poll() is None:
            # Without namespaces the program is in the keeper's process group; with them it ends with the keeper.
            # Root without CAP_KILL may not do this to another user; then the keeper's closed line does it.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    def end(self) -> None:
        """End it, and remove what it leaves. May be called again."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            _close(process.stdin)
            process.wait()
            _close(process.stdout)
            _close(process.stderr)
        folder, self._folder = self._folder, None
        if folder is not None:
            folders.remove(folder)

    def _read(self, max_files: int, max_bytes: int) -> tuple[dict[str, Any], list[tuple[str, bytes]]]:
        try:
            frame = read_frame(self._pipe("stdout"), max_files=max_files, max_bytes=max_bytes)
        except (BadFrame, OSError, ValueError) as error:
            raise SandboxFailed(f"its answer cannot be read: {error}") from error
        if frame is None:
            raise SandboxEnded(f"it ended: {self._last_words() or 'it said nothing'}")
        return frame

    def _told(self, text: str) -> str:
        """A text without the places of this machine."""
        for place, name in self._places:
            text = text.replace(place, name)
        return text

    def _last_words(self) -> str:
        """The last line that it wrote to its standard error."""
        pipe = self._pipe("stderr")
        said = b""
        while len(said) < _SAID and select.select([pipe], [], [], 0.5)[0] and (piece := os.read(pipe.fileno(), _SAID)):
            said += piece
        lines = said.decode("utf-8", "replace").strip().splitlines()
        return lines[-1][:300] if lines else ""

    def _pipe(self, name: str) -> IO[bytes]:
        if self._process is None:
            raise SandboxFailed("it was ended")
        pipe: IO[bytes] = getattr(self._process, name)
        return pipe


def _places(plan: Json) -> list[tuple[str, str]]:
    """Folders as programs see them, and what is said instead; the inner ones first."""
    root, site = plan["root"], plan["path"][-1]
    runtime = site.rpartition("/")[0]
    library = [(f"{folder}/", "python/") for folder in reversed(plan["path"][:-1])]
    return [
        (f"{root}/work/", ""),
        (f"{root}/work", "."),
        (f"{root}/", ""),
        (f"{site}/", ""),
        (f"{runtime}/", ""),
        *library,
    ]


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        # What was not yet written to a dead process has nowhere to go.
        with contextlib.suppress(OSError):
            pipe.close()
