"""The settings of the plugin; field names are the names of environment variables."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from agentic import Json, NotConfigured

ONE = "upstream"
"""The name of the server that OPENAI_UPSTREAM_URL gives."""

EXAMPLE = '{"vllm": {"base_url": "http://127.0.0.1:8000/v1"}}'
NOT_CONFIGURED = NotConfigured(
    "openai_upstream",
    f"Set OPENAI_UPSTREAM_URL=http://127.0.0.1:8000/v1, or several servers by name: OPENAI_UPSTREAMS='{EXAMPLE}'",
)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DAY_S = 86_400
_OF_ONE = {
    "base_url": "OPENAI_UPSTREAM_URL",
    "api_key": "OPENAI_UPSTREAM_KEY",
    "default_model": "OPENAI_UPSTREAM_MODEL",
}


def api_address(url: str) -> str:
    """A base address without its last slash; one without a path is given ``/v1``. Raises ValueError for others."""
    url = url.strip()
    try:
        address = urlsplit(url)
        is_whole = address.scheme in ("http", "https") and bool(address.hostname) and address.port != 0
    except ValueError:
        is_whole = False
    if not is_whole or address.query or address.fragment:
        raise ValueError("it must be an address such as http://127.0.0.1:8000/v1")
    if address.username or address.password:
        raise ValueError("a name or password does not belong into the address; put the key into its own setting")
    return url.rstrip("/") if address.path.strip("/") else f"{url.rstrip('/')}/v1"


Address = Annotated[str, AfterValidator(api_address)]


class Upstream(BaseModel):
    """One server. ``models`` are patterns such as ``gpt-*`` of the ids to offer; empty: all that look like chat models.

    What a server does not tell of its models is set here: ``vision`` (patterns of those that take pictures),
    ``tool_mode``, ``json_schema`` (whether it can be held to one), ``context`` and ``embedding_tokens`` in tokens.
    ``extra_body`` is added to every chat request.
    """

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, frozen=True)

    base_url: Address
    api_key: SecretStr | None = None
    headers: dict[str, SecretStr] = {}
    default_model: str | None = None
    models: tuple[str, ...] = ()
    vision: tuple[str, ...] = ()
    tool_mode: Literal["native", "schema", "text", "fit"] = "native"
    json_schema: bool = True
    context: int | None = Field(default=None, gt=0)
    embedding_model: str | None = None
    embedding_tokens: int | None = Field(default=None, gt=0)
    extra_body: Json = {}
    timeout_s: float = Field(default=300, gt=0, le=_DAY_S)
    retry_s: float = Field(default=30, ge=0, le=_DAY_S)
    rank: int = 1

    @field_validator("api_key")
    @classmethod
    def _key_can_be_sent(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None or not key.get_secret_value().strip():
            return None
        return SecretStr(_sendable(key.get_secret_value().strip()))

    @field_validator("headers")
    @classmethod
    def _headers_can_be_sent(cls, headers: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if not all(re.fullmatch(r"[A-Za-z0-9-]+", name) for name in headers):
            raise ValueError("a header's name is made of letters, digits and dashes")
        return {name: SecretStr(_sendable(value.get_secret_value())) for name, value in headers.items()}

    @property
    def secrets(self) -> list[str]:
        """The plain text of what must never be shown."""
        kept = [*self.headers.values(), *([self.api_key] if self.api_key else [])]
        return [secret.get_secret_value() for secret in kept]


class Settings(BaseModel):
    """The servers: several by name, or one alone."""

    model_config = ConfigDict(hide_input_in_errors=True)

    openai_upstreams: dict[str, Upstream] = Field(
        {},
        description="servers by name, as JSON: name → {base_url, api_key, default_model, …}",
        examples=[{"vllm": {"base_url": "http://127.0.0.1:8000/v1"}}],
    )
    openai_upstream_url: Address | None = Field(
        None, description=f"one server's address; it is named {ONE}", examples=["http://127.0.0.1:8000/v1"]
    )
    openai_upstream_key: SecretStr | None = Field(None, description="that server's key")
    openai_upstream_model: str | None = Field(None, description="that server's default model; unset: the first listed")

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if not (isinstance(value, str) and not value.strip())}

    @field_validator("openai_upstreams")
    @classmethod
    def _names_are_names(cls, servers: dict[str, Upstream]) -> dict[str, Upstream]:
        for name in servers:
            if not _NAME.fullmatch(name):
                raise ValueError("a server's name is made of letters, digits, dots, dashes and underscores")
            if name == ONE:
                raise ValueError(f"the name {ONE} is that of OPENAI_UPSTREAM_URL's server")
        return servers

    @model_validator(mode="after")
    def _key_has_its_server(self) -> Settings:
        if self.openai_upstream_url is None and (self.openai_upstream_key or self.openai_upstream_model):
            raise ValueError("OPENAI_UPSTREAM_KEY and OPENAI_UPSTREAM_MODEL need OPENAI_UPSTREAM_URL")
        return self

    @property
    def servers(self) -> dict[str, Upstream]:
        """Every server that is set, by its name."""
        if self.openai_upstream_url is None:
            return dict(self.openai_upstreams)
        one = Upstream(
            base_url=self.openai_upstream_url,
            api_key=self.openai_upstream_key,
            default_model=self.openai_upstream_model,
        )
        return {ONE: one, **self.openai_upstreams}


def place(name: str, field: str) -> str:
    """Where an operator sets this field of this server."""
    if name == ONE and field in _OF_ONE:
        return _OF_ONE[field]
    return f'{field} of "{name}" in OPENAI_UPSTREAMS'


def _sendable(secret: str) -> str:
    if not (secret.isascii() and secret.isprintable()):
        raise ValueError("it holds a character that cannot be sent in a header")
    return secret
