"""A server that ends in the middle of a run and is started again: the run goes on and repeats nothing it must not."""

from __future__ import annotations

import contextlib
import signal
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic.testing.ollama import says
from agentic.testing.server import running_server
from tests.http_fixtures import Api, SharedOllama, eventually, install

PLANNER = '''
"""An agent of three steps that keeps a checkpoint before each, and its tools, which tell what they do in a folder."""

import asyncio
import os
from pathlib import Path

from agentic import Agent, Bid, ToolCall, hookimpl, tool

FOLDER = Path(os.environ["PLANNER_FOLDER"])
STEPS = ("measure", "pay", "think")


async def happen(what):
    """Tell it, and wait where the test wants to look in."""
    with (FOLDER / "happened").open("a") as told:
        told.write(what + "\\n")
    while (FOLDER / f"hold-{what}").exists():
        await asyncio.sleep(0.02)


@tool(examples=["Measure the tower"])
async def measure() -> str:
    """Measure the tower."""
    await happen("measure")
    return "324 m"


@tool(risk="write", examples=["Pay the bill"], idempotent=False)
async def pay() -> str:
    """Pay the bill."""
    await happen("pay")
    return "paid"


class Planner(Agent):
    name = "planner"
    description = "Does one step after the other"

    def bid(self, task):
        return Bid(0.1, "only when asked for")

    async def run(self, run):
        done = run.restored["done"] if run.restored else []
        while len(done) < len(STEPS):
            step = STEPS[len(done)]
            await run.checkpoint({"done": done})
            if step == "think":
                await happen("think")
                done.append("thought")
            else:
                [result] = await run.tools.call([ToolCall(f"{run.id}-{len(done) + 1}", step, {})])
                done.append(result.content)
            run.say(f"{step}: {done[-1]}. ")


@hookimpl
def agentic_agents():
    return Planner()


@hookimpl
def agentic_tools():
    return [measure, pay]
'''
WHOLE = "measure: 324 m. pay: paid. think: thought. "


class Scene:
    """A data folder with servers over it, one after the other."""

    def __init__(self, ollama_url: str, key: str, data: Path, folder: Path) -> None:
        self.key = key
        self.data = data
        self.folder = folder
        self.path = [install(folder / "plugins", "planner", PLANNER)]
        self.settings = {"OLLAMA_HOST": ollama_url, "PLANNER_FOLDER": str(folder), "SERVER_LEASE_SECONDS": "1"}

    @property
    def happened(self) -> list[str]:
        told = self.folder / "happened"
        return told.read_text().split() if told.exists() else []

    def serve(self, *, with_planner: bool = True) -> Any:
        path = self.path if with_planner else []
        return running_server(self.settings, path=path, data_dir=self.data)

    def hold(self, what: str) -> Path:
        """Make ``what`` wait in the middle, until the file is gone."""
        held = self.folder / f"hold-{what}"
        held.touch()
        return held

    def end_while(self, what: str, how: signal.Signals = signal.SIGKILL) -> None:
        """Ask the planner, and end its server while ``what`` happens."""
        held = self.hold(what)
        with self.serve() as server, Api(server, self.key) as api:
            asking = threading.Thread(target=_ask, args=(api,))
            asking.start()
            assert eventually(lambda: what in self.happened, 10)
            server.stop(how)
            asking.join(20)
        held.unlink()


def _ask(api: Api) -> None:
    # The server is ended before it has answered.
    with contextlib.suppress(httpx.TransportError):
        assert api.chat("Go", model="agentic/planner").status_code == 503


def the_run(api: Api) -> tuple[str, str]:
    """The only conversation's session, and the run of its first message."""
    [head] = api.get("/api/conversations").json()["conversations"]
    return head["session_id"], api.conversation(head["session_id"])[0]["run_id"]


