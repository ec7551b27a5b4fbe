"""What is done on the disk, each method in a thread: whole files come and go at their places."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from io import FileIO
from pathlib import Path

from agentic import NotFound
from agentic_blobs_files import folders, incoming
from agentic_blobs_files.incoming import IncomingFile
from agentic_blobs_files.names import file_names, folder_names

TRIES = 50
"""How often a file's folder may be removed as empty by others just before the file is there."""


class OutgoingFile:
    """A file that is being read, from ``start`` on; what replaces it meanwhile does not change what is read."""

    def __init__(self, path: Path, start: int) -> None:
        self._path = path
        self._start = start
        self._file: FileIO | None = None

    def read(self, size: int) -> bytes:
        """The next bytes, none at the end. Raises NotFound if there is no file."""
        if self._file is None:
            try:
                self._file = FileIO(self._path, "rb")
            except FileNotFoundError:
                raise NotFound("There is no such file.") from None
            self._file.seek(self._start)
        return self._file.read(size) or b""

    def close(self) -> None:
        """Let go of it."""
        if self._file is not None:
            self._file.close()


class Disk:
    """Files below ``root``, which is made with the first of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / incoming.NAME

    def place(self, key: str) -> Path:
        """Where the key's file lies. Raises ValueError for what is no key."""
        return self.root.joinpath(*file_names(key))

    def folder(self, prefix: str) -> Path:
        """The folder of a prefix; the root of an empty one. Raises ValueError for what is no prefix."""
        return self.root.joinpath(*folder_names(prefix)) if prefix else self.root

    def incoming(self) -> IncomingFile:
        """A file to be written, that is not there before ``keep``."""
        return IncomingFile(self._incoming)

    def clear(self) -> int:
        """Remove what crashes have left behind; how many files and folders that were."""
        return incoming.clear(self._incoming)

    def keep(self, file: IncomingFile, path: Path) -> None:
        """Move a finished file to its place, where it replaces another whole."""
        for tries_left in reversed(range(TRIES)):
            try:
                folders.make(path.parent)
                folder = os.open(path.parent, os.O_RDONLY)
                try:
                    file.path.replace(path)
                    os.fsync(folder)
                finally:
                    os.close(folder)
                break
            except FileNotFoundError:
                if not (tries_left and file.path.exists()):
                    raise
        file.close()

    def size(self, path: Path) -> int | None:
        """The file's size, or None if there is none."""
        try:
            return path.stat().st_size
        except FileNotFoundError:
            return None

    def remove(self, path: Path) -> bool:
        """Remove the file, and the folders that it leaves empty."""
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        self._tidy(path.parent)
        return True

    def remove_under(self, folder: Path) -> int:
        """Remove a folder's files at once for those who look; how many they were."""
        out = self._incoming / secrets.token_hex(16)
        try:
            folder.lstat()
            folders.make(self._incoming)
            folder.rename(out)
        except FileNotFoundError:
            return 0
        self._tidy(folder.parent)
        return folders.remove(out)

    def check(self) -> None:
        """Raise OSError if no file can be written."""
        file = self.incoming()
        try:
            file.write(b"?")
        finally:
            file.discard()

    def _tidy(self, folder: Path) -> None:
        """Remove folders that are empty now, from the innermost on, and have the removal on the disk."""
        while folder != self.root:
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                break
            folder = folder.parent
        with suppress(FileNotFoundError):
            folders.sync(folder)
