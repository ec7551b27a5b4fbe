"""Moving everything from one storage to another, and from one store of files to another: resumable, and verified.

What a copy has brought over it finds again when it is begun anew: documents by version and time, logs by length, files
by size. At the end each is read from both sides and compared.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from agentic.errors import StorageError
from agentic.ports.blobs import Blob, BlobStore
from agentic.ports.paging import every, every_key
from agentic.ports.storage import StorageBackend, Stored
from agentic.runtime.presence import SERVERS

MARKER = "copying"
"""The document in the target that tells of a copy which is not at its end."""
FILES = "copying_files/"
"""Where the storage in use tells, by the name of a store of files, of a copy to that which is not at its end."""
ITEMS = 200
Tell = Callable[[str], None]
"""Called with what was copied or compared, each time: ``document``, ``log`` or ``file``."""


@dataclass(slots=True)
class Copied:
    """What a copy has compared at its end."""

    documents: int = 0
    items: int = 0
    files: int = 0
    bytes: int = 0


async def count_keys(storage: StorageBackend) -> int:
    """How many keys there are to copy. Raises StorageError."""
    return sum([1 async for _ in _keys(storage)])


async def copy_storage(source: StorageBackend, target: StorageBackend, copied: Copied, tell: Tell) -> None:
    """Copy and compare all documents and logs. Both must be at rest.

    The target counts as half a copy until ``finish``, and can be gone on with. Raises StorageError where it holds
    something else, where storage fails, and where both differ at the end.
    """
    await _begin(source, target)
    async for key in _keys(source):
        await _copy_document(source, target, key)
        await _copy_log(source, target, key)
        tell(key)
    async for key in _keys(target):
        # It was deleted after an earlier copy that came to no end.
        if not await _is_there(source, key):
            await target.delete(key)
    async for key in _keys(source):
        await _compare(source, target, key, copied)
        tell(key)


async def finish(target: StorageBackend) -> None:
    """Say of a storage that the copy in it is whole. Raises StorageError."""
    await target.delete(MARKER)


async def finish_files(storage: StorageBackend, target: BlobStore) -> None:
    """Say of a store of files that the copy in it is whole. Raises StorageError."""
    await storage.delete(FILES + target.name)


async def refuse_half_a_copy(storage: StorageBackend, blobs: BlobStore) -> None:
    """Raises StorageError where a copy to one of them is not at its end: going on with that would undo what is changed.

    A storage that does not answer is not refused: whoever needs it is told so.
    """
    try:
        marker, files = await storage.load(MARKER), await storage.load(FILES + blobs.name)
    except StorageError:
        return
    if marker is not None:
        raise StorageError(
            f"The storage {storage.name} holds a copy of {_source_in(marker)} that is not at its end. Run the same "
            f"'agentic storage copy --to {storage.name}' again, which goes on with it."
        )
    if files is not None:
        raise StorageError(
            f"The store of files {blobs.name} holds a copy that is not at its end. Run the same 'agentic storage copy "
            f"--blobs-to {blobs.name}' again, which goes on with it."
        )


async def count_files(blobs: BlobStore) -> int:
    """How many files there are to copy. Raises StorageError."""
    return sum([1 async for _ in every(blobs, "")])


async def copy_blobs(storage: StorageBackend, source: BlobStore, target: BlobStore, copied: Copied, tell: Tell) -> None:
    """Copy and compare all files. Both must be at rest.

    The target counts as half a copy in ``storage``, the one in use, until ``finish_files``. Raises StorageError where
    the target holds other files, where a store fails, and where they differ at the end.
    """
    async for blob in every(target, ""):
        if await source.size(blob.key) is None:
            raise StorageError(
                f"The store of files {target.name} holds others already, such as {blob.key}. Copy to an empty one."
            )
    await storage.save(FILES + target.name, {"from": source.name})
    async for blob in every(source, ""):
        if await target.size(blob.key) != blob.size:
            await target.put(blob.key, source.open(blob.key))
        tell(blob.key)
    async for blob in every(source, ""):
        await _compare_file(source, target, blob, copied)
        tell(blob.key)


async def _begin(source: StorageBackend, target: StorageBackend) -> None:
    marker = await target.load(MARKER)
    if marker is None:
        held = [key async for key in _keys(target)]
        if held:
            raise StorageError(
                f"The storage {target.name} holds {len(held)} keys already, such as {held[0]}. Copy to an empty one."
            )
        await target.save(MARKER, {"from": source.name})
    elif marker.value != {"from": source.name}:
        raise StorageError(
            f"The storage {target.name} holds a copy of {_source_in(marker)} that is not at its end. Finish that one."
        )


def _source_in(marker: Stored) -> str:
    return str(marker.value.get("from")) if isinstance(marker.value, dict) else "another"


async def _copy_document(source: StorageBackend, target: StorageBackend, key: str) -> None:
    stored, there = await source.load(key), await target.load(key)
    if stored is not None and (there is None or (there.version, there.updated) != (stored.version, stored.updated)):
        await target.restore(stored)
    elif stored is None and there is not None:
        await target.delete(key)


async def _copy_log(source: StorageBackend, target: StorageBackend, key: str) -> None:
    """Append what the target lacks. One that is longer there is of an earlier log of the same key: it goes."""
    whole, there = await source.append(key, []), await target.append(key, [])
    if there > whole:
        await target.delete(key)
        await _copy_document(source, target, key)
        there = 0
    while there < whole:
        items = await source.read(key, after=there, limit=ITEMS)
        if not items or await target.append(key, items, if_length=there) != there + len(items):
            raise _differs(target.name, key)
        there += len(items)


async def _compare(source: StorageBackend, target: StorageBackend, key: str, copied: Copied) -> None:
    """One that differs is copied once more, as a whole: it may be of an earlier key of the same name."""
    equal = await _equal(source, target, key)
    if equal is None:
        await target.delete(key)
        await _copy_document(source, target, key)
        await _copy_log(source, target, key)
        equal = await _equal(source, target, key)
    if equal is None:
        raise _differs(target.name, key)
    documents, items = equal
    copied.documents += documents
    copied.items += items


async def _equal(source: StorageBackend, target: StorageBackend, key: str) -> tuple[int, int] | None:
    """How many documents and items of a log both have under the key; None where they differ."""
    stored = await source.load(key)
    if stored != await target.load(key):
        return None
    at = 0
    while True:
        items: list[Any] = list(await source.read(key, after=at, limit=ITEMS))
        if items != list(await target.read(key, after=at, limit=ITEMS)):
            return None
        at += len(items)
        if not items:
            return int(stored is not None), at


async def _compare_file(source: BlobStore, target: BlobStore, blob: Blob, copied: Copied) -> None:
    wanted = await _digest(source, blob.key)
    if await target.size(blob.key) is None or await _digest(target, blob.key) != wanted:
        await target.put(blob.key, source.open(blob.key))
        if await _digest(target, blob.key) != wanted:
            raise _differs(target.name, blob.key)
    copied.files += 1
    copied.bytes += blob.size


async def _digest(blobs: BlobStore, key: str) -> bytes:
    digest = hashlib.sha256()
    async for piece in blobs.open(key):
        digest.update(piece)
    return digest.digest()


async def _is_there(storage: StorageBackend, key: str) -> bool:
    return await storage.load(key) is not None or await storage.append(key, []) > 0


async def _keys(storage: StorageBackend) -> AsyncIterator[str]:
    """All keys but those of servers and of the copy itself."""
    async for key in every_key(storage, ""):
        if key != MARKER and not key.startswith(SERVERS):
            yield key


def _differs(target: str, key: str) -> StorageError:
    return StorageError(
        f"{target} differs from its source at {key}: something wrote there meanwhile, or it does not keep what it is "
        "given. End all servers and run the command again; it goes on where it was."
    )
