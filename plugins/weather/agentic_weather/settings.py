"""What an operator may change; the field names are the environment's."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationInfo, field_validator

WEATHER_BASE_URL = "https://api.open-meteo.com"
GEOCODING_BASE_URL = "https://geocoding-api.open-meteo.com"
_DEFAULTS = {"weather_base_url": WEATHER_BASE_URL, "geocoding_base_url": GEOCODING_BASE_URL}


class Settings(BaseModel):
    """Which Open-Meteo is asked, and for how long."""

    weather_base_url: str = Field(WEATHER_BASE_URL, description="address of Open-Meteo's forecasts, without a path")
    geocoding_base_url: str = Field(
        GEOCODING_BASE_URL, description="address of Open-Meteo's search for places, without a path"
    )
    weather_timeout: float = Field(10, ge=1, le=60, description="seconds until one request is given up")

    @field_validator("weather_base_url", "geocoding_base_url")
    @classmethod
    def _is_an_address(cls, url: str, info: ValidationInfo) -> str:
        field = info.field_name or ""
        url = url.strip().rstrip("/")
        if url and not _is_origin(url):
            raise ValueError(
                f"{field.upper()} must be an address without a path, such as {_DEFAULTS[field]} "
                "or http://127.0.0.1:8080"
            )
        return url or _DEFAULTS[field]


def _is_origin(url: str) -> bool:
    """Whether the text is scheme, host and port, and nothing else: no path, query, name or password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    bare = f"{parts.scheme}://{parts.netloc}" == url and "@" not in parts.netloc and not {*" {}\\"} & {*url}
    return bare and parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0
