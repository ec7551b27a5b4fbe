"""Statistics of JSON and CSV data with pandas, computed in processes that can be killed."""

from typing import Any

from agentic import Tool, hookimpl


@hookimpl
def agentic_settings() -> Any:
    """The limits of one analysis."""
    from agentic_data_analysis.settings import Settings

    return Settings


@hookimpl
def agentic_tools(settings: Any) -> Tool:
    """The tool ``data_analysis``; pandas is imported by its worker processes alone."""
    from agentic_data_analysis.tool import DataAnalysisTool

    return DataAnalysisTool(settings)
