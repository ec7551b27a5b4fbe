"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from pydantic import BaseModel, Field, model_validator


class Settings(BaseModel):
    """How documents are cut. A change holds for documents that are indexed after it."""

    rag_chunk_size: int = Field(1000, ge=200, le=8000, description="characters of a chunk at most")
    rag_chunk_overlap: int = Field(200, ge=0, le=2000, description="characters that a chunk repeats of the one before")

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> Settings:
        if self.rag_chunk_overlap > self.rag_chunk_size // 2:
            raise ValueError("RAG_CHUNK_OVERLAP must be at most half of RAG_CHUNK_SIZE, such as 200 of 1000")
        return self
