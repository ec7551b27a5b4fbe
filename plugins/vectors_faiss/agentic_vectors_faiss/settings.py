"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class Settings(BaseModel):
    """Where the vectors lie, and how much memory their indexes may take."""

    vector_db_path: Path | None = Field(
        None, description="the folder of the vectors; unset, vector_db in DATA_DIR", examples=["/srv/agentic/vector_db"]
    )
    vector_memory_mb: int = Field(
        1024, ge=16, description="megabytes of indexes to hold; beyond, the users longest idle are let go"
    )
