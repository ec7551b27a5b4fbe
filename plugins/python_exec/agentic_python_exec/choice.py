"""Which back end is used: the best of those that pass their test, or none."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from agentic import ToolError
from agentic_python_exec import canary, folders
from agentic_python_exec.backends import Backend, candidates, impossible
from agentic_python_exec.runtime import Runtime, prepare
from agentic_python_exec.sandbox import Spawner
from agentic_python_exec.settings import Settings

logger = logging.getLogger(__name__)
_FIX = (
    "Run the server on Linux 5.13 or later with Landlock switched on, or in a container there, and for the better "
    "sandbox install bubblewrap (apt-get install bubblewrap)"
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A back end that passed its test, over a runtime. ``refused`` tells of better ones that did not."""

    backend: Backend
    runtime: Runtime
    runs: folders.Held
    refused: tuple[str, ...]

    @property
    def report(self) -> str:
        """One line for an operator."""
        return "; ".join([self.backend.title, *(f"not {reason}" for reason in self.refused)])

    def release(self) -> None:
        """Let go of the folders."""
        self.runtime.held.release()
        folders.remove(self.runs.folder)
        self.runs.release()


def choose(settings: Settings, data_dir: Path, spawner: Spawner) -> Chosen:
    """Make the runtime and try the back ends. Blocks; raises ToolError with every reason and the fix."""
    parent = data_dir.absolute() / "python_exec"
    try:
        parent.mkdir(parents=True, exist_ok=True)
        runtime = prepare(parent, settings.python_exec_packages)
        runs = _own_runs(parent)
    except OSError as error:
        raise ToolError(f"No sandbox can be made in {parent}: {error.strerror}. Make the folder writable.") from error
    try:
        return _first(settings, runtime, runs, spawner)
    except BaseException:
        Chosen(Backend("native"), runtime, runs, ()).release()
        raise


def _own_runs(parent: Path) -> folders.Held:
    """A folder for this process's sandboxes; what dead processes left goes."""
    import tempfile

    folders.remove_unheld(parent, "runs-*")
    folder = Path(tempfile.mkdtemp(prefix="runs-", dir=parent))
    # Programs run as users of their own, who must get through to their own folders.
    folder.chmod(0o711)
    return folders.Held(folder)


def _first(settings: Settings, runtime: Runtime, runs: folders.Held, spawner: Spawner) -> Chosen:
    wanted = settings.python_exec_backend
    hopeless = "" if wanted == "unsafe" else impossible()
    refused: list[str] = []
    for backend in () if hopeless else candidates(wanted, settings.python_exec_bwrap):
        try:
            canary.check(backend, runtime, spawner, runs.folder)
        except (ToolError, OSError) as error:
            refused.append(f"{backend.title}: {getattr(error, 'message', error)}")
            logger.warning("[Sandbox] Refused: %s", refused[-1])
            continue
        logger.info("[Sandbox] In use: %s", backend.title)
        return Chosen(backend, runtime, runs, tuple(refused))
    reasons = hopeless or "; ".join(refused) or "bubblewrap is not installed"
    raise ToolError(f"Programs are not run: there is no sandbox that holds ({reasons}). {_FIX}.")
