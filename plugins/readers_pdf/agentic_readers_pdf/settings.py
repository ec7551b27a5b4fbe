"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field


class Settings(BaseModel):
    """The engine that reads PDF documents."""

    readers_pdf_engine: Literal["pypdf", "pdfium"] = Field(
        "pypdf",
        description="what reads PDF: pypdf, in Python, or pdfium, the engine of Chrome, which is several times faster",
    )
