"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, SecretStr


class Settings(BaseModel):
    """Where Chroma is: a server, or a folder."""

    chroma_host: str | None = Field(
        None, description="a Chroma server's host; unset, Chroma runs within this process", examples=["chroma.internal"]
    )
    chroma_port: int = Field(8000, ge=1, le=65535, description="that server's port")
    chroma_ssl: bool = Field(False, description="whether that server is spoken to over TLS")
    chroma_token: SecretStr | None = Field(None, description="sent to that server as a bearer token")
    chroma_timeout: float = Field(30, ge=1, le=600, description="seconds that one call of that server may take")
    chroma_path: Path | None = Field(
        None,
        description="without a server, the folder of its files; unset, chroma in DATA_DIR",
        examples=["/srv/chroma"],
    )
