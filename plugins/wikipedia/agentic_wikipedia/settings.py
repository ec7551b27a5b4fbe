"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator

DEFAULT_BASE_URL = "https://{lang}.wikipedia.org"


class Settings(BaseModel):
    """Which Wikipedia is asked, and for how long."""

    wikipedia_base_url: str = Field(
        DEFAULT_BASE_URL, description="address of Wikipedia without a path; `{lang}` stands for the language's code"
    )
    wikipedia_timeout: float = Field(10, ge=1, le=60, description="seconds until one request is given up")

    @field_validator("wikipedia_base_url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        url = url.strip().rstrip("/")
        if not url:
            return DEFAULT_BASE_URL
        if not _is_origin(url.replace("{lang}", "en")):
            raise ValueError(
                f"WIKIPEDIA_BASE_URL must be an address without a path, such as {DEFAULT_BASE_URL} "
                "or http://127.0.0.1:8080"
            )
        return url


def _is_origin(url: str) -> bool:
    """Whether the text is scheme, host and port, and nothing else: no path, query, name or password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    bare = f"{parts.scheme}://{parts.netloc}" == url and "@" not in parts.netloc and not {*" {}\\"} & {*url}
    return bare and parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
