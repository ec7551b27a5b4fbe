"""Whether what lies under a user's conversations and runs belongs to a conversation that is there."""

from __future__ import annotations

import re

from agentic.ports.storage import StorageBackend
from agentic.runtime.conversations import PREFIX as CONVERSATIONS
from agentic.runtime.conversations import SUMMARIES
from agentic.runtime.journal import OPEN
from agentic.runtime.presence import PREFIX as SERVERS
from agentic.runtime.record import PREFIX as RUNS

_TALK = re.compile(rf"(?:{CONVERSATIONS}|{SUMMARIES}|sessions/)([^/]+)(?:/.*)?", re.DOTALL)
_RUN = re.compile(rf"{RUNS}(run_(?P<server>[0-9a-f]{{8}})[0-9a-f]{{12}})(?:/.*)?", re.DOTALL)


class Owners:
    """Looks up the conversations of all users. What was found once is not looked up again."""

    def __init__(self, storage: StorageBackend) -> None:
        self._storage = storage
        self._there: set[str] = set()

    async def is_lost(self, space: str, rest: str) -> bool:
        """Whether ``rest``, a key within a user's ``space``, is of a conversation that is gone. Raises StorageError.

        False for what is of no conversation at all.
        """
        if (talk := _TALK.fullmatch(rest)) is not None:
            return not await self._is_there(space, talk[1])
        if (run := _RUN.fullmatch(rest)) is not None:
            return await self._is_lost_run(space, run[1], run["server"])
        return False

    async def _is_lost_run(self, space: str, run_id: str, server: str) -> bool:
        [began] = await self._storage.read(f"{space}{RUNS}{run_id}", limit=1) or [None]
        if began is not None:
            return not await self._is_there(space, str(began["session_id"]))
        # At work, or cut off by the end of a server that nobody has seen to yet: its log is still to come.
        for key in (OPEN + run_id, SERVERS + server):
            if await self._storage.load(key) is not None:
                return False
        return True

    async def _is_there(self, space: str, session_id: str) -> bool:
        key = f"{space}{CONVERSATIONS}{session_id}"
        if key not in self._there and await self._storage.load(key) is not None:
            self._there.add(key)
        return key in self._there
