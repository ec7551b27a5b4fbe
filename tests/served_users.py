"""The whole application in this process, over a kernel in memory with users: for tests of who may do what."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import httpx
from starlette.applications import Starlette

from agentic import LoginProvider, LoginStarted, Outsider, Run, Unauthorized
from agentic.catalog.catalog import Capability, Catalog, Plugin
from agentic.identity.identity import Identity
from agentic.identity.limits import Meter
from agentic.ports.space import UNLIMITED, Allowance
from agentic.runtime.departures import Departures
from agentic.server.app import create_app
from agentic.testing.memory_blobs import MemoryBlobs
from agentic.testing.memory_storage import MemoryStorage
from tests.kernel_in_memory import House

SECRET = "0123456789abcdef0123456789abcdef"
PASSWORD = "correct horse battery"


class Campus(LoginProvider):
    """Lets in whoever brings the right state; ``who`` they are is the test's to say."""

    name = "campus"
    title = "Campus account"

    def __init__(self) -> None:
        self.who: Outsider | Exception = Outsider(issuer="https://x.org", subject="7", name="cora", may_join=True)
        self.started: list[str] = []

    async def start(self, redirect_uri: str) -> LoginStarted:
        self.started.append(redirect_uri)
        state = f"state-{len(self.started)}"
        return LoginStarted(f"https://x.org/login?state={state}", {"state": state, "to": redirect_uri})

    async def finish(self, kept: Mapping[str, str], answer: Mapping[str, str], redirect_uri: str) -> Outsider:
        if answer.get("state") != kept["state"] or kept["to"] != redirect_uri:
            raise Unauthorized("this login was not begun here")
        if isinstance(self.who, Exception):
            raise self.who
        return self.who


async def no_documents(_user_id: str) -> Mapping[str, int]:
    """There are none to erase."""
    return {}


@dataclass
class Served:
    """The application with its parts at hand. ``act`` is what the one agent does."""

    defaults: Allowance = UNLIMITED
    public_url: str | None = None
    cors_origins: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.storage, self.blobs, self.campus = MemoryStorage(), MemoryBlobs(), Campus()
        meter = Meter(self.storage, self.blobs, self.defaults)
        self.begun, self.release = asyncio.Event(), asyncio.Event()
        self.house = House(self._act, storage=self.storage, blobs=self.blobs, meter=meter)
        self.identity = Identity(self.storage, secret=SECRET, token_hours=1, rounds=4, meter=meter)
        everything = self.house.everything
        self.departures = Departures(self.house.engine, everything, self.identity, 60, no_documents)
        plugin = Plugin("campus", capabilities=[Capability("login", "campus", "campus", self.campus)])
        self.kernel: Any = SimpleNamespace(
            settings=SimpleNamespace(
                max_body_mb=1, cors_origins=self.cors_origins, public_url=self.public_url, default_model="agentic"
            ),
            identity=self.identity,
            engine=self.house.engine,
            departures=self.departures,
            everything=everything,
            storage=self.storage,
            blobs=self.blobs,
            catalog=Catalog([plugin]),
            directory=self.house.directory,
        )
        self.app: Starlette = create_app(self.kernel)

    def api(self, bearer: str = "") -> httpx.AsyncClient:
        """A client, with this token or key; without one a stranger."""
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url="http://test", headers=headers, timeout=30
        )

    async def add(self, name: str, role: Any = "user") -> httpx.AsyncClient:
        """A new user's client, with a token."""
        await self.identity.users.add(name, PASSWORD, role)
        return self.api(await self.token(name))

    async def token(self, name: str) -> str:
        return (await self.identity.login(name, PASSWORD, "10.0.0.1")).access_token

    async def _act(self, run: Run) -> None:
        if run.task.text.startswith("wait"):
            run.say("So far. ")
            self.begun.set()
            await self.release.wait()
        run.say(f"Said to {run.principal.name}: {run.task.text}")


def chat(text: str) -> dict[str, Any]:
    return {"model": "agentic", "messages": [{"role": "user", "content": text}]}
