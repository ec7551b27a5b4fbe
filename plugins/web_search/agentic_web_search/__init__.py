"""The web: searched with Tavily or DuckDuckGo, and its pages read."""

from collections.abc import Sequence
from typing import Any

from agentic import Tool, hookimpl


@hookimpl
def agentic_settings() -> Any:
    """TAVILY_API_KEY, and the limits of a search and of a page."""
    from agentic_web_search.settings import Settings

    return Settings


@hookimpl
def agentic_tools(settings: Any) -> Sequence[Tool]:
    """The tools ``web_search`` and ``read_page``."""
    from agentic_web_search.read_tool import ReadPageTool
    from agentic_web_search.search_tool import WebSearchTool, searchers

    return WebSearchTool(settings, searchers(settings)), ReadPageTool(settings)
