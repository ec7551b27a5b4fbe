"""Logs: one file of JSON lines each, the first of which names the log.

All items of one append are there or none: every line but the last of them ends in a blank, so what a crash has left of
an append is told from a whole one. It is overlooked by readers, and cut off by the next append.
"""

from __future__ import annotations

import os
import secrets
import threading
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Any

from agentic import Conflict, StorageError, decode_value
from agentic_storage_files.disk import shown, write_all, write_whole

MARK_EVERY = 64
KNOWN_LOGS = 1000
_HEAD = b'{"log": "%b"}\n'
_HEAD_SIZE = len(_HEAD % (b"0" * 16))
_ID_AT = _HEAD.index(b"%b")


class LogIndex:
    """What is known of a log: how many items, where they end, and where every 64th begins."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.clear(b"")

    def clear(self, head: bytes) -> None:
        """Know nothing but the first line."""
        self.head = head
        self.end = _HEAD_SIZE
        self.length = 0
        self.marks = array("Q")

    def look(self, file: BufferedReader) -> None:
        """Read what was appended since the last look. Raises StorageError for what is no log."""
        file.seek(0)
        head = file.read(_HEAD_SIZE)
        if len(head) != _HEAD_SIZE or not head.startswith(_HEAD[:_ID_AT]):
            raise _damaged(Path(file.name))
        if head != self.head or os.fstat(file.fileno()).st_size < self.end:
            self.clear(head)
        file.seek(self.end)
        at, begun = self.end, []
        for line in file:
            if not line.endswith(b"\n"):
                break
            begun.append(at)
            at += len(line)
            if not line.endswith(b" \n"):
                self._add(begun, at)
                begun = []

    def _add(self, places: Sequence[int], end: int) -> None:
        for place in places:
            if self.length % MARK_EVERY == 0:
                self.marks.append(place)
            self.length += 1
        self.end = end


class Logs:
    """The logs, of which those used last are known."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[Path, LogIndex] = OrderedDict()

    def read(self, path: Path, after: int, limit: int) -> list[Any]:
        """Items from position ``after`` on."""
        try:
            with path.open("rb") as file:
                index = self._index(path)
                with index.lock:
                    index.look(file)
                    after = max(after, 0)
                    limit = min(limit, index.length - after)
                    if limit <= 0:
                        return []
                    first, behind = after // MARK_EVERY, (after + limit) // MARK_EVERY + 1
                    stop = index.marks[behind] if behind < len(index.marks) else index.end
                    start = index.marks[first]
                file.seek(start)
                lines = file.read(stop - start).split(b"\n")
        except (FileNotFoundError, NotADirectoryError):
            return []
        skipped = after - first * MARK_EVERY
        try:
            return [decode_value(line) for line in lines[skipped : skipped + limit]]
        except StorageError as error:
            raise _damaged(path) from error

    def append(self, path: Path, items: Sequence[bytes], if_length: int | None) -> int:
        """Have the items on the disk; the new length. Raises Conflict. The caller holds the lock of the key."""
        try:
            with path.open("r+b", buffering=0) as file:
                return self._append(path, file.fileno(), items, if_length)
        except (FileNotFoundError, NotADirectoryError):
            if if_length:
                raise Conflict("The log was changed in between.") from None
        if items:
            write_whole(path, _HEAD % secrets.token_hex(8).encode() + _lines(items))
        return len(items)

    def _append(self, path: Path, file: int, items: Sequence[bytes], if_length: int | None) -> int:
        index = self._index(path)
        with index.lock:
            with path.open("rb") as reading:
                index.look(reading)
            if if_length not in (None, index.length):
                raise Conflict("The log was changed in between.")
            if not items:
                return index.length
            os.ftruncate(file, index.end)
            os.lseek(file, index.end, os.SEEK_SET)
            try:
                write_all(file, _lines(items))
                os.fsync(file)
            except OSError:
                _undo(file, index.end)
                raise
            return index.length + len(items)

    def _index(self, path: Path) -> LogIndex:
        with self._lock:
            index = self._known.pop(path, None) or LogIndex()
            self._known[path] = index
            if len(self._known) > KNOWN_LOGS:
                self._known.popitem(last=False)
            return index


def _damaged(path: Path) -> StorageError:
    return StorageError(
        f"Storage (files) failed: {shown(path)} is damaged. Mend it (a line of JSON for each item), or restore it from "
        "a backup."
    )


def _lines(items: Sequence[bytes]) -> bytes:
    return b" \n".join(items) + b"\n"


def _undo(file: int, end: int) -> None:
    """Cut off what was not kept, and have those who may have seen it read anew: the log has a new name for them."""
    with suppress(OSError):
        os.ftruncate(file, end)
        os.pwrite(file, secrets.token_hex(8).encode(), _ID_AT)
