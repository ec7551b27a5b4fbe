"""Settings of the PostgreSQL storage."""

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

    postgres_url: Annotated[SecretStr | None, AfterValidator(_is_postgres)] = Field(
        None,
        description="The database, with user and password",
        examples=["postgresql://agentic:secret@db.example.org/agentic"],
    )
    postgres_schema: str = Field(
        "agentic",
        pattern=r"^[a-z_][a-z0-9_]{0,40}$",
        description="The schema that holds the tables; several installations may share a database",
    )
    postgres_connections: int = Field(10, ge=2, le=1000, description="Most connections of one server")
