"""Plan and execute after a restart: what is kept on the way, what is done anew, and a real server that is killed."""

from __future__ import annotations

import contextlib
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic import Json, ToolCall
from agentic.testing.ollama import Answer, ScriptedModel, ScriptedOllama, hangs
from agentic.testing.runs import FakeRun, client_tool
from agentic.testing.server import Server, running_server
from agentic_plan_execute.agent import PlanExecute


def plan(*steps: tuple[Any, ...]) -> str:
    """A plan as a model writes it; a step is ``(id, tool, input, *needs)``."""
    listed = [{"id": name, "tool": tool, "input": given, "needs": needs} for name, tool, given, *needs in steps]
    return json.dumps({"thought": "", "steps": listed})


def verdict(missing: str = "") -> str:
    return json.dumps({"missing": missing, "passed": not missing})


def kept_after(run: FakeRun) -> list[str]:
    return [checkpoint.data["current_agent"] for checkpoint in run.checkpoints]


# What is kept, and gone on from


async def test_nothing_is_kept_where_no_tool_is_needed() -> None:
    run = FakeRun(replies=[plan(), "Hello there"], tools={"lookup": "42"})
    assert await run.answer(PlanExecute(3)) == "Hello there"
    assert run.checkpoints == []


async def test_plan_results_and_draft_are_kept_once_each() -> None:
    run = FakeRun(replies=[plan(("s1", "lookup", {})), "It is 42.", verdict()], tools={"lookup": "42"})
    await run.answer(PlanExecute(3))
    assert kept_after(run) == ["tool_selection", "tool_execution", "reasoning"]
    again = run.after(run.checkpoints[-1])
    assert await again.answer(PlanExecute(3)) == "It is 42."
    assert again.checkpoints == [], "what it goes on from is there already"


async def test_two_rounds_go_on_from_each_of_their_checkpoints() -> None:
    replies = [
        plan(("s1", "lookup", {"n": 1})),
        "First.",
        verdict("the year"),
        plan(("s2", "lookup", {"n": 2}, "s1")),
        "Second.",
        verdict("the month"),
    ]
    whole = FakeRun(replies=replies, tools={"lookup": lambda call: f"found {call.id}"})
    answer = await whole.answer(PlanExecute(2))
    assert answer == "Second.\n\nCould not be verified: the month"
    assert len(whole.checkpoints) == 6
    for checkpoint in whole.checkpoints:
        rest = whole.after(checkpoint)
        assert await rest.answer(PlanExecute(2)) == answer
        assert len(rest.model.requests) == len(replies) - checkpoint.asked, "no model call is made twice"


async def test_clients_tools_are_handed_over_after_a_restart() -> None:
    steps = [("s1", "lookup", {}), ("c", "ring", {"text": "{{s1}}"})]
    whole = FakeRun(replies=[plan(*steps)], tools={"lookup": "42"}, client_tools=[client_tool("ring")])
    await whole.answer(PlanExecute(3))
    [checkpoint] = whole.checkpoints
    rest = whole.after(checkpoint)
    await rest.answer(PlanExecute(3))
    assert rest.tools.handed_over == whole.tools.handed_over == (ToolCall("run-1-c", "ring", {"text": "42"}),)


async def test_plan_whose_tool_is_uninstalled_meanwhile_is_mended() -> None:
    steps = [("s1", "lookup", {}), ("s2", "gone", {})]
    whole = FakeRun(replies=[plan(*steps), "Both.", verdict()], tools={"lookup": "42", "gone": "43"})
    await whole.answer(PlanExecute(3))
    mended = FakeRun(
        replies=[plan(("s1", "lookup", {})), "One.", verdict()],
        tools={"lookup": "42"},
        restored=whole.checkpoints[0].data,
    )
    assert await mended.answer(PlanExecute(3)) == "One."
    assert "there is no tool 'gone'" in mended.model.requests[0].messages[0].text


# A real server, killed with SIGKILL

TOOLS = '''
import asyncio
from pathlib import Path

from agentic import hookimpl, tool

FOLDER = Path(__file__).parent

@tool(examples=["Measure the tower"])
async def measure(what: str) -> str:
    """Measure something; a file of its name holds it up."""
    with (FOLDER / "measured").open("a") as told:
        told.write(what + "\\n")
    while (FOLDER / f"hold-{what}").exists():
        await asyncio.sleep(0.02)
    return f"{what} is 324 m"

@hookimpl
def agentic_tools():
    """One tool."""
    return measure
'''
PLANNED = plan(("s1", "measure", {"what": "tower"}), ("s2", "measure", {"what": "mast"}))
ANSWER = "Both are 324 m."


