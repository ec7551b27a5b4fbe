"""The files of a Chroma within this process, as far as they hold what nobody has stored, or what was deleted."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

DATABASE = "chroma.sqlite3"
BUSY_S = 30.0
UNKNOWN_QUEUED = """
DELETE FROM embeddings_queue
WHERE NOT EXISTS (SELECT 1 FROM collections WHERE embeddings_queue.topic LIKE '%/' || collections.id)
"""
"""Removes what waits to be indexed in a collection that is no more: Chroma would keep it for ever."""
_HEADER = struct.Struct("<iQQQ")
"""Of an index: its version, an offset, and for how many vectors there is room, and how many there are."""
_VERSION = 1
_OF_VECTORS = ("data_level0.bin", "length.bin")


def erase(folder: Path) -> None:
    """Give back the room of what was deleted. Raises sqlite3.Error and OSError.

    Chroma leaves the index files of deleted collections where they are, and in its SQLite file deleted rows, and those
    that it had still to index.
    """
    if not (folder / DATABASE).exists():
        return
    with closing(sqlite3.connect(folder / DATABASE, timeout=BUSY_S, isolation_level=None)) as file:
        file.execute("PRAGMA temp_store = MEMORY")
        known = {row[0] for row in file.execute("SELECT id FROM segments")}
        for path in _indexes(folder):
            if path.name not in known:
                shutil.rmtree(path, ignore_errors=True)
        file.execute(UNKNOWN_QUEUED)
        file.execute("VACUUM")


class Scrubbing:
    """Overwrites what Chroma puts into a new index file for want of vectors: whatever lay in the process's memory.

    That may be anybody's text. Nothing is read from there, since the index says that it is empty. Chroma makes such a
    file with the collection, and anew where it first looks into one that is still empty. Call it after both, where no
    one writes; an index that was seen twice is left alone, since it may be written by the next one who reads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._found: dict[str, int] = {}
        self._made: set[str] = set()

    def begin(self) -> None:
        """Before Chroma is at work: look at every index, as a crash may have left it. Raises OSError."""
        for path in _indexes(self._folder):
            self._found[path.name] = self._overwritten(path)

    def scrub(self) -> None:
        """Look at the indexes that were made since the last time. Raises OSError."""
        for path in _indexes(self._folder):
            if path.name not in self._made and self._found.get(path.name) != _changed(path):
                self._made.add(path.name)
                self._overwritten(path)

    def _overwritten(self, path: Path) -> int:
        if _is_empty(path / "header.bin"):
            for name in _OF_VECTORS:
                _overwrite(path / name)
        return _changed(path)


def _changed(index: Path) -> int:
    vectors = index / _OF_VECTORS[0]
    return vectors.stat().st_mtime_ns if vectors.exists() else 0


def _indexes(folder: Path) -> Iterator[Path]:
    """The folders of indexes, which have the ids of their segments for names."""
    if folder.is_dir():
        yield from (path for path in folder.iterdir() if path.name.count("-") == 4 and path.is_dir())


def _is_empty(header: Path) -> bool:
    if not header.is_file():
        return False
    head = header.read_bytes()[: _HEADER.size]
    if len(head) < _HEADER.size:
        return False
    version, _, _, count = _HEADER.unpack(head)
    return (version, count) == (_VERSION, 0)


def _overwrite(path: Path) -> None:
    if path.is_file():
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
