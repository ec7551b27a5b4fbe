"""One real server with a model of every way of calling tools, and what such models say."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentic.testing.openai import Answer, ScriptedModel, ScriptedUpstream, calls, says
from agentic.testing.server import Server, running_server
from tests.http_fixtures import install

MODES = ("native", "schema", "text", "fit")
CHOOSING = ("native", "schema", "text")
PLUGIN = '''
"""Tools that give their call back, and an agent that runs every call of a plan side by side."""

import asyncio

from agentic import Agent, Bid, Tool, ToolCall, ToolError, hookimpl, tool


@tool(examples=["Look up the height of the tower"])
async def lookup(what: str) -> str:
    """Look something up."""
    return f"{what}: 324 m"


@tool()
async def broken(what: str) -> str:
    """Fails."""
    raise ToolError("the archive is closed")


@tool()
async def slow(what: str) -> str:
    """Takes its time."""
    await asyncio.sleep(0.2)
    return f"{what}, slowly"


@tool()
async def nap(what: str) -> str:
    """Takes half a second."""
    await asyncio.sleep(0.5)
    return f"{what}, after a nap"


class Stuck(Tool):
    """Never ends by itself, and keeps a diary of its life."""

    name = "stuck"
    description = "Never ends"
    args = {"type": "object", "properties": {"what": {"type": "string"}}}

    def __init__(self, data_dir):
        self._diary = data_dir / "stuck.txt"

    def _note(self, word):
        with self._diary.open("a") as diary:
            diary.write(word + " ")

    async def run(self, args, ctx):
        await asyncio.to_thread(self._note, "began")
        try:
            await asyncio.Event().wait()
        finally:
            self._note("ended")


class Planner(Agent):
    name = "planner"
    description = "Runs every step of a plan at once, each on its own"

    def bid(self, task):
        return Bid(0, "only where it is asked for")

    async def run(self, run):
        if run.messages[-1].role == "tool":
            await run.model.complete(run.messages, say=True)
            return
        steps = [name.split(":") for name in run.task.text.split()]
        await asyncio.gather(*(self._step(run, n, *step) for n, step in enumerate(steps)))

    async def _step(self, run, n, name, what):
        await run.tools.call([ToolCall(f"step-{n}", name, {"what": what})])


@hookimpl
def agentic_tools(data_dir):
    return [lookup, broken, slow, nap, Stuck(data_dir)]


@hookimpl
def agentic_agents():
    return Planner()
'''


def turn(mode: str, *wanted: tuple[str, str]) -> list[Answer | str]:
    """What a model of this way says to call these tools; in text it calls one a turn."""
    if mode == "native":
        return [calls(*((name, {"what": what}) for name, what in wanted), text="Let me see. ")]
    if mode == "schema":
        listed = [{"action": name, "input": {"what": what}} for name, what in wanted]
        return [says(json.dumps({"thought": "Both are needed.", "calls": listed}))]
    written = [f"Let me see.\nAction: {name}\nInput: {json.dumps({'what': what})}" for name, what in wanted]
    return [says(one) for one in written]


def ending(mode: str, text: str) -> list[Answer | str]:
    """What it says to answer."""
    return [says('{"thought": "", "calls": []}'), says(text)] if mode == "schema" else [says(text)]


@pytest.fixture(scope="session")
def modes_upstream() -> ScriptedUpstream:
    return ScriptedUpstream([ScriptedModel(mode) for mode in MODES])


@pytest.fixture(scope="session")
def modes_server(
    modes_upstream: ScriptedUpstream,
    prepared: tuple[Path, dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """A server with a model of every way of calling tools, named after it."""
    folder = tmp_path_factory.mktemp("modes")
    data = Path(shutil.copytree(prepared[0], folder / "data"))
    with modes_upstream.running() as url:
        servers = {mode: {"base_url": url, "tool_mode": mode, "models": [mode]} for mode in MODES}
        # The schema of a text model would be a way of its own.
        servers["text"]["json_schema"] = False
        env = {"OPENAI_UPSTREAMS": json.dumps(servers), "AGENTIC_DISABLE": "ollama"}
        with running_server(env, path=[install(folder, "modes", PLUGIN)], data_dir=data) as server:
            yield server


@pytest.fixture
def models(modes_upstream: ScriptedUpstream) -> ScriptedUpstream:
    """The scripted models, as if new."""
    modes_upstream.__init__([ScriptedModel(mode) for mode in MODES])  # type: ignore[misc]
    return modes_upstream
