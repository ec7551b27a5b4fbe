"""The ``openai`` package's clients of the shared server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from agentic.testing.server import Server
from tests.http_fixtures import SharedOllama

if TYPE_CHECKING:
    # Those tests that use it import it: it takes a second.
    import openai


@pytest.fixture
def client(server: Server, keys: dict[str, str], ollama: SharedOllama) -> Iterator[openai.OpenAI]:
    """The client of ann."""
    import openai

    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=keys["ann"], max_retries=0) as client:
        yield client


@pytest.fixture
def other(server: Server, keys: dict[str, str], ollama: SharedOllama) -> Iterator[openai.OpenAI]:
    """The client of another user."""
    import openai

    with openai.OpenAI(base_url=f"{server.url}/v1", api_key=keys["bob"], max_retries=0) as client:
        yield client


@pytest.fixture
async def aclient(server: Server, keys: dict[str, str], ollama: SharedOllama) -> AsyncIterator[openai.AsyncOpenAI]:
    """The client of ann, for tests that go on while it waits."""
    import openai

    async with openai.AsyncOpenAI(base_url=f"{server.url}/v1", api_key=keys["ann"], max_retries=0) as client:
        yield client
