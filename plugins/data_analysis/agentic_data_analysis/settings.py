"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from pydantic import BaseModel, Field


class Settings(BaseModel):
    """Limits of one analysis."""

    data_analysis_timeout: float = Field(30, ge=1, le=120, description="seconds that one analysis may take")
    data_analysis_memory_mb: int = Field(
        1024, ge=256, le=65536, description="megabytes of address space that one worker may use"
    )
