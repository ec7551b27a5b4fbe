"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

SYSTEMS = {"sqlite": "sqlite", "postgresql": "postgres", "postgres": "postgres", "mysql": "mysql", "mariadb": "mysql"}
"""The systems by the first word of a URL, each as its SQL is called by the parser."""

HOW_TO_SET = 'Set SQL_CONNECTIONS to a name and an SQLAlchemy URL each, such as {"sales": "sqlite:///./sales.db"}'


class Connection(BaseModel):
    """One database: where it is, who may read it, and which functions of its own may be called.

    ``roles``: None stands for everybody. The URL is a secret as a whole: it holds the password and tells the host.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    url: SecretStr
    roles: frozenset[Literal["admin", "user"]] | None = Field(None, min_length=1)
    functions: frozenset[str] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _url_may_stand_alone(cls, given: Any) -> Any:
        return {"url": given} if isinstance(given, str) else given

    @field_validator("url")
    @classmethod
    def _url_names_a_system(cls, url: SecretStr) -> SecretStr:
        scheme, mark, rest = url.get_secret_value().strip().partition("://")
        if not mark or scheme.partition("+")[0].lower() not in SYSTEMS:
            raise ValueError("a URL begins with sqlite:///, postgresql://, mysql:// or mariadb://")
        if scheme.lower().startswith("sqlite") and rest.strip("/") in ("", ":memory:"):
            raise ValueError("a SQLite URL names a file, such as sqlite:///./sales.db")
        return SecretStr(url.get_secret_value().strip())

    @field_validator("functions")
    @classmethod
    def _functions_in_small_letters(cls, names: frozenset[str]) -> frozenset[str]:
        return frozenset(name.strip().lower() for name in names)

    @property
    def dialect(self) -> str:
        """The system's SQL, as the parser calls it: sqlite, postgres or mysql."""
        return SYSTEMS[self.url.get_secret_value().partition("://")[0].partition("+")[0].lower()]


class Settings(BaseModel):
    """The databases, and the limits of one query."""

    sql_connections: Mapping[str, Connection] = Field(
        {},
        description='databases that may be read, as JSON: name → URL, or {"url": …, "roles": ["admin"]}',
        examples=[{"sales": "sqlite:///./sales.db"}],
    )
    sql_timeout: float = Field(30, ge=1, le=600, description="seconds that one query may take")
    sql_max_rows: int = Field(200, ge=1, le=10_000, description="rows of one result")
    sql_max_kb: int = Field(32, ge=1, le=60, description="kilobytes of one result, as a table")

    @field_validator("sql_connections")
    @classmethod
    def _names_can_be_said(cls, connections: Mapping[str, Connection]) -> Mapping[str, Connection]:
        for name in connections:
            if not (0 < len(name) <= 64 and name.replace("_", "").replace("-", "").isalnum()):
                raise ValueError("a connection's name has 1 to 64 letters, digits, _ and -")
        return connections
