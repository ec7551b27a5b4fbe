"""Files found in key order, without reading more folders than the page needs."""

from __future__ import annotations

import heapq
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from agentic import Blob
from agentic_blobs_files.names import GOES_ON, is_file, text_of


def page(folder: Path, prefix: str, *, after: str | None, limit: int) -> list[Blob]:
    """The first files within the folder of ``prefix`` whose keys come after ``after``."""
    return list(islice(_blobs(str(folder), prefix, after or ""), max(limit, 0)))


def _blobs(folder: str, prefix: str, after: str) -> Iterator[Blob]:
    for key, path in _found(folder, prefix, after):
        # A file may go while it is listed.
        with suppress(FileNotFoundError):
            state = Path(path).stat()
            if stat.S_ISREG(state.st_mode):
                yield Blob(key, state.st_size, state.st_mtime)


def _found(folder: str, prefix: str, after: str) -> Iterator[tuple[str, str]]:
    """Keys in order, each with its file's path.

    The heap holds what may come next: a file by its key, a folder by what all keys within begin with. So the smallest
    is either the next file, or the only folder in which that may be.
    """
    heap = _entries(folder, prefix)
    heapq.heapify(heap)
    while heap:
        start, path, is_key = heapq.heappop(heap)
        if is_key:
            if start > after:
                yield start, path
        elif start > after or after.startswith(start):
            for entry in _entries(path, start):
                heapq.heappush(heap, entry)


def _entries(folder: str, prefix: str) -> list[tuple[str, str, bool]]:
    """What lies in a folder: the beginning of its keys, its path, and whether it is a file."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            text = text_of(entry.name)
            if text is not None:
                is_key = is_file(entry.name)
                slash = "" if is_key or entry.name.endswith(GOES_ON) else "/"
                found.append((f"{prefix}{text}{slash}", entry.path, is_key))
    return found
