"""The settings of the Ollama plugin; field names are the names of environment variables."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

DEFAULT_HOST = "http://127.0.0.1:11434"
LARGEST_DEFAULT_CONTEXT = 16384

_DAY_S = 86_400
_OWN_PORTS = {"http": 80, "https": 443}


class Settings(BaseModel):
    """Where Ollama is, which model is the default, and how models sample where a request does not say."""

    ollama_host: str | None = Field(None, description=f"address of the server; unset: {DEFAULT_HOST}")
    ollama_api_key: SecretStr | None = Field(None, description="key of a server that asks for one")
    ollama_model: str | None = Field(None, description="the default model; unset: the most recently changed one")
    ollama_timeout: float = Field(300, gt=0, description="seconds without a byte until a call is given up")
    ollama_num_ctx: int | None = Field(None, gt=0, description="context in tokens; unset: the model's, up to 16384")
    ollama_temperature: float | None = Field(None, ge=0, description="unset: the model's own")
    ollama_top_p: float | None = Field(None, gt=0, le=1, description="unset: the model's own")
    ollama_top_k: int | None = Field(None, ge=1, description="unset: the model's own")

    @model_validator(mode="before")
    @classmethod
    def _empty_is_unset(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        return {name: value for name, value in values.items() if not (isinstance(value, str) and not value.strip())}

    @field_validator("ollama_host")
    @classmethod
    def _host_is_an_address(cls, host: str | None) -> str | None:
        if host is None:
            return None
        host = host.strip()
        if not _is_address(_url(host)):
            raise ValueError(f"OLLAMA_HOST must be an address such as {DEFAULT_HOST}")
        if "@" in urlsplit(_url(host)).netloc:
            # The address is told to users and to the log.
            raise ValueError(
                f"OLLAMA_HOST must hold no name or password, only an address such as {DEFAULT_HOST}; "
                "a key goes into OLLAMA_API_KEY"
            )
        return host

    @field_validator("ollama_api_key")
    @classmethod
    def _key_fits_into_a_header(cls, key: SecretStr | None) -> SecretStr | None:
        if key is None:
            return None
        value = key.get_secret_value().strip()
        if not (value.isascii() and value.isprintable()):
            raise ValueError("OLLAMA_API_KEY must be one line of ASCII characters")
        return SecretStr(value)

    @field_validator("ollama_timeout")
    @classmethod
    def _timeout_is_in_seconds(cls, seconds: float) -> float:
        if seconds > _DAY_S:
            raise ValueError(
                "OLLAMA_TIMEOUT is in seconds (it once was in milliseconds), and this is over a day; "
                f"if milliseconds were meant, write {seconds / 1000:g}"
            )
        return seconds

    @property
    def configured(self) -> bool:
        """Whether the operator named a server or a model on purpose."""
        return self.ollama_host is not None or self.ollama_model is not None

    @property
    def base_url(self) -> str:
        """The server's address in full, without a slash at its end, read as Ollama's own clients read it.

        What is left out is ``http``, this machine, and port 11434; but where a scheme is named, its own port.
        """
        host = self.ollama_host or DEFAULT_HOST
        url = urlsplit(_url(host))
        port = url.port or (_OWN_PORTS[url.scheme] if "://" in host else 11434)
        name = url.hostname or "127.0.0.1"
        return f"{url.scheme}://{f'[{name}]' if ':' in name else name}:{port}{url.path.rstrip('/')}"


def _url(host: str) -> str:
    return host if "://" in host else f"http://{host}"


def _is_address(url: str) -> bool:
    try:
        address = urlsplit(url)
        port = address.port
    except ValueError:
        return False
    return address.scheme in ("http", "https") and bool(address.hostname or port)
