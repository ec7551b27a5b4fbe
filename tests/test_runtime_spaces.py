"""Spaces: each user's and plugin's own storage, as if there were nothing else."""

from __future__ import annotations

import pytest

from agentic import Principal
from agentic.runtime.spaces import ScopedStorage, of_conversation, of_plugin, of_user
from agentic.testing.http import FakeHttp, page
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_storage import MemoryStorage
from agentic.testing.storage import StorageConformance
from tests.scopes import scope_over

ALICE, AL = Principal("u-alice", "alice"), Principal("u-al", "al")


class TestScopedStorage(StorageConformance):
    """A part of a storage keeps every promise that the whole one makes."""

    @pytest.fixture
    async def backend(self) -> ScopedStorage:
        whole = MemoryStorage()
        await whole.save("spaces/other/a", "a stranger's")
        await whole.append("spaces/other/log", ["a stranger's"])
        return ScopedStorage(whole, "spaces/u/")


async def test_no_listing_reaches_another_user_even_where_ids_begin_alike() -> None:
    everything = scope_over(MemoryStorage())
    await of_user(everything, ALICE).storage.save("notes/a", "alice's")
    await of_user(everything, AL).storage.save("notes/b", "al's")
    assert [(stored.key, stored.value) for stored in await of_user(everything, AL).storage.list("")] == [
        ("notes/b", "al's")
    ]
    assert await of_user(everything, AL).storage.load("notes/a") is None
    assert not await of_user(everything, AL).storage.delete("notes/a")


async def test_plugins_of_one_user_do_not_see_each_other_nor_the_kernels_part() -> None:
    everything = scope_over(MemoryStorage())
    await of_user(everything, ALICE).storage.save("conversations/a", "the kernel's")
    await of_plugin(everything, ALICE, "dice").storage.save("state", 1)
    await of_plugin(everything, ALICE, "dice2").storage.save("state", 2)
    storage = of_plugin(everything, ALICE, "dice").storage
    assert [stored.key for stored in await storage.list("")] == ["state"]
    state = await storage.load("state")
    assert state is not None and state.value == 1
    assert await storage.load("conversations/a") is None


async def test_part_is_as_well_as_the_whole() -> None:
    class Ill(MemoryStorage):
        async def health(self) -> str | None:
            return "the disk is full"

    assert await of_user(scope_over(Ill(), MemoryBlobs()), ALICE).storage.health() == "the disk is full"


async def test_every_space_fetches_with_the_client_of_the_whole() -> None:
    web = FakeHttp({"https://example.org/": page("hello")})
    everything = scope_over(MemoryStorage(), http=web)
    for part in (
        of_plugin(everything, ALICE, "dice"),
        of_conversation(everything, ALICE, "s-1", "dice"),
        of_user(everything, AL),
    ):
        assert (await part.http.get("https://example.org/")).data == b"hello"
