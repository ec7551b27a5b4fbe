"""What a request is judged to need, and when the dearer judge is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agentic import Embedder, Run
from agentic.fitness.fitness import Fitness
from agentic.fitness.judges import GIST, gist, judges
from agentic.fitness.reading import Reading
from agentic.messages import Message
from bench.routing.keywords import by_keywords
from bench.routing.requests import Half, labelled
from bench.routing.tools import specs
from tests.kernel_in_memory import House, said

TOOLS = specs()


class Flat(Embedder):
    """Every text is alike."""

    dimensions = 384
    max_tokens = 99

    def __init__(self, name: str) -> None:
        self.id = name
        self.texts = 0

    async def embed(self, texts: Sequence[str], kind: Any) -> Any:
        numpy = pytest.importorskip("numpy")
        self.texts += len(texts)
        return numpy.full((len(texts), self.dimensions), self.dimensions**-0.5, dtype="float32")


def fitness(embedder: Embedder | None = None, *, tools: Any = TOOLS) -> Fitness:
    async def embedding() -> Embedder | None:
        return embedder

    return Fitness(tools, embedding)


CHEAP = fitness()


def read(text: str, *turns: str) -> Reading:
    return Reading(CHEAP, text, [Message("assistant" if n % 2 else "user", turn) for n, turn in enumerate(turns)])


async def test_without_tools_none_helps() -> None:
    reading = Reading(fitness(tools=[]), "What is the weather in Rome?", ())
    await reading.settle()
    assert (reading.fits, reading.shape.tool, reading.is_settled) == ([], 0, False)


def test_text_without_words_needs_no_tool() -> None:
    assert read("  ").shape.tool == 0


async def test_first_request_makes_the_judges_off_the_event_loop() -> None:
    made = fitness()
    assert not made.is_ready
    await Reading(made, "Hello", ()).settle()
    assert made.is_ready


@pytest.mark.parametrize(
    ("text", "tool"),
    [("Will it rain in Kassel tomorrow?", "weather"), ("How many orders are in the database?", "sql_query")],
)
def test_single_lookup_needs_a_tool_and_no_parts(text: str, tool: str) -> None:
    reading = read(text)
    assert reading.fits[0].tool == tool
    assert reading.shape.tool > 0.5 > reading.shape.parts


def test_parts_that_need_not_each_other_are_told_from_a_chain() -> None:
    assert read("What's the weather in Bern, Basel and Chur?").shape.parts > 0.5
    assert read("Find the capital of Chad, then its population").shape.parts < 0.5


@pytest.mark.parametrize("text", ["Hello!", "Write a poem about the sea", "Don't search, just tell me what you think"])
def test_plain_conversation_needs_no_tool(text: str) -> None:
    assert read(text).shape.tool < 0.5


def test_follow_up_takes_the_tool_of_the_last_turn() -> None:
    reading = read("And in Paris?", "What is the weather in Rome?", "Sunny.")
    assert reading.fits[0].tool == "weather"
    assert reading.shape.tool > 0.5


async def test_embedder_that_the_judges_were_not_made_with_is_not_asked_for_strategies() -> None:
    made = fitness(Flat("unknown"))
    for request in labelled("test")[:40]:
        reading = Reading(made, request.text, request.history)
        await reading.settle()
        assert not reading.is_settled


async def test_dearer_judge_is_asked_only_where_the_cheap_one_is_not_sure() -> None:
    embedder = Flat(judges().embedder)
    made = fitness(embedder)
    readings = [Reading(made, request.text, request.history) for request in labelled("test")]
    for reading in readings:
        await reading.settle()
    asked = sum(reading.is_settled for reading in readings)
    assert 0 < asked < 0.5 * len(readings)
    assert embedder.texts < 2 * sum(len(tool.examples) for tool in TOOLS) + asked


async def test_dearer_judge_reads_no_more_than_the_beginning() -> None:
    asked: list[str] = []

    class Noting(Flat):
        async def embed(self, texts: Sequence[str], kind: Any) -> Any:
            asked.extend(texts if kind == "query" else [])
            return await super().embed(texts, kind)

    made = fitness(Noting(judges().embedder))
    long = "Is it going to be warm in Rome and what did they pay for it? " * 50
    assert await made.judge_near(long, made.judge(long)) is not None
    assert asked == [long[:GIST]]


@pytest.mark.parametrize("text", ["", "warm", "天気はどうですか" * 20, "é" * 99, "\ud800 lone " * 20])
def test_gist_of_any_text_is_short_and_its_beginning(text: str) -> None:
    assert text.replace("\ud800", "?").startswith(gist(text))
    assert GIST - 3 < len(gist(text).encode()) <= GIST or gist(text) == text


async def test_nothing_is_judged_where_the_client_has_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object) -> None:
        raise AssertionError("judged")

    monkeypatch.setattr(Fitness, "judge", refuse)

    async def act(run: Run) -> None:
        run.say("yes")

    assert said(await House(act).log(model="agentic/actor")) == "yes"


def test_requests_of_the_two_halves_differ_and_name_tools_that_there_are() -> None:
    halves: tuple[Half, Half] = ("dev", "test")
    dev, test = ([(r.text.lower(), r.history) for r in labelled(half)] for half in halves)
    assert not set(dev) & set(test)
    examples = {text.lower() for tool in TOOLS for text in tool.examples}
    assert not examples & {text for text, _ in test}
    names = {tool.name for tool in TOOLS}
    for request in (*labelled("dev"), *labelled("test")):
        assert request.tools <= names, request.text
        assert bool(request.tools) == (request.strategy != "chat"), request.text


def test_cheap_judge_alone_beats_counting_key_words_by_far() -> None:
    requests, right, counted = labelled("test"), 0, 0
    for request in requests:
        shape = Reading(CHEAP, request.text, request.history).shape
        best = "chat" if shape.tool < 0.5 else "plan_execute" if shape.parts > 0.5 else "react"
        right += best == request.strategy
        counted += by_keywords(request.text) == request.strategy
    assert right > 0.85 * len(requests) > 0.6 * len(requests) > counted
