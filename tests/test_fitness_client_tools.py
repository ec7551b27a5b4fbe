"""Tools of the client: their descriptions are held to the request, since they bring no examples."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any
from zlib import crc32

import pytest

from agentic import Embedder, Fit, ToolSpec
from agentic.fitness import fitness
from agentic.fitness.client_tools import MOST_KEPT, ClientFitness, _words
from agentic.fitness.fitness import FAILED_S, NO_TOOL, Fitness
from agentic.models.fit import LONGEST


def theirs(name: str, description: str = "") -> ToolSpec:
    return ToolSpec(name, description, {}, client=True)


DOOR = theirs("open_door", "Open a door of the house")
STOCKS = theirs("get-stock-price")
MATH = ToolSpec("math", "Calculates", {})


class Axes(Embedder):
    """One axis a word: texts that share words are near."""

    id = "axes"
    dimensions = 512
    max_tokens = 99

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    async def embed(self, texts: Sequence[str], kind: Any) -> Any:
        numpy = pytest.importorskip("numpy")
        self.asked.append((kind, list(texts)))
        rows = numpy.zeros((len(texts), self.dimensions), dtype="float32")
        for row, text in zip(rows, texts, strict=True):
            row[0] = 0.01
            for word in _words(text):
                row[1 + crc32(word.encode()) % (self.dimensions - 1)] += 1
        return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


class Broken(Axes):
    async def embed(self, texts: Sequence[str], kind: Any) -> Any:
        self.asked.append((kind, list(texts)))
        raise SystemExit(3)


class Ours(Fitness):
    """Finds that the server's tools fit as it is told."""

    def __init__(self, fits: Sequence[Fit], embedder: Embedder | None) -> None:
        async def embedding() -> Embedder | None:
            return embedder

        super().__init__((), embedding)
        self._fits = fits

    async def near(self, text: str, tools: Sequence[ToolSpec]) -> list[Fit]:
        return [fit for fit in self._fits if fit.tool in {tool.name for tool in tools}]


def judge(*ours: Fit, embedder: Embedder | None = None) -> ClientFitness:
    return ClientFitness(Ours(ours, embedder))


async def names(found: ClientFitness, text: str, *tools: ToolSpec) -> list[str]:
    return [fit.tool for fit in await found.near(text, tools)]


@pytest.mark.parametrize("text", ["", " \n", "?!", "Tell me a joke", "Hello, how are you?"])
@pytest.mark.parametrize("embedder", [Axes(), None], ids=["vectors", "words"])
async def test_plain_conversation_fits_no_tool_of_the_clients(text: str, embedder: Embedder | None) -> None:
    assert await names(judge(embedder=embedder), text, DOOR, STOCKS, theirs("x")) == []


async def test_embedder_that_fails_leaves_the_words_for_a_minute(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Broken()
    found = judge(embedder=broken)
    with caplog.at_level(logging.ERROR):
        assert await names(found, "Open the front door", DOOR, STOCKS) == ["open_door"]
    assert "words decide for the next 60 s" in caplog.text
    await found.near("Open the front door", [DOOR])
    assert len(broken.asked) == 1
    monkeypatch.setattr(fitness, "FAILED_S", -FAILED_S)
    await found.near("Open the front door", [DOOR])
    assert len(broken.asked) == 2


async def test_rule_of_a_servers_tool_comes_before_all_that_is_the_clients() -> None:
    axes = Axes()
    found = judge(Fit("math", 0.95, {"expression": "1+1"}), embedder=axes)
    assert await names(found, "Open the door", MATH, DOOR) == ["math"]
    assert axes.asked == []


async def test_without_tools_of_the_clients_no_vector_is_made() -> None:
    axes = Axes()
    assert await names(judge(Fit("math", 0.4), embedder=axes), "Open the door", MATH) == ["math"]
    assert axes.asked == []


@pytest.mark.parametrize("embedder", [Axes(), None], ids=["vectors", "words"])
@pytest.mark.parametrize(
    ("text", "tool"), [("Please open the front door", "open_door"), ("The stock price of NVDA", "get-stock-price")]
)
async def test_name_and_description_find_the_tool(embedder: Embedder | None, text: str, tool: str) -> None:
    assert await names(judge(embedder=embedder), text, STOCKS, DOOR) == [tool]


async def test_tools_of_both_sides_are_ranked_together() -> None:
    found = judge(Fit("math", 0.3), embedder=Axes())
    assert await names(found, "Open the door", MATH, DOOR) == ["open_door", "math"]
    found = judge(Fit("math", 0.99), embedder=Axes())
    assert await names(found, "Open the door", MATH, DOOR) == ["math", "open_door"]


async def test_description_is_embedded_once_and_each_request_alone() -> None:
    axes = Axes()
    found = judge(embedder=axes)
    for _ in range(3):
        await found.near("Open the door", [DOOR, DOOR])
    assert [(kind, len(texts)) for kind, texts in axes.asked] == [
        ("passage", len(NO_TOOL) + 1),
        ("query", 1),
        ("query", 1),
        ("query", 1),
    ]


async def test_what_is_kept_has_a_limit_and_long_texts_are_judged_by_their_beginning() -> None:
    axes = Axes()
    found = judge(embedder=axes)
    await found.near("x", [theirs(f"tool{n}") for n in range(MOST_KEPT)])
    await found.near("y" * 100_000, [theirs("other", "z" * 100_000)])
    passages = [texts for kind, texts in axes.asked if kind == "passage"]
    assert len(passages[1]) == len(NO_TOOL) + 1, "all was forgotten"
    assert max(len(text) for _, texts in axes.asked for text in texts) < LONGEST + 100
