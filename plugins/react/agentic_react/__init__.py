"""Reason, act, observe: one tool step after another."""

from agentic import hookimpl
from agentic_react.agent import React
from agentic_react.settings import Settings


@hookimpl
def agentic_settings() -> type[Settings]:
    """REACT_MAX_STEPS."""
    return Settings


@hookimpl
def agentic_agents(settings: Settings) -> React:
    """The agent ``react``."""
    return React(settings.react_max_steps)
