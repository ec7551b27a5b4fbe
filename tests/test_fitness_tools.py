"""How well tools fit a request: rules first, then the words and vectors of their own examples."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import time
from collections.abc import Sequence
from typing import Any

import pytest

from agentic import Embedder, Json, ToolSpec
from agentic.fitness import fitness as fitness_module
from agentic.fitness.fitness import NO_TOOL, Fitness


def spec(name: str, *examples: str, suggest: Any = None) -> ToolSpec:
    return ToolSpec(name, f"The tool {name}", {}, examples, suggest)


WEATHER = spec("weather", "What is the weather in Rome?", "Will it rain tomorrow in Berlin?")
SEARCH = spec("web_search", "Search the web for the latest news", "Who won the election yesterday?")
MATH = spec(
    "math", "How much is 17 * 23?", "Solve x**2 = 4", suggest=lambda text: {"expression": text} if "*" in text else None
)


class Axes(Embedder):
    """One axis a word: texts that share words are near."""

    id = "axes"
    dimensions = 64
    max_tokens = 99

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []
        self.longest = 0

    async def embed(self, texts: Sequence[str], kind: Any) -> Any:
        numpy = pytest.importorskip("numpy")
        self.asked.append((kind, len(texts)))
        self.longest = max(self.longest, *map(len, texts))
        rows = numpy.zeros((len(texts), self.dimensions), dtype="float32")
        for row, text in zip(rows, texts, strict=True):
            row[0] = 0.01
            for word in words(text):
                row[1 + sum(word.encode()) % (self.dimensions - 1)] += 1
        return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def words(text: str) -> set[str]:
    return {word.strip("?!.,") for word in text.lower().split()} - {
        "the",
        "in",
        "is",
        "it",
        "and",
        "will",
        "what",
        "you",
    }


async def no_embedder() -> None:
    return None


def fitness(*specs: ToolSpec, embedder: Embedder | None = None) -> Fitness:
    async def embedding() -> Embedder | None:
        return embedder

    return Fitness(specs, embedding)


def test_no_tools_fit_nothing() -> None:
    assert fitness().judge("How much is 1+1?").fits() == []


@pytest.mark.parametrize("text", ["", "   ", "\x00", "!!!"])
def test_text_without_words_fits_no_tool(text: str) -> None:
    assert [fit.score for fit in fitness(WEATHER, SEARCH).judge(text).fits()] == [0, 0]


def test_small_words_alone_fit_no_tool_well() -> None:
    assert max(fit.score for fit in fitness(WEATHER, SEARCH).judge("the of and").fits()) < 0.1


def test_installing_a_tool_changes_nothing_for_the_others() -> None:
    text = "Will it be warm in Rome, and what is in the news?"
    alone, beside = fitness(WEATHER).judge(text), fitness(SEARCH, WEATHER, MATH).judge(text)
    assert alone.raw["weather"] == beside.raw["weather"]


def test_rule_that_raises_reads_nothing_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def broken(_text: str) -> Json | None:
        raise ValueError("secret 4711")

    with caplog.at_level(logging.ERROR):
        [fit] = fitness(spec("x", "Solve it", suggest=broken)).judge("private words").fits()
    assert (fit.score, fit.suggested) == (0, None)
    assert "A tool's suggest failed: x" in caplog.text


def test_tool_without_examples_fits_by_its_name() -> None:
    assert fitness(spec("dice"), WEATHER).judge("Roll the dice").fits()[0].tool == "dice"


def test_rules_come_before_words() -> None:
    best, *others = fitness(WEATHER, SEARCH, MATH).judge("the weather in Rome * 2").fits()
    assert (best.tool, best.suggested) == ("math", {"expression": "the weather in Rome * 2"})
    assert 0.95 <= best.score <= 1
    assert all(other.score <= 0.9 and other.suggested is None for other in others)


@pytest.mark.parametrize(
    ("text", "tool"),
    [("Will it rain in Paris?", "weather"), ("latest NEWS on elections", "web_search"), ("Solve x = 4", "math")],
)
def test_shared_words_of_examples_choose(text: str, tool: str) -> None:
    best, second, third = fitness(WEATHER, SEARCH, MATH).judge(text).fits()
    assert best.tool == tool
    assert best.score > second.score >= third.score


def test_example_itself_fits_best() -> None:
    best = fitness(WEATHER, SEARCH, MATH).judge("What is the weather in Rome?").fits()[0]
    assert best.score == pytest.approx(0.9, abs=0.05)


def test_tools_that_fit_alike_stay_in_the_catalogs_order() -> None:
    assert [fit.tool for fit in fitness(SEARCH, MATH, WEATHER).judge("").fits()] == ["web_search", "math", "weather"]


@pytest.mark.parametrize(
    ("text", "limit"),
    [("What is the example of tool seven, and how much is it?", 0.02), ("pasted text " * 10**6, 0.2)],
)
def test_judging_twenty_tools_of_twelve_examples_is_cheap(text: str, limit: float) -> None:
    judge = fitness(*(spec(f"tool{n}", *(f"Show example {n} of {word}" for word in "abcdefghijkl")) for n in range(20)))
    assert min(timed(judge, text) for _ in range(5)) < limit, "every request is judged"


def timed(judge: Fitness, text: str) -> float:
    began = time.process_time()
    judge.judge(text).fits()
    return time.process_time() - began


async def test_long_text_is_judged_by_its_beginning_and_read_by_no_rule() -> None:
    pasted = "word " * 800
    axes = Axes()
    judge = fitness(WEATHER, MATH, embedder=axes)
    assert judge.judge(f"{pasted} What is the weather in Rome? 2 * 3").fits() == judge.judge(pasted).fits()
    await judge.near(f"{pasted} What is the weather in Rome? 2 * 3", [WEATHER, MATH])
    assert axes.longest == 4000


async def test_without_an_embedder_words_decide_and_weak_ones_count_nothing() -> None:
    judge = fitness(WEATHER, SEARCH)
    assert [fit.tool for fit in await judge.near("What is the weather in Rome?", [WEATHER, SEARCH])] == ["weather"]
    assert await judge.near("Tell me of the weather that Napoleon had on his way to Moscow", [WEATHER, SEARCH]) == []


async def test_embedder_that_fails_leaves_the_words(caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Axes):
        async def embed(self, texts: Sequence[str], kind: Any) -> Any:
            raise OSError("no weights")

    judge = fitness(WEATHER, SEARCH, embedder=Broken())
    assert [fit.tool for fit in await judge.near("What is the weather in Rome?", [WEATHER, SEARCH])] == ["weather"]
    assert "[Router] Embedder failed" in caplog.text


@pytest.mark.parametrize("kind", ["passage", "query"])
async def test_embedder_that_failed_is_left_alone_for_a_minute(
    kind: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Exits(Axes):
        async def embed(self, texts: Sequence[str], kind_now: Any) -> Any:
            rows = await super().embed(texts, kind_now)
            await asyncio.sleep(0)
            if kind_now == kind and exits:
                raise SystemExit(3)
            return rows

    embedder, exits = Exits(), True
    judge = fitness(WEATHER, embedder=embedder)
    if kind == "passage":
        await asyncio.gather(*(judge.near("rain", [WEATHER]) for _ in range(3)))
    for _ in range(3):
        assert [fit.tool for fit in await judge.near("Will it rain in Berlin?", [WEATHER])] == ["weather"]
    assert [asked for asked, _ in embedder.asked].count(kind) == 1
    assert caplog.text.count("Traceback") == 1
    exits = False
    monkeypatch.setattr(fitness_module, "FAILED_S", 0.0)
    assert [fit.tool for fit in await judge.near("rain in Rome", [WEATHER])] == ["weather"]


async def test_rules_need_no_embedder() -> None:
    axes = Axes()
    assert [fit.tool for fit in await fitness(WEATHER, MATH, embedder=axes).near("2*3", [WEATHER, MATH])] == ["math"]
    assert axes.asked == []


async def test_only_tools_at_hand_are_near() -> None:
    judge = fitness(WEATHER, MATH, embedder=Axes())
    assert await judge.near("2*3", [WEATHER]) == []
    assert [fit.tool for fit in await judge.near("rain in Rome", [MATH])] == []


async def test_examples_are_embedded_once_and_each_request_alone() -> None:
    axes = Axes()
    judge = fitness(WEATHER, SEARCH, spec("silent"), embedder=axes)
    await asyncio.gather(*(judge.near("rain in Rome", [WEATHER, SEARCH]) for _ in range(3)))
    examples = len(NO_TOOL) + len(WEATHER.examples) + len(SEARCH.examples)
    assert sorted(axes.asked) == [("passage", examples), *[("query", 1)] * 3]


async def test_nearest_tool_comes_first_and_plain_conversation_has_none() -> None:
    judge = fitness(WEATHER, SEARCH, embedder=Axes())
    assert (await judge.near("weather and rain in Rome", [WEATHER, SEARCH]))[0].tool == "weather"
    assert await judge.near("Thank you very much", [WEATHER, SEARCH]) == []


@pytest.mark.skipif(importlib.util.find_spec("agentic_embed_minilm") is None, reason="no embedder is installed")
async def test_real_embedder_tells_tools_from_plain_conversation() -> None:
    from agentic_embed_minilm.embedder import MiniLMProvider

    judge = fitness(WEATHER, SEARCH, MATH, embedder=await MiniLMProvider().resolve(""))
    tools = [WEATHER, SEARCH, MATH]
    wanted = {
        "Do I need an umbrella in Hamburg today?": "weather",
        "Look up on the internet what happened this morning": "web_search",
        "What is the square root of 144?": "math",
    }
    for text, tool in wanted.items():
        assert (await judge.near(text, tools))[0].tool == tool, text
    for text in ("Hi there, how are you doing?", "Tell me a funny story"):
        assert await judge.near(text, tools) == [], text
