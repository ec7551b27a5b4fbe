"""The process that keeps one program: it confines itself, gets ready, is given one program, and reports on it.

It is started as ``keeper.main()`` with frames on its standard input and output: it reads what it is to be (``Json`` as
made by ``sandbox.py``), answers ``ready``, reads a request, answers with what came of it, and ends. It ends at any time
when its input closes.
"""

from __future__ import annotations

import gc
import importlib
import os
import resource
import shutil
import signal
import sys
from dataclasses import replace
from typing import IO, Any

from . import landlock
from .execution import watch_figures
from .folder import Collected, Folder
from .frames import read_frame, write_frame
from .kernel_calls import (
    CAP_DAC_READ_SEARCH,
    PR_SET_DUMPABLE,
    PR_SET_KEEPCAPS,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_PDEATHSIG,
    SIGKILL,
    keep_capabilities,
    prctl,
)
from .program import Confinement, Verdict, run
from .watch import Ending, Watch


def main() -> None:
    """Serve one program."""
    requests, answers = _private_streams()
    started = read_frame(requests, max_files=0, max_bytes=0)
    if started is None:
        return
    plan, _ = started
    confinement = Confinement(plan["landlock"], plan["seccomp"], plan["own_mounts"])
    version = _confine(plan, confinement)
    folder = Folder(plan["root"])
    folder.make()
    _prepare(plan, folder)
    write_frame(answers, {"ready": True, "landlock": version})
    asked = read_frame(requests, max_files=plan["limits"]["in_files"], max_bytes=plan["limits"]["in_bytes"])
    if asked is not None:
        request, files = asked
        limits = {**plan["limits"], "processes": request["processes"]}
        try:
            folder.put(files)
        except OSError as error:
            said = f"The files of earlier calls do not fit into the folder: {error.strerror}"
            _answer(Ending("disk", 1, b"", said.encode(), 0), Collected([], [], [], []), answers)
            return
        ending = _run(request["code"], folder, limits, confinement, requests.fileno())
        _answer(ending, folder.collect(limits), answers)


def _private_streams() -> tuple[IO[bytes], IO[bytes]]:
    """The two ends of the line to the server, out of the reach of whatever a library prints."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)
    return requests, answers


def _confine(plan: dict[str, Any], confinement: Confinement) -> int:
    """Give up what the keeper does not need itself; the version of Landlock that holds it, 0 for none."""
    if plan["user"] is not None:
        _become(plan["user"], searching=plan["searching"])
    # After the change of user, which would undo it.
    prctl(PR_SET_PDEATHSIG, SIGKILL)
    prctl(PR_SET_DUMPABLE, 0)
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    return landlock.restrict(plan["read"], plan["write"], plan["listed"]) if confinement.landlock else 0


def _become(user: int, *, searching: bool) -> None:
    """Become an unprivileged user for good. ``searching``: folders closed to it may still be searched and read.

    That right reaches no further than Landlock lets it; it is what an interpreter or a data folder below ``/root``
    takes.
    """
    if searching:
        prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    keep_capabilities(*([CAP_DAC_READ_SEARCH] if searching else []))


def _prepare(plan: dict[str, Any], folder: Folder) -> None:
    """Do beforehand whatever every program would wait for."""
    sys.path[:] = plan["path"]
    os.environ.clear()
    os.environ.update(plan["environment"])
    os.environ.update(
        HOME=folder.tmp, TMPDIR=folder.tmp, MPLBACKEND="Agg", MPLCONFIGDIR=f"{folder.tmp}/.matplotlib", LANG="C.UTF-8"
    )
    shutil.copytree(plan["fonts"], f"{folder.tmp}/.matplotlib", copy_function=shutil.copyfile)
    for name in plan["preload"]:
        importlib.import_module(name)
    if "matplotlib.pyplot" in sys.modules:
        watch_figures(folder)
    gc.collect()
    # Memory that the collector never touches stays shared with the program.
    gc.freeze()


def _run(code: str, folder: Folder, limits: dict[str, Any], confinement: Confinement, lifeline: int) -> Ending:
    """Run the program in a fork of this process, which has all that it may import already."""
    output, errors, verdict = os.pipe(), os.pipe(), Verdict()
    pid = os.fork()
    if pid == 0:
        run(code, folder, limits, confinement, output=output[1], errors=errors[1], verdict=verdict)
    os.close(output[1])
    os.close(errors[1])
    watch = Watch(pid, output=output[0], errors=errors[0], lifeline=lifeline, folder=folder, limits=limits)
    ending = watch.until_end()
    want = verdict.read()
    return replace(ending, reason=want) if want and ending.reason == "error" else ending


def _answer(ending: Ending, collected: Collected, answers: IO[bytes]) -> None:
    header = {
        "reason": ending.reason,
        "code": ending.code,
        "seconds": round(ending.seconds, 3),
        "stdout": ending.output.decode("utf-8", "replace"),
        "stderr": ending.errors.decode("utf-8", "replace"),
        "changed": len(collected.changed),
        "deleted": collected.deleted,
        "left_out": collected.left_out,
    }
    write_frame(answers, header, [*collected.changed, *collected.figures])
