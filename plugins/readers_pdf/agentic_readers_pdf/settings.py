"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Settings(BaseModel):
    """The engine that reads PDF documents."""

    readers_pdf_engine: Literal["pdfium", "pypdf"] = Field(
        "pdfium", description="what reads PDF: pdfium, the engine of Chrome, or pypdf, which is Python alone and slower"
    )
