"""Exact and decimal mathematics with SymPy, computed in processes that can be killed."""

from typing import Any

from agentic import Tool, hookimpl


@hookimpl
def agentic_settings() -> Any:
    """MATH_TIMEOUT and MATH_MEMORY_MB."""
    from agentic_math.settings import Settings

    return Settings


@hookimpl
def agentic_tools(settings: Any) -> Tool:
    """The tool ``math``; its workers start with the first call."""
    from agentic_math.tool import MathTool

    return MathTool(settings)
