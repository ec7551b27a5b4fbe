"""Runs Python programs of models in a sandbox, with numpy, pandas and matplotlib."""

from pathlib import Path
from typing import Any

from agentic import NotConfigured, Tool, hookimpl


@hookimpl
def agentic_settings() -> Any:
    """PYTHON_EXEC_BACKEND, and the limits of one program."""
    from agentic_python_exec.settings import Settings

    return Settings


@hookimpl
def agentic_tools(settings: Any, data_dir: Path) -> Tool | NotConfigured:
    """The tool ``python_exec``; not offered on machines where no sandbox can be."""
    from agentic_python_exec.tool import made

    return made(settings, data_dir)