def ended(api: Api, within_s: float = 10) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The messages and the events of the only run, once it has ended."""
    session_id, run_id = the_run(api)
    assert eventually(lambda: len(api.conversation(session_id)) > 1, within_s)
    # The answer is stored a moment before its run is over.
    assert eventually(lambda: events_of(api, run_id)[-1]["type"] in ("run_finished", "run_failed"), within_s)
    return api.conversation(session_id)[1:], events_of(api, run_id)


def events_of(api: Api, run_id: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = api.get(f"/api/runs/{run_id}").json()["events"]
    return events


@pytest.fixture
def scene(
    shared_ollama: tuple[SharedOllama, str], ollama: SharedOllama, data: Path, keys: dict[str, str], tmp_path: Path
) -> Scene:
    return Scene(shared_ollama[1], keys["ann"], data, tmp_path)


@pytest.mark.parametrize(
    ("killed_in", "happened"),
    [
        ("measure", ["measure", "measure", "pay", "think"]),
        ("pay", ["measure", "pay", "think"]),
        ("think", ["measure", "pay", "think", "think"]),
    ],
)
def test_killed_run_goes_on_from_its_checkpoint(scene: Scene, killed_in: str, happened: list[str]) -> None:
    """Killed within a tool that may be repeated, within one that must not, and after the last one."""
    scene.end_while(killed_in)
    with scene.serve() as server, Api(server, scene.key) as api:
        [answer], events = ended(api)
        assert scene.happened == happened
        assert answer.get("incomplete") is None
        if killed_in == "pay":
            assert "may have happened" in answer["content"]
        else:
            assert answer["content"] == WHOLE
        types = [event["type"] for event in events]
        assert types.count("run_started") == types.count("resumed") == types.count("run_finished") == 1
        assert types.index("checkpointed") < types.index("resumed") < types.index("run_finished")
        assert {e["tool"] for e in events if e["type"] == "tool_call_finished"} == {"measure", "pay"}
        assert "Traceback" not in server.stderr


def test_request_that_follows_waits_for_the_run_that_goes_on(scene: Scene, ollama: SharedOllama) -> None:
    scene.end_while("measure")
    ollama.script(says("I have read it"))
    with scene.serve() as server, Api(server, scene.key) as api:
        session_id, _ = the_run(api)
        assert api.chat("And?", session_id=session_id).status_code == 200
        assert [m["content"] for m in api.conversation(session_id)] == ["Go", WHOLE, "And?", "I have read it"]


def test_run_whose_agent_is_uninstalled_meanwhile_ends_with_a_clear_error(scene: Scene) -> None:
    scene.end_while("think")
    with scene.serve(with_planner=False) as server, Api(server, scene.key) as api:
        [answer], events = ended(api)
        assert answer["incomplete"] and answer["content"] == "measure: 324 m. pay: paid. "
        assert events[-1]["type"] == "run_failed"
        assert "'planner' is not installed" in events[-1]["message"]


def test_run_that_kills_its_server_is_tried_twice(scene: Scene) -> None:
    scene.end_while("think")
    scene.hold("think")
    for n in range(2, 4):
        with scene.serve() as server:
            assert eventually(lambda n=n: scene.happened.count("think") == n, 10)  # type: ignore[misc]
            server.stop(signal.SIGKILL)
    with scene.serve() as server, Api(server, scene.key) as api:
        [answer], events = ended(api)
        assert answer["incomplete"]
        assert "2 times" in events[-1]["message"]
        assert scene.happened.count("think") == 3


def test_two_servers_over_one_storage_do_not_both_go_on(scene: Scene) -> None:
    scene.end_while("think")
    with scene.serve() as one, scene.serve() as other, Api(one, scene.key) as api, Api(other, scene.key) as api_2:
        [answer], _ = ended(api)
        assert answer["content"] == WHOLE
        assert scene.happened.count("think") == 2
        assert api_2.conversation(the_run(api)[0]) == api.conversation(the_run(api)[0])


def test_other_server_goes_on_without_a_restart(scene: Scene) -> None:
    held = scene.hold("think")
    with scene.serve() as other, Api(other, scene.key) as api_2:
        scene.end_while("think")
        held.unlink(missing_ok=True)
        [answer], _ = ended(api_2)
        assert answer["content"] == WHOLE


def test_terminated_server_leaves_the_run_to_the_next(scene: Scene) -> None:
    scene.end_while("think", signal.SIGTERM)
    with scene.serve() as server, Api(server, scene.key) as api:
        [answer], events = ended(api)
        assert answer["content"] == WHOLE
        assert [event["type"] for event in events].count("run_failed") == 0


def test_killed_run_without_a_checkpoint_ends_with_a_clear_error(scene: Scene, ollama: SharedOllama) -> None:
    ollama.script(says("word " * 100, delay_s=0.1))
    body = {"model": "agentic/chat", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    with (
        scene.serve() as server,
        Api(server, scene.key) as api,
        contextlib.suppress(httpx.TransportError),
        api.stream("POST", "/v1/chat/completions", json=body) as response,
    ):
        for line in response.iter_lines():
            if "word" in line:
                server.stop(signal.SIGKILL)
    with scene.serve() as server, Api(server, scene.key) as api:
        assert api.conversation(the_run(api)[0])[0]["content"] == "hello"
        [answer], events = ended(api)
        assert answer["incomplete"] and answer["content"] == ""
        assert [event["type"] for event in events] == ["run_started", "run_failed"]
        assert "Ask again" in events[-1]["message"]
