"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Settings(BaseModel):
    """Limits of one computation."""

    math_timeout: float = Field(10, ge=1, le=60, description="seconds that one computation may take")
    math_memory_mb: int = Field(1024, ge=256, le=65536, description="megabytes of address space of one worker")
