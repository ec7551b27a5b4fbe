"""Both tools owe what every tool owes."""

from collections.abc import AsyncIterator, Sequence

import pytest

from agentic import Json, ToolContext
from agentic.testing.http import FakeHttp, page
from agentic.testing.tavily import ScriptedTavily
from agentic.testing.tool import FakeContext, FakeSpace, ToolConformance
from agentic_web_search.examples import READ, SEARCH
from agentic_web_search.read_tool import ReadPageTool
from agentic_web_search.search_tool import WebSearchTool
from agentic_web_search.settings import Settings
from agentic_web_search.tavily import Tavily

ARTICLE = (
    "<html><head><title>Otters</title></head><body><article><h1>Otters</h1><p>Otters swim.</p></article></body></html>"
)


class TestWebSearch(ToolConformance):
    @pytest.fixture
    async def tool(self) -> AsyncIterator[WebSearchTool]:
        tavily = ScriptedTavily()
        async with tavily.serve() as address:
            settings = Settings(tavily_api_key=tavily.key, tavily_base_url=address)  # type: ignore[arg-type]
            made = WebSearchTool(settings, [Tavily(settings)])
            yield made
            await made.aclose()

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [{"query": "newest Python"}, {"query": "python", "max_results": 1, "recent": "week", "topic": "news"}]


class TestReadPage(ToolConformance):
    @pytest.fixture
    def tool(self) -> ReadPageTool:
        return ReadPageTool(Settings())

    @pytest.fixture
    def arguments(self) -> Sequence[Json]:
        return [{"url": "https://example.org/otters"}, {"url": "example.org/notes.txt", "start": 2}]

    @pytest.fixture
    def context(self) -> ToolContext:
        pages = {
            "https://example.org/otters": page(ARTICLE),
            "https://example.org/notes.txt": page("a note", media_type="text/plain"),
        }
        return FakeContext(space=FakeSpace(http=FakeHttp(pages)))


@pytest.mark.parametrize("examples", [SEARCH, READ])
def test_examples_are_many_and_differ(examples: Sequence[str]) -> None:
    assert len({example.lower() for example in examples}) == len(examples) >= 40


def test_what_strangers_wrote_is_marked_untrusted() -> None:
    settings = Settings()
    assert ReadPageTool(settings).traits.untrusted
    assert WebSearchTool(settings, [Tavily(settings)]).traits.untrusted
