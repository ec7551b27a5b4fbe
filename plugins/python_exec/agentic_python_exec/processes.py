"""How many processes and threads a program may have, in the way that the kernel counts them."""

from __future__ import annotations

import contextlib
import os

from agentic_python_exec.backends import Backend


def allowed(backend: Backend, wanted: int) -> int:
    """The limit that leaves ``wanted`` to a program.

    The kernel counts by user. Under root each sandbox has a user of its own, and a user namespace counts for itself;
    else all that the server's user runs on this machine is counted too.
    """
    if os.geteuid() == 0 or backend.kind == "bwrap":
        return wanted
    return wanted + _threads_of(os.getuid())


def _threads_of(user: int) -> int:
    count = 0
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    status = os.stat(f"/proc/{entry.name}/task")  # noqa: PTH116
                    # A folder's links are itself, its parent's entry for it, and one for each folder in it.
                    count += status.st_nlink - 2 if status.st_uid == user else 0
    return count
