"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

LONGEST_QUERY = 400
LONGEST_ADDRESS = 2000


def _sendable(key: SecretStr) -> SecretStr:
    """A key with other signs could not stand in a header. Raises ValueError, without the key."""
    value = key.get_secret_value()
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise ValueError("it holds signs that no key has")
    return key


def _address(url: str) -> str:
    """Raises ValueError for what is no web address, and for a name or password in it: it stands in messages."""
    parts = urlsplit(url)
    is_plain = url.isprintable() and not {*" ?#\\"} & {*url} and parts.port != 0
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise ValueError("it must be an http or https address, without a query")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not hold a user name or password")
    return url.rstrip("/")


class Settings(BaseModel):
    """Who searches, and the limits of a search and of a page."""

    model_config = ConfigDict(hide_input_in_errors=True)

    tavily_api_key: Annotated[SecretStr, AfterValidator(_sendable)] | None = Field(
        None, description="key of Tavily; unset, DuckDuckGo searches"
    )
    tavily_base_url: Annotated[str, AfterValidator(_address)] = Field(
        "https://api.tavily.com", description="address of Tavily's API"
    )
    web_search_timeout: float = Field(15, ge=1, le=60, description="seconds that one search service may take")
    web_search_max_results: int = Field(8, ge=1, le=20, description="most results of one search")
    web_search_max_characters: int = Field(1000, ge=100, le=10_000, description="most characters of one result")
    read_page_timeout: float = Field(30, ge=1, le=120, description="seconds that reading one page may take")
    read_page_max_mb: float = Field(10, gt=0, le=100, description="largest page, megabytes")
    read_page_max_characters: int = Field(
        20_000, ge=500, le=60_000, description="most characters of a page that are given at a time"
    )
    read_page_memory_mb: int = Field(
        1024, ge=256, le=65_536, description="megabytes of address space that taking a page apart may use"
    )
