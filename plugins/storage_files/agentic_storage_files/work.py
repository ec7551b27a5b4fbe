"""What storage does on the disk. Every function here blocks, and is called in a thread."""

from __future__ import annotations

import heapq
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

from agentic import Conflict, StorageError, Stored
from agentic_storage_files import documents
from agentic_storage_files.disk import make_folder, remove_file, sync_folder, tidy, write_whole
from agentic_storage_files.locks import Locks
from agentic_storage_files.logs import Logs
from agentic_storage_files.tree import DOCUMENT, LOG, NEW, Found, Tree

logger = logging.getLogger(__name__)


class Work:
    """Documents and logs of one tree, whose locks all its processes share."""

    def __init__(self, tree: Tree, locks: Locks) -> None:
        self._tree = tree
        self._locks = locks
        self._logs = Logs()

    def load(self, key: str) -> Stored | None:
        """The document, or None."""
        return documents.load(self._tree.place(key).document, key)

    def save(self, key: str, value: bytes, if_version: int | None) -> int:
        """Write the document; its new version. Raises Conflict."""
        path = self._tree.place(key).document
        with self._locks.of(key):
            version = documents.version_of(path)
            if if_version not in (None, version):
                changed = "The document was changed in between." if if_version else "The document exists already."
                raise Conflict(changed)
            documents.write(path, version + 1, value, time.time_ns())
        return version + 1

    def restore(self, stored: Stored, value: bytes) -> None:
        """Write the document with its version and time."""
        with self._locks.of(stored.key):
            path = self._tree.place(stored.key).document
            documents.write(path, stored.version, value, _nanoseconds(stored.updated))

    def append(self, key: str, items: Sequence[bytes], if_length: int | None) -> int:
        """Append all items or none; the new length. Raises Conflict."""
        with self._locks.of(key):
            return self._logs.append(self._tree.place(key).log, items, if_length)

    def read(self, key: str, after: int, limit: int) -> list[Any]:
        """Items from position ``after`` on."""
        return self._logs.read(self._tree.place(key).log, after, limit)

    def delete(self, key: str) -> bool:
        """Remove document and log, and folders that are empty then."""
        place = self._tree.place(key)
        with self._locks.of(key):
            removed = [remove_file(path) for path in (place.document, place.log)]
        if any(removed):
            with suppress(FileNotFoundError):
                sync_folder(place.folder)
            tidy(place.folder, frozenset(self._tree.roots))
        return any(removed)

    def delete_under(self, prefix: str) -> int:
        """Remove all under the prefix; how many keys that were. Nobody writes meanwhile."""
        with self._locks.everything():
            count = sum(1 for _ in self._tree.found(prefix))
            roots = frozenset(self._tree.roots)
            for folder in list(self._tree.folders(prefix)):
                _empty(folder)
                tidy(folder, roots)
        return count

    def keys(self, prefix: str, after: str | None, limit: int) -> list[str]:
        """Keys of documents and logs in order."""
        return [found.key for found in islice(self._tree.found(prefix, after), max(limit, 0))]

    def list_by_key(self, prefix: str, after: str | None, limit: int) -> list[Stored]:
        """Documents in key order."""
        loaded = (documents.load(found.place.document, found.key) for found in self._documents(prefix, after))
        # A document may go while it is listed.
        return list(islice((stored for stored in loaded if stored), max(limit, 0)))

    def list_by_updated(self, prefix: str, after: str | None, limit: int) -> list[Stored]:
        """Documents, the last saved first, without damaged ones. An ``after`` that is gone begins anew."""
        found = []
        for one in self._documents(prefix, None):
            with suppress(FileNotFoundError):
                # One for each document: a Path would cost more than the call.
                state = os.stat(f"{one.place.folder}/{one.place.stem}{DOCUMENT}")  # noqa: PTH116
                found.append((-state.st_mtime_ns, one.key))
        seen = next((one for one in found if one[1] == after), None)
        behind = found if seen is None else [one for one in found if one > seen]
        heapq.heapify(behind)
        listed: list[Stored] = []
        while behind and len(listed) < limit:
            key = heapq.heappop(behind)[1]
            try:
                stored = documents.load(self._tree.place(key).document, key)
            except StorageError as error:
                logger.error("[FileStorage] Passed over in a list: %s", error.message)
                continue
            if stored:
                listed.append(stored)
        return listed

    def check(self) -> None:
        """Raise OSError if one of the folders takes no file."""
        for root in self._tree.roots:
            make_folder(root)
            path = root / f".health-{os.getpid()}"
            try:
                write_whole(path, b"?")
            finally:
                remove_file(path)

    def _documents(self, prefix: str, after: str | None) -> Iterator[Found]:
        return (found for found in self._tree.found(prefix, after) if found.has_document)


def _nanoseconds(seconds: float) -> int:
    """The whole and the rest apart: together they are more than a float can hold."""
    return int(seconds) * 10**9 + round(seconds % 1 * 1e9)


def _empty(folder: Path) -> None:
    """Remove the files of ours in a folder, those that a crash has left included."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for path in list(folder.iterdir()):
            if path.name.endswith((DOCUMENT, LOG)) or (path.name.startswith(".") and path.name.endswith(NEW)):
                path.unlink(missing_ok=True)
