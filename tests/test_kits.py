"""The kits pass what keeps its promises, and fail what breaks one: each broken adapter names the test that sees it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agentic import Stored
from agentic.testing.storage import MemoryStorage, StorageConformance


class TestMemoryStorage(StorageConformance):
    @pytest.fixture
    async def backend(self) -> MemoryStorage:
        return MemoryStorage()


class IgnoresVersions(MemoryStorage):
    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        return await super().save(key, value)


class IgnoresLengths(MemoryStorage):
    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        return await super().append(key, items)


class AppendsOneByOne(MemoryStorage):
    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        length = await super().append(key, [], if_length=if_length)
        for item in items:
            length = await super().append(key, [item])
        return length


class ForgetsTheLog(MemoryStorage):
    async def delete(self, key: str) -> bool:
        return self._documents.pop(key, None) is not None


class ListsInAnyOrder(MemoryStorage):
    async def list(
        self, prefix: str, *, after: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> Sequence[Stored]:
        return (await super().list(prefix, after=after, limit=limit))[::-1]


class NeverWaits(MemoryStorage):
    async def read(self, key: str, *, after: int = 0, limit: int = 1000, wait_s: float = 0) -> Sequence[Any]:
        return await super().read(key, after=after, limit=limit)


class TurnsNumbersIntoFloats(MemoryStorage):
    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        return await super().save(key, float(value) if isinstance(value, int) else value, if_version=if_version)


BROKEN_STORAGE = [
    (IgnoresVersions, "test_stale_version_conflicts_and_changes_nothing"),
    (IgnoresVersions, "test_of_twenty_writers_one_wins_each_version"),
    (IgnoresLengths, "test_append_is_all_or_none"),
    (AppendsOneByOne, "test_append_is_all_or_none"),
    (ForgetsTheLog, "test_delete_removes_document_and_log_alone"),
    (ListsInAnyOrder, "test_key_order_is_by_code_point_and_pages_join"),
    (ListsInAnyOrder, "test_newest_first_follows_saves_and_pages_join"),
    (NeverWaits, "test_every_waiting_reader_wakes_for_its_own_log"),
    (NeverWaits, "test_read_gives_up_after_wait_s"),
    (TurnsNumbersIntoFloats, "test_values_come_back_equal"),
]


@pytest.mark.parametrize(("broken", "test"), BROKEN_STORAGE, ids=lambda value: getattr(value, "__name__", value))
async def test_storage_that_breaks_a_promise_fails_the_kit(broken: type[MemoryStorage], test: str) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        await getattr(StorageConformance(), test)(broken())
