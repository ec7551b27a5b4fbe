"""The program's own process: limited, filtered, and ended with the program. Runs in a fork of the keeper."""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import resource
import signal
import traceback
from dataclasses import dataclass
from typing import Any, NoReturn

from . import landlock, seccomp
from .execution import FAILED, Want, execute
from .folder import Folder
from .kernel_calls import PR_SET_DUMPABLE, PR_SET_PDEATHSIG, SIGKILL, prctl

_leave = os._exit
"""As it was before any program: one that puts another in its place shall not go on as the keeper that it was."""


@dataclass(frozen=True, slots=True)
class Confinement:
    """What confines a program beside its limits. ``own_mounts``: it sees none of the host's folders at all."""

    landlock: bool
    seccomp: bool
    own_mounts: bool


class Verdict:
    """What a program was in want of, told to the keeper beside its exit code, which is the program's own to choose."""

    _WANTS: tuple[Want, ...] = ("", "memory", "disk")

    def __init__(self) -> None:
        # Shared with the fork, and no descriptor that a program could close.
        self._told = mmap.mmap(-1, 1)

    def tell(self, want: Want) -> None:
        """Say it, in the program's process."""
        self._told[0] = self._WANTS.index(want)

    def read(self) -> Want:
        """What was said. A program can say anything here, of itself."""
        told = self._told[0]
        return self._WANTS[told] if told < len(self._WANTS) else ""


def run(
    code: str,
    folder: Folder,
    limits: dict[str, Any],
    confinement: Confinement,
    *,
    output: int,
    errors: int,
    verdict: Verdict,
) -> NoReturn:
    """Become the program. ``output`` and ``errors`` are the writing ends of its pipes."""
    status = FAILED
    try:
        _leave_descriptors(output, errors)
        os.chdir(folder.work)
        prctl(PR_SET_PDEATHSIG, SIGKILL)
        _confine(folder, confinement)
        _limit(limits)
        if confinement.seccomp:
            seccomp.install(keep_attributes=not confinement.own_mounts)
        gc.unfreeze()
        status, want = execute(code, folder)
        verdict.tell(want)
    except BaseException:  # noqa: BLE001 - nothing of the keeper may go on in this process
        traceback.print_exc()
    finally:
        _leave(status)


def _confine(folder: Folder, confinement: Confinement) -> None:
    if not confinement.landlock:
        return
    # A second layer within the keeper's: from here on the keeper itself is out of reach.
    landlock.restrict(read=["/"], write=[folder.root, os.devnull])
    if not confinement.own_mounts:
        # The keeper counts the files that the program holds open by /proc, which takes this.
        prctl(PR_SET_DUMPABLE, 1)


def _leave_descriptors(output: int, errors: int) -> None:
    """Standard input is empty, the others are the pipes, and everything else is closed."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for wanted, place in ((nothing, 0), (output, 1), (errors, 2)):
        os.dup2(wanted, place)
    os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") > 0 else 65536)


def _limit(limits: dict[str, Any]) -> None:
    """The limits of the kernel; those of time, disk and output are the keeper's."""
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, limits["memory"]),
        (resource.RLIMIT_FSIZE, limits["file"]),
        (resource.RLIMIT_NOFILE, limits["descriptors"]),
        (resource.RLIMIT_NPROC, limits["processes"]),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _, hard = resource.getrlimit(what)
        lowest = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (lowest, lowest))
    # The kernel asks politely at the first and kills at the second.
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu"], limits["cpu"] + 1))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    with contextlib.suppress(OSError):
        os.nice(5)
