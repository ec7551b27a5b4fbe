"""Settings of the full-text index in PostgreSQL."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr


def _is_postgres(url: SecretStr | None) -> SecretStr | None:
    if url is not None and urlsplit(url.get_secret_value()).scheme not in ("postgres", "postgresql"):
        raise ValueError("it begins with postgresql://")
    return url


class Settings(BaseModel):
    """Where the database is, and how much of it is used."""

    texts_postgres_url: Annotated[SecretStr | None, AfterValidator(_is_postgres)] = Field(
        None,
        description="The database of the full-text index, with user and password; it may be that of POSTGRES_URL",
        examples=["postgresql://agentic:secret@db.example.org/agentic"],
    )
    texts_postgres_schema: str = Field(
        "agentic",
        pattern=r"^[a-z_][a-z0-9_]{0,40}$",
        description="The schema that holds the index; several installations may share a database",
    )
    texts_postgres_connections: int = Field(
        10, ge=1, le=1000, description="Most connections of one server to the full-text index"
    )
