"""Files that a run makes: stored as the user's, told as events, and linked in the answer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import PurePosixPath
from urllib.parse import quote, unquote

from agentic.errors import NotFound, QuotaExceeded, RunEnded, ToolError
from agentic.events import Entry, File, FileAdded
from agentic.ports.blobs import BlobStore
from agentic.runtime.channel import Channel
from agentic.runtime.conversations import RUNS

RUN_ID = re.compile(r"run_[0-9a-f]{20}")
RESERVED = re.compile(r"[/\\:*?\"<>|]")
LONGEST, LONGEST_SUFFIX = 120, 20
SHOWN = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
}
"""Files that browsers show without running anything in them, by suffix; all others are downloaded."""
Room = Callable[[], AbstractAsyncContextManager[Callable[[int], None]]]
"""The room that the user has for files: what it gives is told of a file's size, and raises QuotaExceeded."""


@asynccontextmanager
async def nowhere() -> AsyncIterator[Callable[[int], None]]:
    """There is room for nobody: of the run nothing is to be kept. Raises ToolError."""
    raise ToolError("This request wants nothing of it to be kept, so no file can be made for it.")
    yield


class RunFiles:
    """The files of one run, in the store of its user."""

    def __init__(self, blobs: BlobStore, run_id: str, channel: Channel, room: Room) -> None:
        self._blobs = blobs
        self._room = room
        self._run_id = run_id
        self._channel = channel
        # A run that goes on after a restart has made files already.
        self._taken = {entry.event.file.name for entry in channel.entries if isinstance(entry.event, FileAdded)}

    async def save(self, name: str, media_type: str, data: bytes) -> File:
        """See :meth:`agentic.ports.tool.ToolContext.save_file`. A file that comes after the run's end is not kept.

        Raises ToolError where the user's room is used up.
        """
        kept = self._free(_with_suffix(file_name(name), media_type))
        self._taken.add(kept)
        key = file_key(self._run_id, kept)
        try:
            async with self._room() as take:
                take(len(data))
                await self._blobs.put(key, once(data))
        except QuotaExceeded as error:
            self._taken.discard(kept)
            raise ToolError(f"The file '{kept}' was not kept: {error.message}") from error
        file = File(kept, media_type, len(data), f"/api/runs/{self._run_id}/files/{quote(kept)}")
        try:
            self._channel.emit(FileAdded(file))
        except RunEnded:
            await self._blobs.delete(key)
            raise
        return file

    def _free(self, name: str) -> str:
        numbered = (_shortened(name, f"-{n}") for n in range(2, len(self._taken) + 3))
        return next(one for one in (name, *numbered) if one not in self._taken)


def file_key(run_id: str, name: str) -> str:
    """Where a run's file lies. Raises NotFound for what is no run's id or no file's name."""
    if not RUN_ID.fullmatch(run_id) or name != file_name(name):
        raise _unknown()
    return f"{RUNS}{run_id}/{name}"


async def file_size(blobs: BlobStore, run_id: str, name: str) -> int:
    """The bytes of a run's file. Raises NotFound."""
    size = await blobs.size(file_key(run_id, name))
    if size is None:
        raise _unknown()
    return size


def file_name(text: str) -> str:
    """A name that any file system takes, made of ``text``: its last part, without what has a meaning elsewhere.

    Invisible characters are such too: control characters, halves of a pair, marks that turn the direction of writing.
    """
    last = text.replace("\\", "/").rstrip("/").rpartition("/")[2]
    seen = "".join("_" if unicodedata.category(character)[0] == "C" else character for character in last)
    clean = RESERVED.sub("_", unicodedata.normalize("NFC", seen)).strip(" .")
    return _shortened(clean, "") if clean else "file"


def shown_as(name: str) -> str | None:
    """The media type under which browsers may show the file; None if it is to be downloaded."""
    return SHOWN.get(PurePosixPath(name).suffix.lower())


def links(entries: Sequence[Entry], text: str) -> str:
    """Markdown links to the files that the answer does not name itself; empty if there are none."""
    return "\n".join(_link(file) for file in made_files(entries) if not _is_named(file.url, text))


def made_files(entries: Sequence[Entry]) -> list[File]:
    """The files that a run has made."""
    return [entry.event.file for entry in entries if isinstance(entry.event, FileAdded)]


def _link(file: File) -> str:
    title = re.sub(r"([\[\]`])", r"\\\1", file.name)
    return f"{'!' if shown_as(file.name) else ''}[{title}]({file.url})"


def _is_named(url: str, text: str) -> bool:
    """Whether the text holds this address, and not just a longer one that begins with it."""
    return any(re.search(rf"{re.escape(one)}(?!\.?[\w%~-])", text) for one in (url, unquote(url)))


def _with_suffix(name: str, media_type: str) -> str:
    """The name with the suffix of an image that browsers show, because by that it is served."""
    if media_type not in SHOWN.values() or shown_as(name) == media_type:
        return name
    suffix = next(suffix for suffix, shown in SHOWN.items() if shown == media_type)
    return _shortened(f"{name}{suffix}", "")


def _shortened(name: str, end: str) -> str:
    """The name with ``end`` before its suffix, cut to what fits."""
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix) <= LONGEST_SUFFIX else ""
    stem = name.removesuffix(suffix)[: LONGEST - len(suffix) - len(end)]
    return f"{stem}{end}{suffix}".strip(" .")


def _unknown() -> NotFound:
    return NotFound("There is no such file.")


async def once(data: bytes) -> AsyncIterator[bytes]:
    """What is there already, as a stream."""
    yield data
