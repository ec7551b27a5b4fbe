"""Everything that is a user's, as one ZIP file for them to take along.

``profile.json`` · ``conversations/{session id}.json``, in the documented form · ``runs/{run id}.json``, the events ·
``files/…``, what was uploaded and what runs have made, under the keys they are stored by · ``records/….json``, what the
kernel and plugins keep besides, documents' descriptions among it. Neither hashes nor keys are in it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import tempfile
import zipfile
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

from agentic.errors import BadRequest, NotFound, SessionNotFound, StorageError
from agentic.identity.identity import Identity
from agentic.identity.users import User
from agentic.messages import Json
from agentic.ports.paging import every
from agentic.ports.space import Principal
from agentic.runtime.conversations import CONVERSATIONS, RUNS, Conversations, runs_in, timestamp
from agentic.runtime.record import trace
from agentic.runtime.spaces import Scope, of_user

_UNSAFE = re.compile(r"[\x00-\x1f\x7f%\\:*?\"<>|]")


async def export(everything: Scope, identity: Identity, name: str, target: Path) -> Json:
    """Write the file, whole or not at all, for its owner alone to read; how much of each there is in it.

    Raises NotFound for an unknown user, BadRequest where ``target`` exists or cannot be written, StorageError.
    """
    user = await identity.user(name)
    if await asyncio.to_thread(target.exists):
        raise BadRequest(f"{target} is there already; name another file", param="to")
    try:
        draft = await asyncio.to_thread(_draft, target)
    except OSError as error:
        raise BadRequest(f"{target} cannot be written: {error.strerror}", param="to") from error
    try:
        archive = await asyncio.to_thread(zipfile.ZipFile, draft, "w", zipfile.ZIP_DEFLATED)
        try:
            counts = await _Export(archive, of_user(everything, Principal(user.id, user.name)), identity).write(user)
        finally:
            await asyncio.to_thread(archive.close)
        await asyncio.to_thread(_keep, draft, target)
    except OSError as error:
        raise StorageError(f"{target} could not be written: {error.strerror}") from error
    finally:
        await asyncio.to_thread(draft.unlink, missing_ok=True)
    return counts


class _Export:
    def __init__(self, archive: zipfile.ZipFile, owned: Scope, identity: Identity) -> None:
        self._archive = archive
        self._owned = owned
        self._identity = identity

    async def write(self, user: User) -> Json:
        await self._add("profile.json", await self._profile(user))
        conversations, runs = await self._conversations(user)
        return {
            "conversations": conversations,
            "runs": runs,
            "files": await self._files(),
            "records": await self._records(),
        }

    async def _profile(self, user: User) -> Json:
        return {
            "exported_at": timestamp(),
            "user": {**asdict(user), "created_at": timestamp(user.created_at)},
            "keys": [asdict(key) for key in await self._identity.keys.list(user.id)],
            "links": [asdict(link) for link in await self._identity.outsiders.links(user.id)],
        }

    async def _conversations(self, user: User) -> tuple[int, int]:
        conversations = Conversations(self._owned, user.id)
        count, runs = 0, 0
        async for stored in every(self._owned.storage, CONVERSATIONS):
            session_id = stored.key.removeprefix(CONVERSATIONS)
            try:
                conversation = await conversations.read(session_id)
            except SessionNotFound:
                # Deleted since it was listed.
                continue
            await self._add(f"conversations/{session_id}.json", conversation)
            count += 1
            for run_id in runs_in(await conversations.log(session_id)):
                try:
                    events = await trace(self._owned.storage, run_id)
                except NotFound:
                    # Cut off by a crash, or still at work: there is no record of it.
                    continue
                await self._add(f"runs/{run_id}.json", {"run_id": run_id, "session_id": session_id, "events": events})
                runs += 1
        return count, runs

    async def _files(self) -> int:
        count = 0
        async for blob in every(self._owned.blobs, ""):
            count += await self._add_file(f"files/{_safe(blob.key)}", self._owned.blobs.open(blob.key))
        return count

    async def _records(self) -> int:
        count = 0
        async for stored in every(self._owned.storage, ""):
            if not stored.key.startswith((CONVERSATIONS, RUNS)):
                await self._add(f"records/{_safe(stored.key)}.json", stored.value)
                count += 1
        return count

    async def _add(self, name: str, value: object) -> None:
        text = json.dumps(value, ensure_ascii=False, indent=2)
        await asyncio.to_thread(self._archive.writestr, name, text.encode("utf-8", "surrogatepass"))

    async def _add_file(self, name: str, pieces: AsyncIterator[bytes]) -> bool:
        """Whether it is there: one that was deleted since it was listed is left out."""
        try:
            first = await anext(pieces, b"")
        except NotFound:
            return False
        entry = await asyncio.to_thread(self._archive.open, name, "w", force_zip64=True)
        try:
            await asyncio.to_thread(entry.write, first)
            async for piece in pieces:
                await asyncio.to_thread(entry.write, piece)
        finally:
            await asyncio.to_thread(entry.close)
        return True


def _draft(target: Path) -> Path:
    handle, draft = tempfile.mkstemp(prefix=".export.", dir=target.parent)
    os.close(handle)
    return Path(draft)


def _keep(draft: Path, target: Path) -> None:
    with draft.open("rb+") as file:
        os.fsync(file.fileno())
    # Unlike a rename this never takes the place of a file that has come meanwhile.
    target.hardlink_to(draft)


def _safe(key: str) -> str:
    """The key as a path that any unpacker takes, no two of them the same."""
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", key)
