"""Agents that try to run for ever, as plugins of a real server: a limit ends each, is told, and harms nobody else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentic.testing.ollama import says
from agentic.testing.server import Server, running_server
from tests.http_fixtures import Api, SharedOllama, eventually, install

ENDLESS = '''
"""An agent that runs for ever in the way that its request names, and a tool for it."""

import asyncio
import contextlib

from agentic import Agent, Bid, ToolCall, hookimpl, tool


@tool()
async def look(at: int = 0) -> str:
    """Look at something."""
    return f"seen {at}"


async def steps(run):
    while True:
        await run.model.complete(run.messages)


async def swallowing(run):
    while True:
        with contextlib.suppress(BaseException):
            await run.model.complete(run.messages)
        with contextlib.suppress(BaseException):
            await run.tools.call([ToolCall("1", "look", {"at": 1})])


async def calls(run):
    n = 0
    while True:
        n += 1
        await run.tools.call([ToolCall(str(n), "look", {"at": n})])


async def crowd(run):
    await run.tools.call([ToolCall(str(n), "look", {"at": n}) for n in range(1000)])


async def same(run):
    while "twice" not in (await run.tools.call([ToolCall("1", "look", {})]))[0].content:
        run.think("again")
    run.say("It was enough.")


async def sleeping(run):
    while True:
        await asyncio.sleep(0.01)


async def silent(run):
    while True:
        await run.tools.call([])


class Endless(Agent):
    name = "endless"
    description = "Runs for ever"

    def bid(self, task):
        return Bid(0, "only when asked for")

    async def run(self, run):
        run.say("So far.")
        await globals()[run.task.text](run)


@hookimpl
def agentic_agents():
    return Endless()


@hookimpl
def agentic_tools():
    return look
'''
TOLD = "Stopped: the limit of {} a run ({}) was reached."


@pytest.fixture(scope="module")
def limited(
    shared_ollama: tuple[SharedOllama, str], prepared: tuple[Path, dict[str, str]], tmp_path_factory: Any
) -> Iterator[Server]:
    """A server with low limits and an agent that knows none."""
    folder = tmp_path_factory.mktemp("limited")
    data = Path(shutil.copytree(prepared[0], folder / "data"))
    env = {
        "OLLAMA_HOST": shared_ollama[1],
        "RUN_MAX_MODEL_CALLS": "4",
        "RUN_MAX_TOOL_CALLS": "20",
        "RUN_MAX_TOKENS": "5000",
        "RUN_MAX_SECONDS": "3",
    }
    with running_server(env, path=[install(folder, "endless", ENDLESS)], data_dir=data) as server:
        yield server


@pytest.fixture
def ann(limited: Server, keys: dict[str, str], ollama: SharedOllama) -> Iterator[Api]:
    with Api(limited, keys["ann"]) as api:
        yield api


@pytest.mark.parametrize(
    ("way", "tokens", "limit", "setting"),
    [
        ("steps", 10, "4 model calls", "RUN_MAX_MODEL_CALLS"),
        ("steps", 3000, "5000 tokens", "RUN_MAX_TOKENS"),
        ("swallowing", 10, "4 model calls", "RUN_MAX_MODEL_CALLS"),
        ("calls", 0, "20 tool calls", "RUN_MAX_TOOL_CALLS"),
        ("crowd", 0, "20 tool calls", "RUN_MAX_TOOL_CALLS"),
        ("sleeping", 0, "3 seconds", "RUN_MAX_SECONDS"),
        ("silent", 0, "3 seconds", "RUN_MAX_SECONDS"),
    ],
)
def test_limit_ends_an_agent_that_would_run_for_ever_and_is_told(
    ann: Api, ollama: SharedOllama, *, way: str, tokens: int, limit: str, setting: str
) -> None:
    ollama.answer = lambda _body: says("word", tokens=tokens, prompt_tokens=tokens)
    answer = ann.chat(way, model="agentic/endless").json()
    told = TOLD.format(limit, setting)
    assert answer["choices"][0]["message"]["content"] == f"So far.\n\n{told}"
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["agentic"]["notices"] == [told]
    assert eventually(lambda: ann.get("/health", timeout=1).status_code == 200)
    assert ann.get("/api/runs").json() == {"runs": []}


def test_same_call_with_the_same_result_is_refused_the_third_time(ann: Api) -> None:
    answer = ann.chat("same", model="agentic/endless").json()
    assert answer["choices"][0]["message"]["content"] == "So far.It was enough."
    results = [step for step in answer["agentic"]["steps"] if step["type"] == "tool_call_finished"]
    assert [step["error"] for step in results] == [False, False, True]


def test_agents_of_others_are_served_while_endless_ones_run(ann: Api, ollama: SharedOllama) -> None:
    for _ in range(3):
        ann.chat("swallowing", model="agentic/endless")
    assert ann.chat("hello", model="agentic/chat", timeout=2).json()["choices"][0]["message"]["content"]
