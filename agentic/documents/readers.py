"""Which reader takes a document apart, and its work in a process of its own, with limits."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from agentic.documents.record import Record, file_key, pages_key
from agentic.documents.worker import no_room
from agentic.errors import StorageError, ToolError, ToolRetry, UnsupportedType
from agentic.ports.blobs import BlobStore
from agentic.ports.documents import DocumentReader
from agentic.runtime.presence import Presence
from agentic.workers import NoWorker, Words, WorkerPool

logger = logging.getLogger(__name__)

HEAD = 64 * 1024
"""The first bytes, by which a document's type is told."""
DISCARDS, DISCARD_S = 20, 0.05
PIECE = 256 * 1024
_LONGEST_NAME, _LONGEST_SUFFIX = 200, 20
_MODULE = "agentic.documents.worker"
_WORDS = Words(
    busy="No process became free to read it (READER_WORKERS).",
    slow="Reading it takes longer than it may (READER_TIMEOUT). Split it up, or raise the limit.",
    died="The process that read it broke down: it is damaged, or takes more memory than it may (READER_MEMORY_MB).",
    absent="No process could be started to read it. The log says more.",
)


class Readers:
    """The installed readers, by name, the highest rank first.

    ``folder`` holds files while they are read; it is this process's alone, and called as the process is.
    """

    def __init__(
        self,
        readers: Mapping[str, DocumentReader],
        folder: Path,
        *,
        workers: int = 2,
        timeout_s: float = 300,
        memory_mb: int = 1024,
        most_characters: int = 20_000_000,
    ) -> None:
        self._readers = readers
        self._folder = folder
        self._most = most_characters
        self._room = asyncio.Semaphore(workers)
        self._pool = WorkerPool(_MODULE, timeout_s=timeout_s, memory_mb=memory_mb, words=_WORDS, size=workers)

    @property
    def media_types(self) -> list[str]:
        """All types that can be read."""
        return sorted({one for reader in self._readers.values() for one in reader.media_types})

    async def recognise(self, head: bytes, name: str) -> tuple[str, DocumentReader]:
        """The type of a document by its first bytes, and who reads it. Raises UnsupportedType."""
        return await asyncio.to_thread(self._recognise, head, name)

    async def read(self, record: Record, blobs: BlobStore) -> int:
        """Read a document and keep its pages; how many they are.

        Raises ToolError with what is wrong, for the user; StorageError, also where the server has no room or no process
        to read it.
        """
        async with self._room:
            folder = self._folder / record.document.id
            try:
                await asyncio.to_thread(_renew, folder)
                return await self._read(record, blobs, folder)
            except OSError as error:
                raise StorageError(no_room(error)) from error
            finally:
                await asyncio.shield(asyncio.to_thread(_discard, folder))

    async def clear(self, presence: Presence) -> None:
        """Remove what processes that are gone were reading. Raises StorageError."""
        for folder in await asyncio.to_thread(_folders, self._folder.parent):
            if folder != self._folder and not await presence.is_alive(folder.name):
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def aclose(self) -> None:
        """End the processes."""
        await self._pool.aclose()
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)

    async def _read(self, record: Record, blobs: BlobStore, folder: Path) -> int:
        document = record.document
        path, out = folder / local_name(document.name), folder / "pages.jsonl.partial"
        head = await _copy(blobs.open(file_key(document.id, document.name)), path)
        try:
            _, reader = await self.recognise(head, document.name)
        except UnsupportedType as error:
            raise ToolError(error.message) from error
        kind = type(reader)
        asked = {"module": kind.__module__, "class": kind.__qualname__, "path": str(path), "out": str(out)}
        try:
            pages = int(await self._pool.ask({**asked, "most": self._most}))
        except (NoWorker, ToolRetry) as error:
            # It is not the document that is at fault.
            raise StorageError(error.message) from error
        await blobs.put(pages_key(document.id), file_pieces(out))
        return pages

    def _recognise(self, head: bytes, name: str) -> tuple[str, DocumentReader]:
        for reader in self._readers.values():
            try:
                found = reader.recognise(head, name)
            except Exception:
                logger.exception("[Readers] Not recognised: %s failed", reader.name)
                continue
            if found in reader.media_types:
                return found, reader
        known = ", ".join(self.media_types) or "none; install a plugin that reads documents"
        raise UnsupportedType(f"Files of this kind cannot be read here. Types that can: {known}.", param="file")


def local_name(name: str) -> str:
    """A document's name as a file system takes it: no longer than it may be, with its suffix."""
    suffix = PurePosixPath(name).suffix
    suffix = suffix if len(suffix.encode()) <= _LONGEST_SUFFIX else ""
    stem = name.removesuffix(suffix).encode()[: _LONGEST_NAME - _LONGEST_SUFFIX]
    return stem.decode(errors="ignore") + suffix


def _folders(parent: Path) -> list[Path]:
    return list(parent.iterdir()) if parent.is_dir() else []


def _renew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)


def _discard(folder: Path) -> None:
    """Remove a folder, into which a process that is being ended may still write."""
    for _ in range(DISCARDS):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(DISCARD_S)
    logger.warning("[Readers] Not removed: %s", folder.name)


async def _copy(pieces: AsyncIterator[bytes], path: Path) -> bytes:
    """Write a stream to a file; its first bytes."""
    head = b""
    file = await asyncio.to_thread(path.open, "wb")
    try:
        async for piece in pieces:
            if len(head) < HEAD:
                head += piece[: HEAD - len(head)]
            await asyncio.to_thread(file.write, piece)
    finally:
        await asyncio.to_thread(file.close)
    return head


async def file_pieces(path: Path, size: int = PIECE) -> AsyncIterator[bytes]:
    """What a local file holds, in pieces. Raises OSError."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(partial(file.read, size)):
            yield piece
    finally:
        await asyncio.to_thread(file.close)
