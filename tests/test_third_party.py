"""A stranger's plugin from a wheel: installed it is listed, offered, routed to and used; removed it leaves no trace.

Everything happens in an environment of its own, with the kernel and the default plugins from wheels too. Third-party
libraries come from the lock file, which an earlier ``uv run`` has put into uv's cache.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic.testing.ollama import ScriptedOllama, calls, says

ROOT = Path(__file__).parents[1]
EXAMPLES = ["agentic-plugin-dice", "agentic-plugin-critic"]
BROKEN = "agentic-plugin-broken"
BROKEN_PROJECT = """
[project]
name = "agentic-plugin-broken"
version = "1.2"
[project.entry-points.agentic]
broken = "agentic_broken"
[build-system]
requires = ["uv_build>=0.9,<1"]
build-backend = "uv_build"
[tool.uv.build-backend]
module-name = "agentic_broken"
module-root = ""
"""
UV = os.environ.get("UV") or shutil.which("uv")
PASSWORD = "correct horse battery"
START_S = 60

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@dataclass(frozen=True, slots=True)
class Machine:
    """An environment with nothing but wheels in it, a folder to work in, and a model server within reach."""

    folder: Path
    ollama: ScriptedOllama
    ollama_url: str

    def environment(self) -> dict[str, str]:
        kept = ("PATH", "HOME", "TMPDIR", "LANG", "SSL_CERT_FILE", "UV_CACHE_DIR")
        given = {name: os.environ[name] for name in kept if name in os.environ}
        return given | {"VIRTUAL_ENV": str(self.folder / "venv"), "OLLAMA_HOST": self.ollama_url, "COLUMNS": "200"}

    def uv(self, *words: str | Path, cwd: Path | None = None, **variables: str) -> None:
        assert UV, "this test needs uv on the PATH: pip install uv"
        environment = {**self.environment(), **variables}
        command = [UV, *map(str, words)]
        place = cwd or self.folder
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def agentic(self, *words: str, typed: str = "") -> str:
        done = subprocess.run(
            [self.folder / "venv/bin/agentic", *words],
            cwd=self.folder, env=self.environment(), input=typed, capture_output=True, text=True, timeout=START_S,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def build(self, source: Path) -> None:
        self.uv("build", "--wheel", "--out-dir", self.folder / "wheels", source)

    def install(self, *distributions: str) -> None:
        self.uv("pip", "install", "--no-index", "--find-links", self.folder / "wheels", *distributions)

    def uninstall(self, *distributions: str) -> None:
        self.uv("pip", "uninstall", *distributions)

    def listed(self) -> dict[str, Any]:
        return {plugin["name"]: plugin for plugin in json.loads(self.agentic("plugins", "list", "--json"))}

    @contextmanager
    def serving(self) -> Iterator[str]:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        log = self.folder / "serve.txt"
        with log.open("w") as out:
            process = subprocess.Popen(
                [self.folder / "venv/bin/agentic", "serve", "--port", str(port)],
                cwd=self.folder, env=self.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            )  # fmt: skip
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


@dataclass(slots=True)
class Seen:
    """What a user sees of a server: its plugins, its models, and the answers to two requests."""

    listed: dict[str, Any] = field(default_factory=dict)
    models: set[str] = field(default_factory=set)
    ready: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)


DICE, CARE = "Roll two dice", "Write one polished sentence about rain"


def look_around(machine: Machine, key: str) -> Seen:
    """Ask for everything, with a model that calls the dice where it is offered them."""
    seen = Seen(listed=machine.listed())
    with machine.serving() as url, httpx.Client(base_url=url, timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        seen.models = {model["id"] for model in client.get("/v1/models").json()["data"]}
        seen.ready = client.get("/ready").json()
        for question in (DICE, CARE):
            before = len(machine.ollama.chats)
            answer = client.post("/v1/chat/completions", json={"messages": [{"role": "user", "content": question}]})
            run = client.get(f"/api/runs/{answer.headers['X-Run-Id']}")
            seen.answers[question] = {
                "status": answer.status_code,
                "agent": answer.headers["X-Agent"],
                "text": answer.json()["choices"][0]["message"]["content"],
                "events": run.json()["events"],
                "asked": machine.ollama.chats[before:],
            }
    return seen


def use_dice(body: dict[str, Any]) -> Any:
    """A model that rolls dice if it can, and else only talks."""
    offered = [tool["function"]["name"] for tool in body.get("tools", ())]
    if body["messages"][-1]["role"] == "user" and "roll_dice" in offered:
        return calls(("roll_dice", {"sides": 6, "count": 2}))
    said = [message for message in body["messages"] if message["role"] == "assistant" and not message.get("tool_calls")]
    return says(f"Answer {len(said) + 1}.")


def offered(answer: dict[str, Any]) -> set[str]:
    """The tools that the model was offered for an answer."""
    return {tool["function"]["name"] for body in answer["asked"] for tool in body.get("tools", ())}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    ollama = ScriptedOllama()
    ollama.answer = use_dice
    with ollama.running() as url:
        machine = Machine(folder, ollama, url)
        needed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]["default"]
        # The lock's own versions, without asking an index for newer ones; the project's parts come as wheels.
        machine.uv("sync", "--frozen", "--no-dev", "--group", "default", "--no-install-workspace",
                   cwd=ROOT, UV_PROJECT_ENVIRONMENT=str(folder / "venv"))  # fmt: skip
        machine.build(ROOT)
        for distribution in needed:
            machine.build(ROOT / "plugins" / distribution.removeprefix("agentic-plugin-").replace("-", "_"))
        for example in EXAMPLES:
            machine.build(ROOT / "examples/third_party" / example)
        machine.install("agentic-server", *needed)
        machine.agentic("users", "add", "anna", "--role", "admin", typed=PASSWORD + "\n")
        yield machine


@pytest.fixture(scope="module")
def key(machine: Machine) -> str:
    return machine.agentic("keys", "create", "anna", "--name", "test").strip()


@pytest.fixture(scope="module")
def before(machine: Machine, key: str) -> Seen:
    return look_around(machine, key)


@pytest.fixture(scope="module")
def installed(machine: Machine, key: str, before: Seen) -> Seen:
    machine.install(*EXAMPLES)
    return look_around(machine, key)


@pytest.fixture(scope="module")
def removed(machine: Machine, key: str, installed: Seen) -> Seen:
    machine.uninstall(*EXAMPLES)
    return look_around(machine, key)


@pytest.fixture(scope="module")
def broken(machine: Machine, key: str, removed: Seen) -> Seen:
    source = machine.folder / BROKEN
    (source / "agentic_broken").mkdir(parents=True)
    (source / "pyproject.toml").write_text(BROKEN_PROJECT)
    (source / "agentic_broken/__init__.py").write_text('"""Broken."""\nimport no_such_library\n')
    machine.build(source)
    machine.install(BROKEN, "agentic-plugin-dice")
    seen = look_around(machine, key)
    machine.uninstall(BROKEN, "agentic-plugin-dice")
    return seen


def test_default_plugins_work_from_wheels(before: Seen) -> None:
    states = {name: plugin["state"] for name, plugin in before.listed.items()}
    assert set(states.values()) <= {"active", "not_configured"}
    assert {name for name, state in states.items() if state == "not_configured"} == {"openai_upstream", "sql"}
    assert [answer["status"] for answer in before.answers.values()] == [200, 200]


def test_installed_plugins_are_listed_with_what_they_offer(installed: Seen) -> None:
    dice, critic = installed.listed["dice"], installed.listed["critic"]
    assert (dice["distribution"], dice["version"], dice["state"]) == (EXAMPLES[0], "0.1.0", "active")
    assert dice["capabilities"] == [{"kind": "tool", "name": "roll_dice"}]
    assert critic["capabilities"] == [{"kind": "agent", "name": "critic"}]


def test_installed_tool_is_offered_called_and_its_result_read(installed: Seen) -> None:
    answer = installed.answers[DICE]
    assert "roll_dice" in offered(answer)
    assert ", sum " in answer["asked"][-1]["messages"][-1]["content"]
    called = [event for event in answer["events"] if event["type"] == "tool_call_started"]
    assert [(event["tool"], event["plugin"]) for event in called] == [("roll_dice", "dice")]


def test_installed_agent_is_a_model_and_wins_the_requests_it_is_for(installed: Seen) -> None:
    assert "agentic/critic" in installed.models
    answer = installed.answers[CARE]
    assert answer["agent"] == "critic"
    assert answer["text"] == "Answer 3.", "the third answer: after the draft and the criticism"
    assert installed.answers[DICE]["agent"] != "critic", "it leaves the others alone"


def test_removed_plugins_leave_no_trace(before: Seen, removed: Seen) -> None:
    assert removed.listed == before.listed
    assert removed.models == before.models
    assert removed.ready == before.ready
    for question, answer in removed.answers.items():
        assert "roll_dice" not in offered(answer)
        assert answer["agent"] == before.answers[question]["agent"]


def test_broken_plugin_is_listed_with_its_fix_and_the_rest_works(before: Seen, broken: Seen) -> None:
    plugin = broken.listed["broken"]
    assert (plugin["state"], plugin["version"]) == ("quarantined", "1.2")
    assert plugin["cause"] == "no module named 'no_such_library'"
    assert plugin["fix"] == "Ask the authors of agentic-plugin-broken what brings it"
    assert broken.ready["status"] == before.ready["status"] == "ready"
    told = json.dumps(broken.ready["plugins"], ensure_ascii=False)
    assert all(part in told for part in (BROKEN, plugin["cause"], plugin["fix"]))
    assert "roll_dice" in offered(broken.answers[DICE])
    assert {name: state["state"] for name, state in broken.listed.items()} == {
        **{name: state["state"] for name, state in before.listed.items()}, "dice": "active", "broken": "quarantined",
    }  # fmt: skip


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            if httpx.get(url, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"the server did not start: {log.read_text()}")
