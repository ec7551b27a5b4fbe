"""A storage backend in memory, for tests of whatever stands on storage."""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from agentic.errors import Conflict
from agentic.ports.storage import StorageBackend, Stored


class MemoryStorage(StorageBackend):
    """Storage that lives as long as the object, within one event loop. For tests: nothing survives."""

    name = "memory"

    def __init__(self) -> None:
        self._documents: dict[str, tuple[str, int, float]] = {}
        self._logs: dict[str, list[str]] = {}
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    async def load(self, key: str) -> Stored | None:
        """The document under ``key``, or None."""
        return self._stored(key) if key in self._documents else None

    async def save(self, key: str, value: Any, *, if_version: int | None = None) -> int:
        """Write the document; raises Conflict where the stored version is not ``if_version``."""
        text = json.dumps(value)
        version = self._documents[key][1] if key in self._documents else 0
        if if_version not in (None, version):
            raise Conflict(f"{key} has version {version}, not {if_version}")
        self._documents[key] = (text, version + 1, time.time())
        return version + 1

    async def delete(self, key: str) -> bool:
        """Remove the document and the log."""
        found = self._documents.pop(key, None), self._logs.pop(key, None)
        return found != (None, None)

    async def delete_under(self, prefix: str) -> int:
        """Remove all documents and logs under ``prefix``."""
        if not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        keys = {key for key in (*self._documents, *self._logs) if key.startswith(prefix)}
        for key in keys:
            await self.delete(key)
        return len(keys)

    async def list(
        self, prefix: str, *, after: str | None = None, limit: int = 100, newest_first: bool = False
    ) -> Sequence[Stored]:
        """Documents under ``prefix``. An ``after`` that is gone begins the newest-first order anew."""
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        keys = sorted(key for key in self._documents if key.startswith(prefix))
        if newest_first:
            keys.sort(key=lambda key: self._documents[key][2], reverse=True)
            keys = keys[keys.index(after) + 1 :] if after in keys else keys
        elif after is not None:
            keys = [key for key in keys if key > after]
        return [self._stored(key) for key in keys[: max(limit, 0)]]

    async def append(self, key: str, items: Sequence[Any], *, if_length: int | None = None) -> int:
        """Append all items, or none; raises Conflict where the log's length is not ``if_length``."""
        texts = [json.dumps(item) for item in items]
        length = len(self._logs.get(key, ()))
        if if_length not in (None, length):
            raise Conflict(f"{key} has {length} items, not {if_length}")
        if texts:
            self._logs.setdefault(key, []).extend(texts)
            for waiting in self._waiting[key]:
                waiting.set()
        return length + len(texts)

    async def read(self, key: str, *, after: int = 0, limit: int = 1000, wait_s: float = 0) -> Sequence[Any]:
        """Items from position ``after`` on; waits for one where there are none."""
        deadline = time.monotonic() + wait_s
        while not (items := self._logs.get(key, [])[after:]) and (left := deadline - time.monotonic()) > 0:
            appended = asyncio.Event()
            self._waiting[key].add(appended)
            try:
                await asyncio.wait_for(appended.wait(), left)
            except TimeoutError:
                break
            finally:
                self._waiting[key].discard(appended)
        return [json.loads(item) for item in items[: max(limit, 0)]]

    async def keys(self, prefix: str, *, after: str | None = None, limit: int = 1000) -> Sequence[str]:
        """Keys of documents and logs under ``prefix``."""
        if prefix and not prefix.endswith("/"):
            raise ValueError(f"a prefix ends in '/': {prefix!r}")
        keys = {key for key in (*self._documents, *self._logs) if key.startswith(prefix)}
        return sorted(key for key in keys if after is None or key > after)[: max(limit, 0)]

    async def restore(self, stored: Stored) -> None:
        """Write the document with its version and time."""
        self._documents[stored.key] = (json.dumps(stored.value), stored.version, stored.updated)

    def _stored(self, key: str) -> Stored:
        text, version, updated = self._documents[key]
        return Stored(key, json.loads(text), version, updated)
