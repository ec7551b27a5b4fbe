"""The settings of the agent ``plan_execute``."""

from pydantic import BaseModel, Field


class Settings(BaseModel):
    """Settings of the agent ``plan_execute``."""

    plan_execute_max_rounds: int = Field(
        3, ge=1, le=10, description="Most rounds, each a plan, its steps, an answer and its check"
    )
