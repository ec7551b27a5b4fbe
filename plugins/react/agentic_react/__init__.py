"""Reason, act, observe: one tool step after another."""

from pydantic import BaseModel, Field

from agentic import Agent, hookimpl


class Settings(BaseModel):
    """Settings of the agent ``react``."""

    react_max_steps: int = Field(5, ge=1, le=50, description="Most steps, each one model call and its tool calls")


@hookimpl
def agentic_settings() -> type[BaseModel]:
    """REACT_MAX_STEPS."""
    return Settings


@hookimpl
def agentic_agents(settings: Settings) -> Agent:
    """The agent ``react``."""
    from agentic_react.agent import React

    return React(settings.react_max_steps)
