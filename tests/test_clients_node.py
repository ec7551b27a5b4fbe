"""The openai client for Node works unchanged."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agentic.testing.ollama import Answer, calls, errors_midstream, says
from agentic.testing.server import Server
from tests.http_fixtures import SharedOllama

SOURCES = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client's script with its packages, installed from npm's registry."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed")
    folder = tmp_path_factory.mktemp("node")
    for source in ("package.json", "client.mjs"):
        shutil.copy(SOURCES / source, folder)
    npm = ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(npm, cwd=folder, check=True, timeout=100)
    return folder / "client.mjs"


def answer(body: dict[str, Any]) -> Answer | str:
    asked = body["messages"][-1]
    if body.get("format"):
        return '{"name": "ball", "size": 3}'
    if asked["role"] == "tool":
        return f"It is {asked['content']}."
    if asked["content"] == "use a tool":
        return calls(("weather", {"town": "Oslo"}))
    return errors_midstream("out of memory", after=2) if asked["content"] == "break" else says("Hello to you.")


def test_openai_client_for_node_works(
    node_client: Path, server: Server, keys: dict[str, str], ollama: SharedOllama
) -> None:
    ollama.answer = answer
    node = ["node", str(node_client), f"{server.url}/v1", keys["ann"]]
    done = subprocess.run(node, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["whole"] == seen["streamed"] == "Hello to you."
    assert seen["usage"] > 0
    assert seen["finish"] == "tool_calls"
    assert seen["call"]["name"] == "weather"
    assert json.loads(seen["call"]["arguments"]) == {"town": "Oslo"}
    assert seen["continued"] == "It is sunny."
    assert seen["parsed"] == {"name": "ball", "size": 3}
    assert (seen["events"][0], seen["events"][-1]) == ("response.created", "response.completed")
    assert "response.function_call_arguments.done" in seen["events"]
    assert seen["response"] == "It is sunny."
    assert seen["vector"] == 8
    assert {"agentic", "agentic/chat", "qwen3:8b"} <= set(seen["models"])
    assert seen["error"] == {"name": "NotFoundError", "status": 404, "code": "model_not_found", "param": "model"}
    assert seen["broken"] == "word1 word2 "
    assert seen["midstream"] == {"name": "APIError", "code": "model_error"}
