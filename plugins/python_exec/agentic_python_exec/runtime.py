"""The runtime of programs: copies of installed packages in a folder of their own, made once and then only read.

It lies in ``DATA_DIR/python_exec/runtime-KEY`` and holds ``site`` (the packages), ``code`` (what runs inside),
``fonts`` and ``manifest.json``. The key follows from the versions, so that an upgrade makes a new one. Files are
copied, not linked: whoever found a way to write to them would still not reach those of the server.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentic import Json, ToolError
from agentic_python_exec import folders
from agentic_python_exec.distributions import Installed, installed

logger = logging.getLogger(__name__)
PACKAGES = ("numpy", "pandas", "matplotlib", "tzdata")
"""What programs may always import; without tzdata there would be no time zones, since the machine's cannot be read."""
PRELOAD = ("numpy", "pandas", "matplotlib.pyplot")
_BUILD_S = 300
_MASKED = ("site-packages", "dist-packages")
_INSIDE = Path(__file__).parent / "inside"
_START = "import sys; sys.path.append(sys.argv[1]); from inside import {module}; {module}.main({arguments})"


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime that is ready, and held against being cleaned up.

    ``path`` are the folders of the standard library, ``libraries`` the shared objects that the loader takes from
    elsewhere, ``interpreter`` the base interpreter.
    """

    folder: Path
    interpreter: str
    path: tuple[str, ...]
    libraries: tuple[str, ...]
    held: folders.Held

    @property
    def standard_library(self) -> list[str]:
        """What lies in the folders of the standard library, but for what others have installed there."""
        entries = (os.path.join(folder, name) for folder in self.path for name in os.listdir(folder))  # noqa: PTH118, PTH208
        return [entry for entry in entries if Path(entry).name not in _MASKED]

    @property
    def masked(self) -> list[str]:
        """Folders within the standard library that hold what others have installed there."""
        candidates = (Path(folder, name) for folder in self.path for name in _MASKED)
        return [str(candidate) for candidate in candidates if candidate.is_dir()]

    @property
    def library_folders(self) -> list[str]:
        """Where the loader looks for ``libraries``."""
        return list(dict.fromkeys(str(Path(library).parent) for library in self.libraries))


def keeper_command(interpreter: str, code: str) -> list[str]:
    """What starts the keeper; ``code`` is the folder that holds ``inside``."""
    return [interpreter, "-I", "-S", "-B", "-c", _START.format(module="keeper", arguments=""), code]


def prepare(parent: Path, packages: Iterable[str] = ()) -> Runtime:
    """The runtime below ``parent``, made if it is not there yet. Blocks, for several seconds the first time.

    ``packages`` are distributions beside PACKAGES. Raises ToolError with what is wrong and its fix.
    """
    wanted = installed([*PACKAGES, *packages])
    interpreter = base_interpreter()
    folder = parent / f"runtime-{_key(wanted, interpreter)}"
    try:
        return _opened(folder)
    except FileNotFoundError:
        pass
    with folders.alone(parent / "runtime.lock"):
        try:
            return _opened(folder)
        except FileNotFoundError:
            _build(folder, wanted, interpreter)
        runtime = _opened(folder)
    folders.remove_unheld(parent, "runtime-*")
    return runtime


def base_interpreter() -> str:
    """The interpreter itself, of which a virtual environment holds a link."""
    return str(Path(getattr(sys, "_base_executable", None) or sys.executable).resolve())


def _opened(folder: Path) -> Runtime:
    """Raises FileNotFoundError where there is no whole runtime."""
    held = folders.Held(folder)
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    except BaseException:
        held.release()
        raise
    return Runtime(folder, manifest["interpreter"], tuple(manifest["path"]), tuple(manifest["libraries"]), held)


def _key(wanted: Sequence[Installed], interpreter: str) -> str:
    parts = [sys.version, interpreter, *(one.title for one in wanted)]
    parts += [path.read_text("utf-8") for path in sorted(_INSIDE.glob("*.py"))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def _build(folder: Path, wanted: Sequence[Installed], interpreter: str) -> None:
    started = time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    folders.remove_unheld(folder.parent, "building-*")
    building = Path(tempfile.mkdtemp(prefix="building-", dir=folder.parent))
    held = folders.Held(building)
    try:
        building.chmod(0o755)
        for one in wanted:
            _copy(one, building / "site")
        shutil.copytree(_INSIDE, building / "code/inside", ignore=shutil.ignore_patterns("__pycache__"))
        (building / "fonts").mkdir()
        manifest = {"interpreter": interpreter, "packages": [one.title for one in wanted]}
        manifest |= _inventory(building, interpreter)
        (building / "manifest.json").write_text(json.dumps(manifest), "utf-8")
        _make_read_only(building)
        os.sync()
        building.rename(folder)
    except BaseException:
        folders.remove(building)
        raise
    finally:
        held.release()
    logger.info("[Runtime] Made: %d distributions in %.1f s", len(wanted), time.monotonic() - started)


def _copy(one: Installed, site: Path) -> None:
    for name, source in one.files:
        target = site / name
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(source, target)
        except OSError as error:
            raise ToolError(
                f"A file of {one.title} cannot be copied: {error.strerror}. "
                f"If it is missing, run: pip install --force-reinstall {one.title.partition('==')[0]}. "
                "If the disk is full, free some 300 MB in DATA_DIR."
            ) from error


def _inventory(building: Path, interpreter: str) -> Json:
    """See ``inside/inventory.py``."""
    arguments = [str(building / "code"), str(building / "site"), str(building / "fonts"), *PRELOAD]
    start = _START.format(module="inventory", arguments="sys.argv[2], sys.argv[3], sys.argv[4:]")
    done = subprocess.run(
        [interpreter, "-I", "-S", "-c", start, *arguments],
        capture_output=True, text=True, timeout=_BUILD_S, check=False, stdin=subprocess.DEVNULL,
        env={name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ},
    )  # fmt: skip
    if done.returncode != 0:
        logger.error("[Runtime] Not made: %s", done.stderr[-2000:])
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ToolError(f"The packages for programs cannot be imported by {interpreter}: {last}")
    found: Json = json.loads(done.stdout)
    return found


def _make_read_only(folder: Path) -> None:
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o444)
