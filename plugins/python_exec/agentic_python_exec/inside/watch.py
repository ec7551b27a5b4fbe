"""Watching a program from the outside of its process: its output, its clock, its disk, and how it ended."""

from __future__ import annotations

import os
import select
import signal
import stat
import time
from dataclasses import dataclass
from typing import Any

from .folder import Folder

_TICK_S = 0.02
_DISK_EVERY_S = 0.05
_PIECE = 65536


@dataclass(frozen=True, slots=True)
class Ending:
    """How a program ended. ``reason``: ``done``, ``error``, or the limit or the force that ended it."""

    reason: str
    code: int
    output: bytes
    errors: bytes
    seconds: float


class Watch:
    """One program, from its start to its end. ``output`` and ``errors`` are the reading ends of its pipes.

    ``lifeline`` is the keeper's line to the server: when the other end closes, nobody waits for the program any more.
    """

    def __init__(
        self, pid: int, *, output: int, errors: int, lifeline: int, folder: Folder, limits: dict[str, Any]
    ) -> None:
        self._pid = pid
        self._lifeline = lifeline
        self._said: dict[int, bytearray] = {output: bytearray(), errors: bytearray()}
        self._output, self._errors = output, errors
        self._folder = folder
        self._limits = limits
        self._reason = ""

    def until_end(self) -> Ending:
        """Wait for the end, and bring it about where a limit is passed."""
        began = time.monotonic()
        process = os.pidfd_open(self._pid)
        poll = select.poll()
        for descriptor in (process, *self._said):
            poll.register(descriptor, select.POLLIN)
        poll.register(self._lifeline, 0)
        looked = began
        while True:
            events = poll.poll(_TICK_S * 1000)
            now = time.monotonic()
            # On every round: a program that drips output keeps the poll from ever timing out.
            if now - began > self._limits["wall"]:
                self._end("timeout")
            if now - looked > _DISK_EVERY_S:
                looked = now
                if self._folder.is_over(self._limits, self._held()):
                    self._end("disk")
                if self._is_beheaded():
                    # No reason: should it be at its end by itself, this changes nothing of how it ended.
                    self._end("")
            ready = [descriptor for descriptor, _ in events]
            if self._lifeline in ready:
                poll.unregister(self._lifeline)
                self._end("killed")
            self._read(poll, [descriptor for descriptor in ready if descriptor in self._said])
            if process in ready:
                break
        os.close(process)
        _, status, used = os.wait4(self._pid, 0)
        self._drain()
        # What is written to a file by way of memory has no other error than this signal.
        is_cut_off = os.waitstatus_to_exitcode(status) == -signal.SIGBUS and self._folder.is_full()
        if not self._reason and (is_cut_off or self._folder.is_over(self._limits)):
            self._reason = "disk"
        return self._ending(status, used.ru_utime + used.ru_stime, time.monotonic() - began)

    def _end(self, reason: str) -> None:
        self._reason = self._reason or reason
        os.kill(self._pid, signal.SIGKILL)

    def _read(self, poll: select.poll, ready: list[int]) -> None:
        for descriptor in ready:
            piece = os.read(descriptor, _PIECE)
            if not piece:
                poll.unregister(descriptor)
                continue
            self._keep(descriptor, piece)

    def _keep(self, descriptor: int, piece: bytes) -> None:
        left = self._limits["output"] - sum(map(len, self._said.values()))
        self._said[descriptor] += piece[: max(left, 0)]
        if len(piece) > left:
            self._end("output")

    def _drain(self) -> None:
        """What is still in the pipes. Nobody writes any more, but for descendants of an unconfined program."""
        for descriptor in self._said:
            os.set_blocking(descriptor, False)
            try:
                while piece := os.read(descriptor, _PIECE):
                    left = self._limits["output"] - sum(map(len, self._said.values()))
                    if left <= 0:
                        break
                    self._said[descriptor] += piece[:left]
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)

    def _held(self) -> int:
        """Bytes of files that the program holds open and has removed; 0 where there is no /proc to see them in."""
        held = 0
        for number in range(self._limits["descriptors"]):
            try:
                status = os.stat(f"/proc/{self._pid}/fd/{number}")  # noqa: PTH116
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_nlink == 0:
                held += status.st_blocks * 512
        return held

    def _is_beheaded(self) -> bool:
        """Whether the first thread has ended while others may go on: what they hold open cannot be seen then."""
        try:
            os.readlink(f"/proc/{self._pid}/cwd")  # noqa: PTH115 - it is not opened, which would not be allowed
        except FileNotFoundError:
            return os.path.exists(f"/proc/{self._pid}")  # noqa: PTH110
        except OSError:
            return False
        return False

    def _ending(self, status: int, cpu: float, seconds: float) -> Ending:
        code = os.waitstatus_to_exitcode(status)
        return Ending(
            reason=self._reason or _reason(code, cpu >= self._limits["cpu"]),
            code=code,
            output=bytes(self._said[self._output]),
            errors=bytes(self._said[self._errors]),
            seconds=seconds,
        )


def _reason(code: int, cpu_is_spent: bool) -> str:
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and cpu_is_spent):
        return "cpu"
    if code == -signal.SIGSYS:
        return "seccomp"
    if code == -signal.SIGKILL:
        return "killed"
    if code < 0:
        return "crash"
    return "error" if code else "done"