class Scene:
    """A folder with servers over it, one after the other, and the model behind them."""

    def __init__(self, data: Path, key: str, ollama: ScriptedOllama, address: str) -> None:
        self.data, self.key, self.ollama = data, key, ollama
        self.plugin = data.parent / "plugin"
        info = self.plugin / "agentic_measuring-1.0.dist-info"
        info.mkdir(parents=True)
        (self.plugin / "agentic_measuring.py").write_text(TOOLS)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: agentic-measuring\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text("[agentic]\nmeasuring = agentic_measuring\n")
        self.settings = {"OLLAMA_HOST": address, "SERVER_LEASE_SECONDS": "1"}

    @property
    def measured(self) -> list[str]:
        told = self.plugin / "measured"
        return told.read_text().split() if told.exists() else []

    @contextlib.contextmanager
    def serving(self) -> Iterator[tuple[Server, httpx.Client]]:
        """A server, and a client of its user."""
        with running_server(self.settings, path=[self.plugin], data_dir=self.data) as server:
            headers = {"Authorization": f"Bearer {self.key}"}
            with httpx.Client(base_url=server.url, headers=headers, timeout=30) as http:
                yield server, http


@pytest.fixture
def scene(data: Path, keys: dict[str, str]) -> Iterator[Scene]:
    ollama = ScriptedOllama([ScriptedModel("qwen3:8b")])
    with ollama.running() as address:
        yield Scene(data, keys["ann"], ollama, address)


@pytest.mark.parametrize(
    ("replies", "asked_again", "measured"),
    [
        pytest.param([PLANNED], [ANSWER, verdict()], ["tower", "mast", "mast"], id="slow tool"),
        pytest.param([PLANNED, hangs()], [ANSWER, verdict()], ["tower", "mast"], id="answer"),
        pytest.param([PLANNED, ANSWER, hangs()], [verdict()], ["tower", "mast"], id="check"),
    ],
)
def test_killed_run_is_answered_without_planning_anew(
    scene: Scene, replies: list[str | Answer], asked_again: list[str], measured: list[str]
) -> None:
    held = scene.plugin / "hold-mast"
    if len(replies) == 1:
        held.touch()
    scene.ollama.script(*replies)
    with scene.serving() as (server, http):
        asking = threading.Thread(target=_ask, args=(http,))
        asking.start()
        _wait_for(lambda: len(scene.ollama.chats) == len(replies) and len(scene.measured) == 2)
        if held.exists():
            _wait_for(lambda: _is_logged(scene, "tower is 324 m"))
        server.stop(signal.SIGKILL)
        asking.join(20)
    held.unlink(missing_ok=True)
    scene.ollama.requests.clear()
    scene.ollama.script(*asked_again)
    with scene.serving() as (_, http):
        answer, events = _ended(http)
    assert (answer["content"], answer.get("incomplete")) == (ANSWER, None)
    assert len(scene.ollama.chats) == len(asked_again), "nothing is planned or asked for twice"
    assert sorted(scene.measured) == sorted(measured), "what was measured is not measured again"
    types = [event["type"] for event in events]
    assert types.count("resumed") == types.count("run_finished") == 1


def _is_logged(scene: Scene, words: str) -> bool:
    """Whether a tool's result has come into storage."""
    files = scene.data.glob("agentic.db*")
    return any(words.encode() in file.read_bytes() for file in files)


def _ask(http: httpx.Client) -> None:
    body = {"model": "agentic/plan_execute", "messages": [{"role": "user", "content": "Measure both"}]}
    # The server is killed before it has answered.
    with contextlib.suppress(httpx.TransportError):
        http.post("/v1/chat/completions", json=body)


def _ended(http: httpx.Client) -> tuple[Json, list[Json]]:
    """The answer's message and the events of the only run, once it has ended."""
    [head] = http.get("/api/conversations").json()["conversations"]
    place = f"/api/conversations/{head['session_id']}"
    _wait_for(lambda: len(http.get(place).json()["messages"]) > 1)
    request, answer = http.get(place).json()["messages"]
    found: list[Json] = []

    def is_over() -> bool:
        found[:] = http.get(f"/api/runs/{request['run_id']}").json()["events"]
        return found[-1]["type"] in ("run_finished", "run_failed")

    # The answer is stored a moment before its run is over.
    _wait_for(is_over)
    return answer, found


def _wait_for(there: Callable[[], Any], within_s: float = 20) -> None:
    until = time.monotonic() + within_s
    while not there():
        assert time.monotonic() < until
        time.sleep(0.02)
