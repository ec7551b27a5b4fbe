"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

Flush = Literal["after", "before"]


class Settings(BaseModel):
    """When what was written is flushed to disk."""

    sqlite_flush: Flush = Field(
        "after",
        description="flush to disk at once after an answer, or before it: then a power cut loses nothing of it either, "
        "and each answer waits for the disk",
    )
