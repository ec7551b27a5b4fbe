"""Kit for storage backends: :class:`StorageConformance`. For tests of everything else: :class:`MemoryStorage`.

A plugin subclasses the kit in its own tests and says how its backend is made::

    class TestMyStorage(StorageConformance):
        @pytest.fixture
        async def backend(self, tmp_path):
            backend = MyStorage(tmp_path)
            yield backend
            await backend.aclose()

        @pytest.fixture
        def reopen(self, tmp_path):
            return lambda: MyStorage(tmp_path)

        @pytest.fixture
        def maker(self, tmp_path):
            return f"from my_storage import MyStorage\\ndef make(): return MyStorage({str(tmp_path)!r})"

The tests are async: run them with pytest-asyncio in auto mode.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from agentic.errors import AgenticError, Conflict
from agentic.ports.storage import StorageBackend
from agentic.testing.memory_storage import MemoryStorage
from agentic.testing.storage_copying import CopiedStorageConformance
from agentic.testing.storage_killing import KilledStorageConformance
from agentic.testing.storage_sharing import SharedStorageConformance

__all__ = ["MemoryStorage", "StorageConformance"]

NOT_JSON = (TypeError, ValueError, AgenticError)
VALUES = [
    None,
    True,
    0,
    2**53,
    -(2**53),
    0.1,
    -1.5e300,
    "",
    'quote " back\\slash \x00 \u2028 é 漢字 😀',
    [],
    {},
    [[], {}, [None, False, 0, 0.5, "x"]],
    {"": {"deep": [{"a": [1, 2, {"b": None}]}]}, "ключ": "значение"},
]
KEYS = [
    "a",
    "a b",
    "é",
    "e\u0301",
    "漢/字",
    "😀",
    "A",
    "..",
    "x/../y",
    "x//y",
    ".hidden",
    "quote'\"",
    "%",
    "_",
    "k" * 1024,
]


class StorageConformance(SharedStorageConformance, CopiedStorageConformance, KilledStorageConformance):
    """All that the port promises. Override ``backend`` and, where data can be shared, ``reopen`` and ``maker``."""

    @pytest.fixture
    async def backend(self) -> StorageBackend:
        """The backend under test, empty and fresh."""
        raise NotImplementedError("override the fixture `backend`")

    @pytest.fixture
    def reopen(self) -> Callable[[], StorageBackend] | None:
        """Opens one more backend on the same data, as another process would; None where there is no such thing."""
        return None

    async def test_missing_key_is_none_empty_and_not_deleted(self, backend: StorageBackend) -> None:
        assert await backend.load("nothing") is None
        assert list(await backend.read("nothing")) == []
        assert await backend.delete("nothing") is False

    async def test_versions_count_saves_from_one(self, backend: StorageBackend) -> None:
        before = time.time()
        assert [await backend.save("doc", {"n": n}) for n in range(3)] == [1, 2, 3]
        stored = await backend.load("doc")
        assert stored is not None
        assert (stored.key, stored.value, stored.version) == ("doc", {"n": 2}, 3)
        assert before - 1 <= stored.updated <= time.time() + 1, "updated is wall time in seconds"

    async def test_stale_version_conflicts_and_changes_nothing(self, backend: StorageBackend) -> None:
        with pytest.raises(Conflict):
            await backend.save("doc", "x", if_version=1)
        assert await backend.load("doc") is None
        assert await backend.save("doc", "first", if_version=0) == 1
        assert await backend.save("doc", "second", if_version=1) == 2
        for stale in (0, 1, 3):
            with pytest.raises(Conflict):
                await backend.save("doc", "late", if_version=stale)
        stored = await backend.load("doc")
        assert stored is not None
        assert (stored.value, stored.version) == ("second", 2)

    async def test_of_twenty_writers_one_wins_each_version(self, backend: StorageBackend) -> None:
        for version in range(3):
            tries = (backend.save("doc", writer, if_version=version) for writer in range(20))
            results = await asyncio.gather(*tries, return_exceptions=True)
            assert results.count(version + 1) == 1
            assert sum(isinstance(result, Conflict) for result in results) == 19
            stored = await backend.load("doc")
            assert stored is not None
            assert stored.value == results.index(version + 1)

    async def test_writes_in_order_are_all_made_and_the_first_that_fails_is_told(self, backend: StorageBackend) -> None:
        await backend.in_order(backend.save("doc", 1), backend.append("doc", [1]), backend.save("doc", 2, if_version=1))
        assert await backend.read("doc") == [1]
        with pytest.raises(Conflict):
            await backend.in_order(backend.append("doc", [2], if_length=0), backend.append("other", [3]))
        assert await backend.read("doc") == [1]
        stored = await backend.load("doc")
        assert stored is not None and stored.value == 2

    async def test_values_come_back_equal(self, backend: StorageBackend) -> None:
        for number, value in enumerate(VALUES):
            await backend.save(f"value/{number}", value)
        await backend.append("value", VALUES)
        documents = [await backend.load(f"value/{number}") for number in range(len(VALUES))]
        for value, stored, item in zip(VALUES, documents, await backend.read("value"), strict=True):
            assert stored is not None
            assert _written(stored.value) == _written(value) == _written(item)

    async def test_value_of_ten_megabytes_is_kept(self, backend: StorageBackend) -> None:
        value = {"text": "0123456789" * 1_000_000}
        await backend.save("big", value)
        await backend.append("big", [value])
        stored = await backend.load("big")
        assert stored is not None
        assert stored.value == value
        assert list(await backend.read("big")) == [value]

    async def test_changing_a_value_in_memory_does_not_change_storage(self, backend: StorageBackend) -> None:
        value = {"list": [1]}
        await backend.save("doc", value)
        value["list"].append(2)
        loaded = await backend.load("doc")
        assert loaded is not None
        loaded.value["list"].append(3)
        again = await backend.load("doc")
        assert again is not None
        assert again.value == {"list": [1]}

    async def test_keys_may_hold_any_text_and_stay_apart(self, backend: StorageBackend) -> None:
        for key in KEYS:
            assert await backend.save(key, key, if_version=0) == 1
            assert await backend.append(key, [key], if_length=0) == 1
        for key in KEYS:
            stored = await backend.load(key)
            assert stored is not None
            assert (stored.key, stored.value, list(await backend.read(key))) == (key, key, [key])
        assert [stored.key for stored in await backend.list("")] == sorted(KEYS)

    async def test_listing_ends_at_the_slash_and_takes_wildcards_as_they_are(self, backend: StorageBackend) -> None:
        inside = ["u/1/a", "u/1/b/c", "u/1/ä"]
        for key in [*inside, "u/1", "u/10/a", "u/2/a", "U/1/a", "u%1/a", "u_1/a"]:
            await backend.save(key, None)
        await backend.append("u/1/only-a-log", [1])
        for newest_first in (False, True):
            assert sorted(await _keys(backend, "u/1/", newest_first=newest_first)) == inside
            for wild in ("%/", "u%/", "u_1/", "u/_/"):
                expected = ["u_1/a"] if wild == "u_1/" else []
                assert await _keys(backend, wild, newest_first=newest_first) == expected

    async def test_key_order_is_by_code_point_and_pages_join(self, backend: StorageBackend) -> None:
        keys = [f"p/{name}" for name in ("-", "10", "9", "Z", "a", "a/b", "é", "\uffee", "😀")]
        for key in reversed(keys):
            await backend.save(key, None)
        assert await _keys(backend, "p/") == keys
        assert await _pages(backend, "p/", newest_first=False) == keys
        assert await _keys(backend, "p/", after="p/M") == keys[3:], "`after` need not exist"

    async def test_newest_first_follows_saves_and_pages_join(self, backend: StorageBackend) -> None:
        for name in ("b", "d/deep", "a", "c", "d/deep", "b"):
            await backend.save(f"p/{name}", None)
            await asyncio.sleep(0.002)
        newest = ["p/b", "p/d/deep", "p/c", "p/a"]
        assert await _keys(backend, "p/", newest_first=True) == newest
        assert await _pages(backend, "p/", newest_first=True) == newest
        assert await _keys(backend, "p/", limit=0, newest_first=True) == []

    async def test_log_keeps_order_and_tells_its_length(self, backend: StorageBackend) -> None:
        assert await backend.append("log", []) == 0
        assert await backend.append("log", [0, 1]) == 2
        assert await backend.append("log", [2]) == 3
        assert await backend.append("log", []) == 3
        assert list(await backend.read("log")) == [0, 1, 2]
        assert list(await backend.read("log", after=1, limit=1)) == [1]
        assert list(await backend.read("log", after=3)) == list(await backend.read("log", after=99)) == []
        assert await backend.load("log") is None, "a log alone is no document"

    async def test_log_is_read_a_thousand_items_at_a_time(self, backend: StorageBackend) -> None:
        assert await backend.append("log", list(range(1500))) == 1500
        assert list(await backend.read("log")) == list(range(1000))
        assert list(await backend.read("log", after=1000)) == list(range(1000, 1500))

    async def test_append_is_all_or_none(self, backend: StorageBackend) -> None:
        await backend.append("log", [0], if_length=0)
        for wrong in (0, 2):
            with pytest.raises(Conflict):
                await backend.append("log", [1, 2], if_length=wrong)
            with pytest.raises(Conflict):
                await backend.append("log", [], if_length=wrong)
        with pytest.raises(NOT_JSON):
            await backend.append("log", [1, object()])
        assert list(await backend.read("log")) == [0]
        assert await backend.append("log", [1, 2], if_length=1) == 3

    async def test_value_that_is_not_json_is_refused_and_the_old_one_stays(self, backend: StorageBackend) -> None:
        await backend.save("doc", 1)
        with pytest.raises(NOT_JSON):
            await backend.save("doc", {"x": object()})
        stored = await backend.load("doc")
        assert stored is not None
        assert (stored.value, stored.version) == (1, 1)

    async def test_delete_removes_document_and_log_alone(self, backend: StorageBackend) -> None:
        for key in ("k", "k/below", "other"):
            await backend.save(key, 1)
            await backend.append(key, [1, 2])
        await backend.append("log", [1])
        assert await backend.delete("k") is True
        assert await backend.delete("log") is True
        assert (await backend.load("k"), list(await backend.read("k"))) == (None, [])
        assert await backend.delete("k") is False
        assert await _keys(backend, "") == ["k/below", "other"]
        assert list(await backend.read("k/below")) == [1, 2]
        assert await backend.append("k", ["new"], if_length=0) == 1
        assert await backend.save("k", "new", if_version=0) == 1

    async def test_delete_under_takes_documents_and_logs_and_ends_at_the_slash(self, backend: StorageBackend) -> None:
        stay = ["u", "u/1", "u/10/a", "U/1/a", "u%1/a", "u/2/a"]
        for key in ("u/1/a", "u/1/b/c", "u/1/%", *stay):
            await backend.save(key, 1)
            await backend.append(key, [1, 2])
        await backend.append("u/1/only-a-log", [1])
        await backend.save("u/1/only-a-document", 1)
        assert await backend.delete_under("u/1/") == 5, "a key with document and log counts once"
        assert await _keys(backend, "") == sorted(stay)
        for gone in ("u/1/a", "u/1/b/c", "u/1/only-a-log"):
            assert (await backend.load(gone), list(await backend.read(gone))) == (None, [])
        assert [list(await backend.read(key)) for key in stay] == [[1, 2]] * len(stay)
        assert await backend.delete_under("u/1/") == await backend.delete_under("nothing/") == 0
        assert await backend.append("u/1/a", ["new"], if_length=0) == 1
        assert await backend.save("u/1/a", "new", if_version=0) == 1

    async def test_prefix_without_its_slash_is_refused_and_nothing_is_deleted(self, backend: StorageBackend) -> None:
        await backend.save("u/1", 1)
        for prefix in ("u", "", "u/1"):
            with pytest.raises(ValueError, match="/"):
                await backend.delete_under(prefix)
        with pytest.raises(ValueError, match="/"):
            await backend.list("u")
        assert await _keys(backend, "") == ["u/1"]

    async def test_health_is_none_when_it_works(self, backend: StorageBackend) -> None:
        assert await backend.health() is None


def _written(value: Any) -> str:
    """As JSON, which tells 1 from 1.0 and from true."""
    return json.dumps(value, sort_keys=True)


async def _keys(backend: StorageBackend, prefix: str, **options: Any) -> list[str]:
    return [stored.key for stored in await backend.list(prefix, **options)]


async def _pages(backend: StorageBackend, prefix: str, *, newest_first: bool) -> list[str]:
    keys: list[str] = []
    while page := await _keys(backend, prefix, after=keys[-1] if keys else None, limit=2, newest_first=newest_first):
        keys += page
    return keys
