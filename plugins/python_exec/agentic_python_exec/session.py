"""The files of a conversation: given to each program, and kept as the program left them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping

from agentic import AgenticError, BlobStore, StorageError
from agentic_python_exec.limits import Limits
from agentic_python_exec.outcome import Outcome, is_file_name

_PREFIX = "files/"


class Session:
    """What one conversation keeps in ``blobs``: at most as many files and bytes as a program can be given."""

    def __init__(self, blobs: BlobStore, limits: Limits) -> None:
        self._blobs = blobs
        self._limits = limits

    async def load(self) -> tuple[dict[str, bytes], list[str]]:
        """Files by name, as many as a program can be given, and the names of the others. Raises StorageError.

        There are others where calls side by side have kept more than one alone may, or one has made a file where
        another has made a folder.
        """
        files: dict[str, bytes] = {}
        left_out = []
        left = self._limits.in_bytes
        for blob in await self._blobs.list(_PREFIX, limit=self._limits.in_files):
            name = blob.key.removeprefix(_PREFIX)
            if not is_file_name(name):
                continue
            if blob.size > left or any(folder in files for folder in _above(name)):
                left_out.append(name)
            elif (content := await self._content(blob.key)) is not None and len(content) <= left:
                files[name] = content
                left -= len(content)
        return files, left_out

    async def keep(self, before: Mapping[str, bytes], outcome: Outcome) -> list[str]:
        """Bring the kept files to where the program left them; names of those that did not fit. Raises StorageError."""
        for name in outcome.deleted:
            if name in before:
                await self._blobs.delete(_PREFIX + name)
        # As they are now: a call beside this one may have kept others meanwhile.
        kept = await self._blobs.list(_PREFIX, limit=2 * self._limits.in_files)
        sizes = {blob.key.removeprefix(_PREFIX): blob.size for blob in kept}
        too_much = []
        for name, content in outcome.changed:
            after = {**sizes, name: len(content)}
            if len(after) > self._limits.in_files or sum(after.values()) > self._limits.in_bytes:
                too_much.append(name)
                continue
            sizes = after
            await self._blobs.put(_PREFIX + name, _once(content))
        return too_much

    async def _content(self, key: str) -> bytes | None:
        """A file's content; None if another call has removed it meanwhile."""
        try:
            return b"".join([piece async for piece in self._blobs.open(key)])
        except StorageError:
            raise
        except AgenticError:
            return None


def _above(name: str) -> Iterator[str]:
    """The folders that lead to a file, by name."""
    parts = name.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
