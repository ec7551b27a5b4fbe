"""The folders: one a scope, within it one a document, with a single file that is replaced whole.

A scope's folder tells by its time that something in it has changed, and a document's file by its own: both are set to
the nanosecond, since a file system's clock may stand still for some milliseconds.
"""

from __future__ import annotations

import json
import os
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agentic import StorageError
from agentic_vectors_faiss import incoming
from agentic_vectors_faiss.names import folder_of_document, folder_of_scope, scope_of_folder

FILE = "vectors.npz"
TRIES = 50
"""How often a document's folder may be taken away by others just before its file is there."""
DAMAGED = (
    *(ValueError, TypeError, KeyError, EOFError, AttributeError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error),
)
"""What numpy and zipfile raise for bytes that are not what was written; the disk's own errors are none of them."""

Stamp = tuple[int, ...]
"""Inode and time of a file or folder: another stamp means that it has changed."""


@dataclass(frozen=True, slots=True)
class About:
    """What is known of a document without reading its rows."""

    doc_id: str
    embedder: str
    dimensions: int
    rows: int


class Disk:
    """Files below ``root``, which is made with the first of them. All methods block."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._incoming = root / incoming.NAME

    def clear(self) -> int:
        """Remove what crashes have left behind; how many that were."""
        return incoming.clear(self._incoming)

    def check(self) -> None:
        """Raise OSError if no file can be written."""
        file = incoming.IncomingFile(self._incoming)
        try:
            file.file.write(b"?")
            file.finish()
        finally:
            file.close()

    def save(self, scope: str, about: About, numbers: Any, rows: Any) -> None:
        """Store a document in place of what it was; when this returns, it is on the disk."""
        import numpy

        folder = self._scope(scope) / folder_of_document(about.doc_id)
        told = json.dumps({"document": about.doc_id, "embedder": about.embedder, "shape": rows.shape}).encode()
        file = incoming.IncomingFile(self._incoming)
        try:
            numpy.savez(file.file, about=numpy.frombuffer(told, dtype=numpy.uint8), numbers=numbers, rows=rows)
            file.finish()
            _touch(file.path)
            self._keep(file.path, folder)
        finally:
            file.close()

    def remove(self, scope: str, doc_id: str) -> int:
        """Remove a document; how many rows it had, as far as they can still be told."""
        folder = self._scope(scope) / folder_of_document(doc_id)
        count = self._count(folder)
        if incoming.put_away(folder, self._incoming):
            self._changed(folder.parent)
            with suppress(OSError):
                folder.parent.rmdir()
            _sync(self.root)
        return count

    def drop(self, scope: str) -> int:
        """Remove a scope; how many rows it had."""
        folder = self._scope(scope)
        count = sum(self._count(path) for path in _folders(folder))
        if incoming.put_away(folder, self._incoming):
            _sync(self.root)
        return count

    def scopes(self) -> list[str]:
        """Every scope that holds a document, in order."""
        found = ((scope_of_folder(path.name), path) for path in _folders(self.root))
        return sorted(scope for scope, path in found if scope is not None and any(_folders(path)))

    def place(self, scope: str) -> str:
        """Where the scope's folder is, for ``stamp``."""
        return str(self._scope(scope))

    @staticmethod
    def stamp(place: str) -> Stamp:
        """What changes with every change of the scope that is there; empty where there is none."""
        try:
            # Made for every search, and a third as long as with a Path.
            return _stamp(os.stat(place))  # noqa: PTH116
        except FileNotFoundError:
            return ()

    def scan(self, scope: str) -> Mapping[str, Stamp]:
        """The folders of the scope's documents, each with the stamp of its file."""
        found = {}
        for path in _folders(self._scope(scope)):
            with suppress(FileNotFoundError, NotADirectoryError):
                found[path.name] = _stamp((path / FILE).stat())
        return found

    def about(self, scope: str, folder: str) -> About | None:
        """What a document's file tells of it, or None if it is gone. Raises StorageError if it is damaged."""
        found = _read(self._scope(scope) / folder / FILE)
        return found[0] if found else None

    def rows(self, scope: str, folder: str) -> tuple[About, Any, Any] | None:
        """A document with its numbers and rows, or None if it is gone. Raises StorageError if it is damaged."""
        path = self._scope(scope) / folder / FILE
        found = _read(path, "numbers", "rows")
        if found is None:
            return None
        about, numbers, rows = found
        if rows.shape != (about.rows, about.dimensions) or numbers.shape != (about.rows,):
            raise _damaged(path)
        return about, numbers, rows

    def _count(self, folder: Path) -> int:
        # One that is damaged is removed as well, and has no rows that anybody could count.
        with suppress(StorageError):
            found = _read(folder / FILE)
            return found[0].rows if found else 0
        return 0

    def _keep(self, made: Path, folder: Path) -> None:
        for tries_left in reversed(range(TRIES)):
            try:
                new = not folder.parent.is_dir()
                incoming.make(folder)
                made.replace(folder / FILE)
                _sync(folder)
                self._changed(folder.parent)
                if new:
                    _sync(self.root)
                return
            except FileNotFoundError:
                # Others may remove the last document of a scope, and its folder, at this moment.
                if not tries_left:
                    raise
                if not made.exists():
                    return

    def _changed(self, folder: Path) -> None:
        with suppress(FileNotFoundError):
            _touch(folder)
            _sync(folder)

    def _scope(self, scope: str) -> Path:
        return self.root / folder_of_scope(scope)


def _read(path: Path, *names: str) -> tuple[Any, ...] | None:
    """What the file tells of its document, and these arrays; None where there is no file."""
    import numpy

    try:
        with numpy.load(path, allow_pickle=False) as arrays:
            told = json.loads(arrays["about"].tobytes())
            rows, dimensions = told["shape"]
            about = About(str(told["document"]), str(told["embedder"]), int(dimensions), int(rows))
            return (about, *(arrays[name] for name in names))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except DAMAGED as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> StorageError:
    return StorageError(
        f"The vectors of a document are damaged: {'/'.join(path.parts[-4:])}. Remove this file's folder and run: "
        "agentic documents reindex"
    )


def _folders(folder: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _stamp(state: os.stat_result) -> Stamp:
    return state.st_ino, state.st_mtime_ns


def _touch(path: Path) -> None:
    now = time.time_ns()
    os.utime(path, ns=(now, now))


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
