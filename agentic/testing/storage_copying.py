"""The part of the storage kit about what a copy to another storage needs."""

from __future__ import annotations

import pytest

from agentic.ports.storage import StorageBackend, Stored


class CopiedStorageConformance:
    """All keys by name, and documents as they were. :class:`agentic.testing.storage.StorageConformance` includes it."""

    async def test_keys_are_those_of_documents_and_of_logs(self, backend: StorageBackend) -> None:
        for key in ("u/1/both", "u/1/document", "u/10/a", "z"):
            await backend.save(key, 1)
        for key in ("u/1/both", "u/1/deep/log", "u/1/log", "u/1", "é"):
            await backend.append(key, [1])
        inside = ["u/1/both", "u/1/deep/log", "u/1/document", "u/1/log"]
        everything = ["u/1", *inside, "u/10/a", "z", "é"]
        assert list(await backend.keys("u/1/")) == inside
        assert list(await backend.keys("")) == everything
        assert list(await backend.keys("", after="u/1/c", limit=3)) == everything[2:5]
        assert list(await backend.keys("nothing/")) == list(await backend.keys("", limit=0)) == []
        with pytest.raises(ValueError, match="/"):
            await backend.keys("u")

    async def test_restored_document_has_its_version_and_time(self, backend: StorageBackend) -> None:
        kept = Stored("d/kept", {"text": "as it was"}, 41, 1_700_000_000.25)
        await backend.save("d/kept", "overwritten")
        for stored in (kept, Stored("d/older", None, 1, 1_600_000_000.5)):
            await backend.restore(stored)
            assert await backend.load(stored.key) == stored
        await backend.save("d/new", 1)
        newest = [stored.key for stored in await backend.list("d/", newest_first=True)]
        assert newest == ["d/new", "d/kept", "d/older"]
        assert await backend.save("d/kept", "and goes on", if_version=41) == 42
