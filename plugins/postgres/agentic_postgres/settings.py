"""Settings of what PostgreSQL keeps, be it storage, full text or both."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr

if TYPE_CHECKING:
    from agentic_postgres.pool import Pool


def _is_postgres(url: SecretStr | None) -> SecretStr | None:
    if url is not None and urlsplit(url.get_secret_value()).scheme not in ("postgres", "postgresql"):
        raise ValueError("it begins with postgresql://")
    return url


class Settings(BaseModel):
    """Where the database is, and how much of it is used."""

    fix: ClassVar[str] = "Set POSTGRES_URL, for example postgresql://agentic:secret@localhost/agentic"

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
    postgres_connections: int = Field(
        10, ge=2, le=1000, description="Most connections of one server; beside a storage, full text takes half"
    )

    @cached_property
    def pool(self) -> Pool | None:
        """The one pool of all that these settings are for; None where no database is named. It does not connect yet."""
        if self.postgres_url is None:
            return None
        from agentic_postgres.pool import Pool

        url = self.postgres_url.get_secret_value()
        return Pool(url, schema=self.postgres_schema, connections=self.postgres_connections)
