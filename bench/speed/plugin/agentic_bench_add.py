"""The tool of the measurement: adds two numbers, so that what is measured is not the tool."""

from agentic import Tool, hookimpl, tool


@tool(examples=["Add two numbers"])
async def add(a: int, b: int) -> str:
    """Add two numbers."""
    return str(a + b)


@hookimpl
def agentic_tools() -> Tool:
    """The tool ``add``."""
    return add
