"""One real server over one scripted Ollama for all tests over HTTP, and what reads its answers."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic.testing.ollama import ScriptedModel, ScriptedOllama
from agentic.testing.server import Server, add_user, own_environment, running_server

SILENCE_S = 1.5
"""The shared server's OLLAMA_TIMEOUT."""

LOOKUP = '''
"""A tool whose result never changes, with a source; it keeps a file where it is asked for one."""

from agentic import Citation, ToolContext, ToolResult, hookimpl, tool


@tool(examples=["Look up the height of the tower"])
async def lookup(what: str, ctx: ToolContext) -> ToolResult:
    """Look something up."""
    if what.startswith("file "):
        await ctx.save_file("found.txt", "text/plain", what.encode())
    return ToolResult(f"{what}: 324 m", citations=(Citation("https://tower.example/height", "The tower", 4, 9),))


@hookimpl
def agentic_tools():
    return lookup
'''
BROKEN = "import no_such_thing\n"


class SharedOllama(ScriptedOllama):
    """A scripted Ollama that one test after another uses as if it were new."""

    MODELS = (
        ScriptedModel("qwen3:8b"),
        ScriptedModel("boastful"),
        ScriptedModel("toolless", capabilities=("completion",)),
        ScriptedModel("seeing", capabilities=("completion", "tools", "vision")),
        ScriptedModel("nomic", capabilities=("embedding",)),
    )

    def __init__(self) -> None:
        super().__init__(self.MODELS)

    def renew(self) -> SharedOllama:
        """Forget what the test before has scripted and asked."""
        super().__init__(self.MODELS)
        return self


@dataclass
class Streamed:
    """A streamed answer, read to its end and held to what every stream must keep."""

    response: httpx.Response
    chunks: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None

    @property
    def text(self) -> str:
        return "".join(delta.get("content") or "" for delta in self.deltas)

    @property
    def deltas(self) -> list[dict[str, Any]]:
        return [chunk["choices"][0]["delta"] for chunk in self.chunks if chunk["choices"]]

    @property
    def finish(self) -> str | None:
        reasons = [chunk["choices"][0]["finish_reason"] for chunk in self.chunks if chunk["choices"]]
        assert not any(reasons[:-1]), "the finish reason comes last"
        return reasons[-1] if reasons else None


class Api(httpx.Client):
    """The server's API as one user."""

    def __init__(self, server: Server, key: str) -> None:
        super().__init__(base_url=server.url, headers={"Authorization": f"Bearer {key}"}, timeout=30)
        self.key = key

    def chat(self, text: str | list[dict[str, Any]] = "hello", **body: Any) -> httpx.Response:
        return self.post("/v1/chat/completions", json=chat_body(text, body))

    def chat_stream(self, text: str | list[dict[str, Any]] = "hello", **body: Any) -> Streamed:
        return read_stream(self.chat(text, stream=True, **body))

    def run_of(self, response: httpx.Response) -> list[dict[str, Any]]:
        """The stored events of the run that gave this answer."""
        found = self.get(f"/api/runs/{response.headers['x-run-id']}")
        assert found.status_code == 200, found.text
        events: list[dict[str, Any]] = found.json()["events"]
        return events

    def conversation(self, session_id: str) -> list[dict[str, Any]]:
        """The stored messages of a conversation."""
        found = self.get(f"/api/conversations/{session_id}")
        assert found.status_code == 200, found.text
        messages: list[dict[str, Any]] = found.json()["messages"]
        return messages


def chat_body(text: str | list[dict[str, Any]], fields: dict[str, Any]) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
    return {"model": "agentic/chat", "messages": messages, **fields}


def read_stream(response: httpx.Response) -> Streamed:
    """Read a stream strictly: data lines and pings alone, every chunk of OpenAI's shape, ``[DONE]`` at the end."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/event-stream")
    streamed = Streamed(response)
    blocks = response.text.split("\n\n")
    assert blocks.pop() == ""
    data = [block for block in blocks if block != ": ping"]
    assert data.pop() == "data: [DONE]"
    for block in data:
        assert block.startswith("data: ") and "\n" not in block
        value = json.loads(block.removeprefix("data: "))
        assert streamed.error is None, "nothing but [DONE] follows an error"
        if "error" in value:
            streamed.error = error_of(value)
        else:
            assert value["object"] == "chat.completion.chunk"
            assert value["choices"] or value["usage"]
            streamed.chunks.append(value)
    return streamed


def error_of(body: dict[str, Any]) -> dict[str, Any]:
    """The error in a body, held to OpenAI's shape."""
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"] and error["type"]
    return error


