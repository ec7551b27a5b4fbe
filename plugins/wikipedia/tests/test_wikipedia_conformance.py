"""The Wikipedia tool owes what every tool owes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from agentic import Json
from agentic.testing.tool import ToolConformance
from agentic.testing.wikipedia import ScriptedWikipedia
from agentic_wikipedia.settings import Settings
from agentic_wikipedia.tool import WikipediaTool


class TestWikipedia(ToolConformance):
    @pytest.fixture
    async def tool(self) -> AsyncIterator[WikipediaTool]:
        made = WikipediaTool(Settings(), transport=httpx.ASGITransport(ScriptedWikipedia()))
        yield made
        await made.aclose()

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [
            {"query": "Ada Lovelace"},
            {"query": "black holes", "sentences": 1},
            {"query": "Mercury"},
            {"query": "Marie Curie", "language": "fr"},
        ]
