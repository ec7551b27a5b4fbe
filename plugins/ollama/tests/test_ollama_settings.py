"""The plugin's settings: what they refuse, and what counts as set."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import httpx
import ollama
import pytest
from pydantic import ValidationError

from agentic_ollama import agentic_embedders, agentic_model_providers, agentic_settings
from agentic_ollama.settings import DEFAULT_HOST, Settings


def made(**values: Any) -> Settings:
    """Settings as the catalogue makes them, from the environment's strings."""
    return Settings.model_validate(values)


def test_timeout_in_milliseconds_is_refused_with_the_value_to_write() -> None:
    with pytest.raises(ValidationError, match=r"in seconds \(it once was in milliseconds\).*write 300"):
        made(ollama_timeout="300000")


@pytest.mark.parametrize("host", ["ftp://host", "http://", "http://host:port", "host:99999"])
def test_host_that_is_no_address_is_refused_with_an_example(host: str) -> None:
    with pytest.raises(ValidationError, match=r"such as http://127\.0\.0\.1:11434"):
        made(ollama_host=host)


@pytest.mark.parametrize("host", ["http://ann:s3cret@gpu:11434", "s3cret@gpu", "https://:s3cret@gpu/x"])
def test_password_in_the_address_is_refused_with_the_place_for_a_key(host: str) -> None:
    with pytest.raises(ValidationError) as caught:
        made(ollama_host=host)
    [fault] = caught.value.errors()
    assert "OLLAMA_HOST must hold no name or password" in fault["msg"]
    assert "OLLAMA_API_KEY" in fault["msg"]
    assert "s3cret" not in fault["msg"]


@pytest.mark.parametrize(
    "values",
    [{"ollama_timeout": "0"}, {"ollama_num_ctx": "-1"}, {"ollama_top_p": "2"}, {"ollama_temperature": "warm"}],
)
def test_numbers_out_of_range_are_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        made(**values)


@pytest.mark.parametrize("host", ["localhost", "0.0.0.0", ":11434", "[::1]:11434", "https://models.example/ollama"])
def test_hosts_that_ollama_takes_are_taken(host: str) -> None:
    assert made(ollama_host=host).configured


@pytest.mark.parametrize("path", ["", "/", "/path", "/path/"])
@pytest.mark.parametrize("scheme", ["", "http://", "https://"])
@pytest.mark.parametrize(
    "host", ["localhost", "0.0.0.0", "1.2.3.4:56789", "models.example", "[::1]", "[0001:002::1]:80", ":11435"]
)
def test_address_is_read_as_by_the_client_of_ollama(scheme: str, host: str, path: str) -> None:
    theirs: Any = ollama.Client(host=scheme + host + path, verify=False)
    ours = made(ollama_host=scheme + host + path)
    assert httpx.URL(ours.base_url) == httpx.URL(str(theirs._client.base_url).rstrip("/"))


def test_address_that_is_left_out_is_the_one_of_ollama() -> None:
    assert Settings().base_url == DEFAULT_HOST


def test_key_is_shown_nowhere() -> None:
    assert "s3cret" not in repr(made(ollama_api_key="s3cret"))


@pytest.mark.parametrize("key", ["two\nlines", "schlüssel"])
def test_key_that_fits_into_no_header_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="OLLAMA_API_KEY must be one line of ASCII"):
        made(ollama_api_key=key)


def test_empty_values_count_as_unset() -> None:
    settings = made(ollama_host="", ollama_model=" ", ollama_timeout="", ollama_num_ctx="")
    assert settings == Settings()
    assert settings.ollama_timeout == 300
    assert not agentic_model_providers(settings).configured


def test_provider_is_configured_where_a_host_or_a_model_is_named() -> None:
    assert agentic_model_providers(made(ollama_host="http://gpu:11434")).configured
    assert agentic_model_providers(made(ollama_model="qwen3:8b")).configured
    assert not agentic_model_providers(made(ollama_temperature="0.2")).configured


def test_hooks_name_what_they_bring() -> None:
    assert agentic_settings() is Settings
    assert agentic_model_providers(Settings()).name == agentic_embedders(Settings()).name == "ollama"


def test_plugin_loads_without_its_libraries() -> None:
    code = (
        "import sys, agentic_ollama as plugin\n"
        "settings = plugin.agentic_settings()()\n"
        "plugin.agentic_model_providers(settings), plugin.agentic_embedders(settings)\n"
        "print({'ollama', 'httpx', 'aiohttp', 'numpy', 'orjson'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)
    assert run.stdout.strip() == "set()"
