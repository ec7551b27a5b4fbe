"""The store of files: what the port promises, in a folder of the disk."""

from __future__ import annotations

import errno
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from agentic import Blob, BlobStore, StorageError
from agentic.workers import Threads
from agentic_blobs_files.disk import Disk, OutgoingFile
from agentic_blobs_files.listing import page

T = TypeVar("T")
logger = logging.getLogger(__name__)
THREADS = 8
PIECE = 256 * 1024
WRITTEN_AT_ONCE = 1024 * 1024


class FileBlobs(BlobStore):
    """Files below the folder ``root``, which several processes on one machine may share.

    May be made outside any event loop and used from several; folder and threads come with the first use. A key has at
    most 1024 bytes of UTF-8, and methods raise ValueError for what is no key. ``put`` that is cancelled in its very
    last step, the renaming of the whole file, has been made.
    """

    name = "files"
    rank = 10

    def __init__(self, root: Path) -> None:
        self.root = root
        self._disk = Disk(root)
        self._threads = Threads(THREADS, "files", closed="The store of files is closed.", first=self._clear)

    async def put(self, key: str, stream: AsyncIterator[bytes]) -> int:
        """Write the file apart, and have it take its place when it is whole and on the disk."""
        path = self._disk.place(key)
        file = self._disk.incoming()
        try:
            async for data in _gathered(stream):
                await self._work(partial(file.write, data))
            await self._work(file.finish)
            await self._work(partial(self._disk.keep, file, path))
        except BaseException:
            await self._work(file.discard)
            raise
        return file.size

    async def open(self, key: str, start: int = 0) -> AsyncIterator[bytes]:
        """The file's bytes from ``start`` on, as they were when it was opened."""
        if start < 0:
            raise ValueError("start is at least 0")
        file = OutgoingFile(self._disk.place(key), start)
        try:
            while data := await self._work(partial(file.read, PIECE)):
                yield data
        finally:
            file.close()

    async def size(self, key: str) -> int | None:
        """The file's size in bytes, or None."""
        return await self._work(partial(self._disk.size, self._disk.place(key)))

    async def delete(self, key: str) -> bool:
        """Remove the file; folders that it leaves empty go with it."""
        return await self._work(partial(self._disk.remove, self._disk.place(key)))

    async def delete_under(self, prefix: str) -> int:
        """Remove everything under ``prefix``, all of it at once for those who look."""
        if not prefix:
            raise ValueError("a prefix ends in '/'")
        return await self._work(partial(self._disk.remove_under, self._disk.folder(prefix)))

    async def list(self, prefix: str, *, after: str | None = None, limit: int = 100) -> Sequence[Blob]:
        """Files under ``prefix`` in key order."""
        folder = self._disk.folder(prefix)
        return await self._work(partial(page, folder, prefix, after=after, limit=limit))

    async def health(self) -> str | None:
        """None if a file can be written, else what is wrong and where."""
        try:
            await self._work(self._disk.check)
        except StorageError as error:
            return f"{self.root}: {error.message}"
        return None

    async def aclose(self) -> None:
        """Wait for what is being done, and end the threads."""
        await self._threads.aclose()

    async def _work(self, work: Callable[[], T]) -> T:
        """Do it in a thread. Raises StorageError for what the disk refuses."""
        try:
            return await self._threads.do(work)
        except OSError as error:
            raise StorageError(_told(error)) from error

    def _clear(self) -> None:
        try:
            cleared = self._disk.clear()
        except OSError as error:
            logger.warning("[Files] Not cleared: %s", error.strerror)
            return
        if cleared:
            logger.info("[Files] Cleared: %d left by a crash", cleared)


async def _gathered(stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The stream in pieces worth a way to a thread."""
    waiting: list[bytes] = []
    size = 0
    async for data in stream:
        waiting.append(data)
        size += len(data)
        if size >= WRITTEN_AT_ONCE:
            yield b"".join(waiting)
            waiting.clear()
            size = 0
    if waiting:
        yield b"".join(waiting)


def _told(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk for files is full. Make room on it, and try again."
    return f"The store of files failed: {error.strerror or type(error).__name__}."
