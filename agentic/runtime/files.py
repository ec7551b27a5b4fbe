"""Files that a run makes: stored as the user's, told as events, and linked in the answer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Sequence
from pathlib import PurePosixPath
from urllib.parse import quote

from agentic.errors import NotFound
from agentic.events import Entry, File, FileAdded
from agentic.ports.blobs import BlobStore
from agentic.runtime.channel import Channel

PREFIX = "runs/"
RUN_ID = re.compile(r"run_[0-9a-f]{20}")
UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\:*?\"<>|]+")
LONGEST = 120
IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Media types that browsers show without running anything in them."""


class RunFiles:
    """The files of one run, in the store of its user."""

    def __init__(self, blobs: BlobStore, run_id: str, channel: Channel) -> None:
        self._blobs = blobs
        self._run_id = run_id
        self._channel = channel
        self._taken: set[str] = set()

    async def save(self, name: str, media_type: str, data: bytes) -> File:
        """See :meth:`agentic.ports.tool.ToolContext.save_file`."""
        kept = self._free(file_name(name))
        self._taken.add(kept)
        await self._blobs.put(file_key(self._run_id, kept), _once(data))
        file = File(kept, media_type, len(data), f"/api/runs/{self._run_id}/files/{quote(kept)}")
        self._channel.emit(FileAdded(file))
        return file

    def _free(self, name: str) -> str:
        path = PurePosixPath(name)
        numbered = (f"{path.stem}-{n}{path.suffix}" for n in range(2, len(self._taken) + 3))
        return next(one for one in (name, *numbered) if one not in self._taken)


def file_key(run_id: str, name: str) -> str:
    """Where a run's file lies. Raises NotFound for what is no run's id or no file's name."""
    if not RUN_ID.fullmatch(run_id) or name != file_name(name):
        raise NotFound("There is no such file.")
    return f"{PREFIX}{run_id}/{name}"


def file_name(text: str) -> str:
    """A name that any file system takes, made of ``text``: its last part, without what has a meaning elsewhere."""
    last = unicodedata.normalize("NFC", text).replace("\\", "/").rstrip("/").rpartition("/")[2]
    clean = UNSAFE.sub("_", last).strip(" .") or "file"
    path = PurePosixPath(clean)
    return clean if len(clean) <= LONGEST else f"{path.stem[: LONGEST - len(path.suffix[:20])]}{path.suffix[:20]}"


def links(entries: Sequence[Entry], text: str) -> str:
    """Markdown links to the files that the answer does not name itself; empty if there are none."""
    files = [entry.event.file for entry in entries if isinstance(entry.event, FileAdded)]
    missing = [file for file in files if file.url not in text]
    return "\n".join(f"{'!' if file.media_type in IMAGES else ''}[{file.name}]({file.url})" for file in missing)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
