"""Documents: one JSON file each, with its version. The file's time is the time of the last save."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from agentic import StorageError, Stored, decode_value
from agentic_storage_files.disk import shown, write_whole

_HEAD = re.compile(rb'\{"version": (\d+),\s"value": ')
_LONGEST_HEAD = 64


def load(path: Path, key: str) -> Stored | None:
    """The document in the file, or None. Raises StorageError if it is damaged."""
    try:
        with path.open("rb") as file:
            updated = os.fstat(file.fileno()).st_mtime_ns / 10**9
            data = file.read()
    except (FileNotFoundError, NotADirectoryError):
        return None
    head = _HEAD.match(data)
    if head and data.endswith(b"}\n"):
        try:
            return Stored(key, decode_value(data[head.end() : -2]), int(head[1]), updated)
        except StorageError as error:
            raise _damaged(path) from error
    version, value = _edited(path, data)
    return Stored(key, value, version, updated)


def version_of(path: Path) -> int:
    """The version of the document in the file; 0 if there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_LONGEST_HEAD)
            if head := _HEAD.match(data):
                return int(head[1])
            return _edited(path, data + file.read())[0]
    except (FileNotFoundError, NotADirectoryError):
        return 0


def write(path: Path, version: int, value: bytes, updated_ns: int) -> None:
    """Have the document on the disk."""
    write_whole(path, b'{"version": %d,\n"value": %b}\n' % (version, value), updated_ns)


def _edited(path: Path, data: bytes) -> tuple[int, Any]:
    """Version and value of a file that a person has changed."""
    try:
        found = json.loads(data)
        return int(found["version"]), found["value"]
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path) from error


def _damaged(path: Path) -> StorageError:
    return StorageError(
        f'Storage (files) failed: {shown(path)} is damaged. Mend it ({{"version": …, "value": …}}), or restore it from '
        "a backup."
    )
