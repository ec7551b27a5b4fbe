"""Files and folders written so that a crash leaves the old or the new, and a full disk the old."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from agentic_storage_files.tree import being_written

TRIES = 50
"""How often a file's folder may be removed as empty by others just before the file is there."""


def write_whole(path: Path, data: bytes, updated_ns: int | None = None) -> None:
    """Have the file on the disk, whole; it replaces what was there. ``updated_ns``: its time."""
    new = being_written(path)
    for tries_left in reversed(range(TRIES)):
        try:
            make_folder(path.parent)
            _write(new, data, updated_ns)
            new.replace(path)
            sync_folder(path.parent)
            return
        except FileNotFoundError:
            if not tries_left:
                raise
        except OSError:
            with suppress(OSError):
                new.unlink()
            raise


def shown(path: Path) -> str:
    """What a person finds the file by: its name, and the folders next above it."""
    return str(Path(*path.parts[-3:]))


def write_all(file: int, data: bytes) -> None:
    """Write all of it where the file stands."""
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]


def make_folder(folder: Path) -> None:
    """Make the folder and those above it that are missing, each on the disk before the next."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for made in reversed(missing):
        made.mkdir(mode=0o700, exist_ok=True)
        sync_folder(made.parent)


def sync_folder(folder: Path) -> None:
    """Have what was changed in the folder on the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def remove_file(path: Path) -> bool:
    """Remove the file, and what a crash may have left of its next one; whether it was there."""
    with suppress(FileNotFoundError):
        being_written(path).unlink()
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def tidy(folder: Path, roots: frozenset[Path]) -> None:
    """Remove folders that are empty now, from the innermost on up to the roots, and have that on the disk."""
    while folder not in roots:
        try:
            folder.rmdir()
        except FileNotFoundError:
            pass
        except OSError:
            break
        folder = folder.parent
    with suppress(FileNotFoundError):
        sync_folder(folder)


def _write(path: Path, data: bytes, updated_ns: int | None) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        write_all(file, data)
        if updated_ns is not None:
            os.utime(file, ns=(updated_ns, updated_ns))
        os.fsync(file)
    finally:
        os.close(file)
