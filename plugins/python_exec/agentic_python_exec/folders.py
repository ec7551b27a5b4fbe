"""Folders on the server's disk that one process uses and others may clean up: held by locks, removed whatever is in."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path


class Held:
    """A folder that no other process cleans up. The lock ends with ``release``, or with this process."""

    def __init__(self, folder: Path) -> None:
        """Hold the folder. Raises FileNotFoundError if it is not there, or is just being removed."""
        import fcntl

        self.folder = folder
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)
            if not os.path.samestat(os.fstat(self._descriptor), folder.stat()):
                raise FileNotFoundError(str(folder))
        except BaseException:
            os.close(self._descriptor)
            raise

    def release(self) -> None:
        """Let others clean up; may be called again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is within this for the same lock file."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def remove_unheld(parent: Path, pattern: str) -> None:
    """Remove the folders in ``parent`` that no process holds."""
    import fcntl

    for folder in parent.glob(pattern):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                remove(folder)
            except BlockingIOError:
                continue
            finally:
                os.close(descriptor)


def remove(folder: Path) -> None:
    """Remove a folder with all that is in it, however deep, and whatever modes a program gave it."""
    with contextlib.suppress(FileNotFoundError):
        _flatten(folder)
        folder.rmdir()


def _flatten(top: Path) -> None:
    """Empty a folder by moving what is below its folders up into it, so that no path grows long."""
    prefix, number = f".removing-{secrets.token_hex(8)}", 0
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        folder.chmod(0o700)
        with os.scandir(folder) as entries:
            found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
        for path, is_folder in found:
            if not is_folder:
                Path(path).unlink(missing_ok=True)
                continue
            Path(path).chmod(0o700)
            waiting.append(Path(path).rename(top / f"{prefix}-{number}"))
            number += 1
        if folder != top:
            folder.rmdir()


def is_reachable(path: Path) -> bool:
    """Whether any user may read what lies at ``path`` (a folder, or a file), as far as the modes above it tell."""
    try:
        mode = path.stat().st_mode
        above = [parent.stat().st_mode for parent in path.resolve().parents]
    except OSError:
        return False
    open_above = all(mode_above & stat.S_IXOTH for mode_above in above)
    return open_above and bool(mode & stat.S_IROTH) and (not stat.S_ISDIR(mode) or bool(mode & stat.S_IXOTH))
