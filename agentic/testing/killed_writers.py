"""For kits of stores: a process that writes until it is killed, and a look into files from outside this process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

SEARCH = """
import sys
from pathlib import Path
markers = [bytes.fromhex(marker) for marker in sys.argv[2:]]
for path in sorted(Path(sys.argv[1]).rglob("*")):
    data = bytes(path) + (path.read_bytes() if path.is_file() else b"")
    if any(marker in data for marker in markers):
        print(path)
"""


FORKING = """
import os, sys

for asked in sys.stdin:
    pid = os.fork()
    if not pid:
        print("writer", os.getpid(), flush=True)
        write_for_ever()
    os.waitpid(pid, 0)
    print("end", flush=True)
"""


class KilledWriter:
    """Writers that are killed at work: ``program`` defines ``write_for_ever()``, and is loaded once for all of them.

    That prints a line for each write that was acknowledged, such as a growing number; ``asked`` is then the line that
    this one was let write with. Use it with ``async with``.
    """

    def __init__(self, program: str) -> None:
        self._program = program

    async def __aenter__(self) -> KilledWriter:
        pipe = asyncio.subprocess.PIPE
        program = self._program + FORKING
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, stdin=pipe, stdout=pipe, env=environment
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def killed(self, rounds: int) -> int:
        """Let one write, and kill -9 it after so many writes; the last number that it printed."""
        lines, end = await self.lines(rounds)
        # Killed between a number and the end of its line, it leaves both in one.
        return int(end or lines[-1])

    async def lines(self, rounds: int, asked: str = "") -> tuple[list[bytes], bytes]:
        """Let one write, and kill -9 it after so many lines; those that it printed, and what there is of one more."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(f"{asked}\n".encode())
        told = (await process.stdout.readline()).split()
        assert told and told[0] == b"writer", "is the fixture `program` right?"
        lines: list[bytes] = []
        while not (line := await process.stdout.readline()).endswith(b"end\n"):
            assert line, "the process that starts the writers has died"
            lines.append(line)
            if len(lines) == rounds:
                os.kill(int(told[1]), signal.SIGKILL)
        assert len(lines) >= rounds, "the writer has ended by itself: what it wrote to the terminal says why"
        return lines, line.removesuffix(b"end\n")


async def files_with(folder: Path, *markers: bytes) -> list[str]:
    """The paths below a folder that hold one of the markers, in their name or within.

    A process of its own looks: to close a file of SQLite's in this one would take away the locks that it holds.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SEARCH, str(folder), *(marker.hex() for marker in markers), stdout=asyncio.subprocess.PIPE
    )
    found, _ = await process.communicate()
    assert process.returncode == 0
    return found.decode().splitlines()
