"""What an operator may set, and what is said of what cannot be."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import ValidationError

import agentic_openai_upstream as plugin
from agentic import NotConfigured
from agentic.testing.server import own_environment, run_agentic
from agentic_openai_upstream.settings import NOT_CONFIGURED, Settings, Upstream, place

URL = "http://127.0.0.1:8000/v1"


def several(**servers: Any) -> Settings:
    return Settings(openai_upstreams=servers)


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:8000",
        "ftp://host/v1",
        "http://",
        "http://host:99999/v1",
        "http://host/v1?key=1",
        "http://host/#x",
        "x",
    ],
)
def test_an_address_that_is_none_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ValidationError, match=r"http://127\.0\.0\.1:8000/v1"):
        Upstream(base_url=url)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        several(vllm={"base_url": "http://anna:secret@host/v1"})
    assert "does not belong into the address" in str(caught.value)
    assert "secret@" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"api_key": "sk-line\nbreak"},
        {"api_key": "sk-ключ"},
        {"headers": {"X-Key": "a\r\nb"}},
        {"headers": {"X: Key": "a"}},
        {"timeout_s": 0},
        {"timeout_s": 300_000},
        {"retry_s": -1},
        {"tool_mode": "none"},
        {"context": 0},
        {"base_ur": "typing error"},
    ],
)
def test_wrong_fields_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as caught:
        Upstream(**{"base_url": URL, **fields})
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a/b", "with space", "-x", "a" * 65, "upstream"])
def test_names_that_cannot_stand_before_a_model_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="name"):
        several(**{name: {"base_url": URL}})


@pytest.mark.parametrize("alone", [{"openai_upstream_key": "sk-1"}, {"openai_upstream_model": "m"}])
def test_a_key_or_a_model_without_its_server_is_refused(alone: Any) -> None:
    with pytest.raises(ValidationError, match="need OPENAI_UPSTREAM_URL"):
        Settings(**alone)


def test_nothing_set_is_not_configured_with_an_example_that_works() -> None:
    settings = Settings(openai_upstream_url=" ", openai_upstreams={})
    assert plugin.agentic_model_providers(settings) is NOT_CONFIGURED
    assert plugin.agentic_embedders(settings) is NOT_CONFIGURED
    assert isinstance(NOT_CONFIGURED, NotConfigured)
    url, several = re.findall(r"=(http[^,]+)|='(.+)'", NOT_CONFIGURED.fix)
    assert list(Settings(openai_upstream_url=url[0]).servers) == ["upstream"]
    assert list(Settings(openai_upstreams=json.loads(several[1])).servers) == ["vllm"]


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("http://host:8000", "http://host:8000/v1"),
        ("http://host:8000/", "http://host:8000/v1"),
        ("http://host/v1/", "http://host/v1"),
        (" https://host/api/v1 ", "https://host/api/v1"),
    ],
)
def test_the_address_is_that_of_the_api(given: str, address: str) -> None:
    assert Upstream(base_url=given).base_url == address


def test_each_server_is_a_provider_and_an_embedder_of_its_name() -> None:
    settings = Settings(
        openai_upstreams={"vllm": {"base_url": URL, "rank": 3}, "LM-Studio": {"base_url": URL}}, openai_upstream_url=URL
    )
    providers, embedders = plugin.agentic_model_providers(settings), plugin.agentic_embedders(settings)
    assert isinstance(providers, list) and isinstance(embedders, list)
    assert [(one.name, one.rank, one.configured) for one in providers] == [
        ("upstream", 1, True),
        ("vllm", 3, True),
        ("LM-Studio", 1, True),
    ]
    assert [(one.name, one.rank) for one in embedders] == [("upstream", 1), ("vllm", 3), ("LM-Studio", 1)]


def test_one_server_alone_has_its_key_and_its_model() -> None:
    settings = Settings(openai_upstream_url=URL, openai_upstream_key="sk-1", openai_upstream_model="m")
    assert settings.servers["upstream"].secrets == ["sk-1"]
    assert settings.servers["upstream"].default_model == "m"


def test_an_empty_key_is_none() -> None:
    assert Upstream(base_url=URL, api_key=" ").api_key is None


def test_keys_are_not_shown() -> None:
    settings = several(vllm={"base_url": URL, "api_key": "sk-hidden", "headers": {"X-Key": "also-hidden"}})
    assert "hidden" not in f"{settings!r} {settings} {settings.model_dump()} {settings.servers}"


def test_places_are_where_an_operator_sets_things() -> None:
    assert place("upstream", "api_key") == "OPENAI_UPSTREAM_KEY"
    assert place("upstream", "timeout_s") == 'timeout_s of "upstream" in OPENAI_UPSTREAMS'
    assert place("vllm", "api_key") == 'api_key of "vllm" in OPENAI_UPSTREAMS'


def test_the_environment_sets_servers_and_a_wrong_one_tells_no_key(tmp_path: Any) -> None:
    good = json.dumps({"vllm": {"base_url": URL, "api_key": "sk-hidden"}})
    wrong = json.dumps({"vllm": {"base_url": "nowhere", "api_key": "sk-hidden"}})
    for value, expected in ((good, "model provider vllm"), (wrong, "quarantined")):
        environment = own_environment({"OPENAI_UPSTREAMS": value, "COLUMNS": "300"}, data_dir=tmp_path / "data")
        done = run_agentic("plugins", "show", "openai_upstream", env=environment, folder=tmp_path)
        assert expected in done.stdout.replace("\n", " "), done.stdout + done.stderr
        assert "sk-hidden" not in done.stdout + done.stderr
