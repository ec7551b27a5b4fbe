"""Settings of the embedded model."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field


class Settings(BaseModel):
    """Settings of the embedded model."""

    agentic_model_file: Path | None = Field(
        default=None,
        description="A gguf file on this machine to be used instead of the weights fetched from the package index.",
    )
