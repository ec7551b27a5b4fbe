"""What a server does about servers that are gone: it goes on with their open runs, and tells of those that were cut."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from dataclasses import dataclass, replace

from agentic.errors import StorageError
from agentic.identity.limits import Meter
from agentic.identity.users import User, Users
from agentic.ports.space import Principal
from agentic.runtime.cut import mark_cut, sessions_since
from agentic.runtime.engine import Engine
from agentic.runtime.presence import Presence
from agentic.runtime.resume import left_runs, open_run_ids
from agentic.runtime.spaces import Scope, of_user

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Restart:
    """Looks for what other servers have left behind. One a server; commands that only ask do without.

    ``run_s``: the longest run.
    """

    engine: Engine
    everything: Scope
    presence: Presence
    users: Users
    meter: Meter
    run_s: float

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            await asyncio.sleep(self.presence.lease_s / 2)
            await self.look()

    async def look(self) -> None:
        """Set going what was left open, and tell of what was cut. What fails is tried again at the next look."""
        self.presence.begin()
        try:
            await self._go_on()
            await self._tell_of_cut()
        except StorageError as error:
            logger.warning("[Restart] Not looked through: %s", error.message)
        except Exception:
            # It must not end the watch: the next look may find what is to be done.
            logger.exception("[Restart] Not looked through")

    async def _go_on(self) -> None:
        async for left in left_runs(self.everything, skip=self.engine.is_running):
            user = await self.users.get(left.principal.id)
            if user is not None:
                principal = replace(left.principal, allowance=self.meter.allowance(user.limits))
                left = replace(left, principal=principal, shut_out=user.disabled)  # noqa: PLW2901
            self.engine.go_on(left)

    async def _tell_of_cut(self) -> None:
        gone = await self.presence.gone()
        if not gone:
            return
        # No run of theirs can be opened any more, so that this list holds until the end.
        open_runs = {run_id async for run_id in open_run_ids(self.everything)}
        users = await self.users.list()
        for server, last_sign in gone.items():
            since = last_sign - self.run_s - self.presence.lease_s
            told = [await self._tell_user(user, server, since, open_runs) for user in users]
            if all(told):
                await self.presence.forget(server)

    async def _tell_user(self, user: User, server: str, since: float, open_runs: Collection[str]) -> bool:
        """False where a session is at work, which is not waited for here."""
        principal = Principal(user.id, user.name, user.role)
        storage = of_user(self.everything, principal).storage
        is_whole = True
        async for session_id in sessions_since(storage, since):
            if self.engine.is_at_work(session_id, principal):
                is_whole = False
                continue
            async with self.engine.turn(session_id, principal):
                await mark_cut(storage, session_id, server, open_runs)
        return is_whole