def eventually(check: Callable[[], bool], within_s: float = 3) -> bool:
    """Whether ``check`` comes true within that time."""
    until = time.monotonic() + within_s
    while not check():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def install(folder: Path, name: str, source: str) -> Path:
    """Put a plugin of one module on a path of its own, as pip would; returns the path."""
    distribution = f"agentic-plugin-{name}"
    site = folder / distribution
    info = site / f"agentic_plugin_{name}-1.2.dist-info"
    info.mkdir(parents=True)
    (site / f"fake_{name}.py").write_text(source)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(f"[agentic]\n{name} = fake_{name}\n")
    return site


@pytest.fixture(scope="session")
def shared_ollama() -> Iterator[tuple[SharedOllama, str]]:
    ollama = SharedOllama()
    with ollama.running() as url:
        yield ollama, url


@pytest.fixture
def ollama(shared_ollama: tuple[SharedOllama, str]) -> SharedOllama:
    """The scripted Ollama behind the shared server, as if new."""
    return shared_ollama[0].renew()


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Data with two users, to be copied, and their API keys: ann is an administrator, bob is not."""
    data = tmp_path_factory.mktemp("prepared") / "data"
    env = own_environment({}, data_dir=data)
    keys = {
        "ann": add_user("ann", role="admin", env=env, folder=data.parent),
        "bob": add_user("bob", env=env, folder=data.parent),
    }
    return data, keys


@pytest.fixture(scope="session")
def keys(prepared: tuple[Path, dict[str, str]]) -> dict[str, str]:
    """API keys by user: ann is an administrator, bob is not."""
    return prepared[1]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What programs in the sandbox may import: some hundred megabytes, made by the first server that needs them."""
    return tmp_path_factory.mktemp("programs")


@pytest.fixture
def empty_data(programs: Path, tmp_path: Path) -> Path:
    """A data folder of the test's own, in which there is nothing but what programs may import."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    (folder / "python_exec").symlink_to(programs)
    return folder


@pytest.fixture
def data(prepared: tuple[Path, dict[str, str]], empty_data: Path) -> Path:
    """A data folder of the test's own, in which there are ann and bob."""
    return Path(shutil.copytree(prepared[0], empty_data, dirs_exist_ok=True))


@pytest.fixture(scope="session")
def server(
    shared_ollama: tuple[SharedOllama, str],
    prepared: tuple[Path, dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Server]:
    """The shared server: a working plugin and a broken one are installed beside ours."""
    folder = tmp_path_factory.mktemp("shared")
    settings = {
        "OLLAMA_HOST": shared_ollama[1],
        "OLLAMA_MODEL": "qwen3:8b",
        "OLLAMA_TIMEOUT": str(SILENCE_S),
        "MAX_BODY_MB": "1",
        "CORS_ORIGINS": "https://chat.example.org",
    }
    path = [install(folder, "lookup", LOOKUP), install(folder, "broken", BROKEN)]
    data = Path(shutil.copytree(prepared[0], folder / "data"))
    with running_server(settings, path=path, data_dir=data) as server:
        yield server


@pytest.fixture
def ann(server: Server, keys: dict[str, str], ollama: SharedOllama) -> Iterator[Api]:
    """The API as the administrator ann."""
    with Api(server, keys["ann"]) as api:
        yield api


@pytest.fixture
def bob(server: Server, keys: dict[str, str], ollama: SharedOllama) -> Iterator[Api]:
    """The API as bob, a user."""
    with Api(server, keys["bob"]) as api:
        yield api


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Installs the plugin whose tool makes files, in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(install(tmp_path, "maker", "from tests.file_maker import *\n")))
    yield
    sys.modules.pop("fake_maker", None)
