"""Articles of Wikipedia, in any language, with their source."""

from agentic import Tool, hookimpl
from agentic_wikipedia.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """WIKIPEDIA_BASE_URL and WIKIPEDIA_TIMEOUT."""
    return Settings


@hookimpl
def agentic_tools(settings: Settings) -> Tool:
    """The tool ``wikipedia``; it connects with the first call."""
    from agentic_wikipedia.tool import WikipediaTool

    return WikipediaTool(settings)
