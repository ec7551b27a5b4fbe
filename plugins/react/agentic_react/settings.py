"""The settings of the agent ``react``."""

from pydantic import BaseModel, Field


class Settings(BaseModel):
    """Settings of the agent ``react``."""

    react_max_steps: int = Field(5, ge=1, le=50, description="Most steps, each one model call and its tool calls")
