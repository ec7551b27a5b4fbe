"""The files of a conversation: given to each program, and kept as the program left them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from agentic import AgenticError, BlobStore, StorageError
from agentic_python_exec.limits import Limits
from agentic_python_exec.outcome import Outcome, is_file_name

_PREFIX = "files/"


class Session:
    """What one conversation keeps in ``blobs``: at most as many files and bytes as a program can be given."""

    def __init__(self, blobs: BlobStore, limits: Limits) -> None:
        self._blobs = blobs
        self._limits = limits

    async def load(self) -> dict[str, bytes]:
        """All files by name. Raises StorageError."""
        files: dict[str, bytes] = {}
        for blob in await self._blobs.list(_PREFIX, limit=self._limits.in_files):
            name = blob.key.removeprefix(_PREFIX)
            if is_file_name(name) and (content := await self._content(blob.key)) is not None:
                files[name] = content
        return files

    async def keep(self, before: Mapping[str, bytes], outcome: Outcome) -> list[str]:
        """Bring the kept files to where the program left them; names of those that did not fit. Raises StorageError."""
        for name in outcome.deleted:
            if name in before:
                await self._blobs.delete(_PREFIX + name)
        sizes = {name: len(content) for name, content in before.items() if name not in outcome.deleted}
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


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
