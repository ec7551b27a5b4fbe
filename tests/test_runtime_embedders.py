"""Embedders are found by name among the providers, and remembered."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from agentic import Embedder, EmbedderProvider, ModelNotFound, ModelUnavailable
from agentic.runtime.indexes import MOST_OTHERS, Embedders


class Named(Embedder):
    def __init__(self, name: str) -> None:
        self.id, self.dimensions, self.max_tokens = name, 2, 100

    async def embed(self, texts: Any, kind: Literal["query", "passage"]) -> Any:
        raise NotImplementedError


class Provider(EmbedderProvider):
    """Has every name that begins with its own; ``fault`` is raised for all others."""

    def __init__(self, name: str, fault: Exception | None = None) -> None:
        self.name, self.fault = name, fault
        self.asked: list[str] = []

    async def resolve(self, model_id: str) -> Embedder | None:
        self.asked.append(model_id)
        if model_id.startswith(self.name):
            return Named(model_id)
        if self.fault is not None:
            raise self.fault
        return None


async def test_name_that_no_provider_has_is_not_found() -> None:
    found = Embedders({"a": Provider("a")}, "a-own")
    with pytest.raises(ModelNotFound) as caught:
        await found.named("b")
    assert caught.value.param == "model"


async def test_provider_that_cannot_tell_is_told_of_where_no_other_has_the_model() -> None:
    down = Provider("down", ModelUnavailable("the server is away"))
    found = Embedders({"down": down, "b": Provider("b")}, "b-own")
    assert (await found.named("b-other")).id == "b-other"
    with pytest.raises(ModelUnavailable):
        await found.named("c")


async def test_own_name_and_none_give_the_chosen_one() -> None:
    provider = Provider("a")
    found = Embedders({"a": provider}, "a-own")
    assert await found.named("") is await found.named("a-own") is await found.chosen()
    assert provider.asked == ["a-own"]


async def test_others_are_remembered_but_not_without_end() -> None:
    provider = Provider("a")
    found = Embedders({"a": provider}, "a-own")
    first = await found.named("a-0")
    assert await found.named("a-0") is first
    for n in range(1, MOST_OTHERS + 1):
        await found.named(f"a-{n}")
    assert await found.named("a-0") is not first
    assert provider.asked.count("a-0") == 2
