"""The guarded client: a door to :mod:`agentic.net.session`, which is imported when something is first fetched."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from agentic.net.reach import Reach
from agentic.ports.http import Fetched, HttpClient

if TYPE_CHECKING:
    from agentic.net.session import Session

Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Resolves a host name, for a port, to addresses as texts. Raises OSError where there are none."""

# Not the loop's own few threads: a name whose server is silent holds one for half a minute, whoever waits for it.
_LOOKING_UP = ThreadPoolExecutor(32, thread_name_prefix="lookup")


class GuardedClient(HttpClient):
    """See :class:`HttpClient`. ``allow`` is FETCH_ALLOW; ``lookup`` takes the place of the system's resolver.

    Raises ValueError for an entry of ``allow`` that is no host, address or network.
    """

    def __init__(self, allow: Iterable[str] = (), *, lookup: Lookup | None = None) -> None:
        self._reach = Reach(allow)
        self._lookup = lookup or system_lookup
        self._opened: Session | None = None
        self._opening = asyncio.Lock()

    async def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 20,
        max_bytes: int = 5_000_000,
    ) -> Fetched:
        """See :class:`HttpClient`."""
        session = await self._session()
        return await session.get(url, headers=headers or {}, timeout_s=timeout_s, max_bytes=max_bytes)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened.aclose()

    async def _session(self) -> Session:
        if self._opened is None:
            async with self._opening:
                if self._opened is None:
                    # Importing the library and reading certificates takes hundreds of milliseconds.
                    module: Any = await asyncio.to_thread(importlib.import_module, "agentic.net.session")
                    self._opened = module.Session(self._reach, self._lookup)
        return self._opened


async def system_lookup(host: str, port: int) -> Sequence[str]:
    """What the system's resolver says."""
    import socket

    found = await asyncio.get_running_loop().run_in_executor(
        _LOOKING_UP, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    )
    return [str(entry[4][0]) for entry in found]
