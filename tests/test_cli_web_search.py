"""In a real server: a model asks for a page, and gets it where the operator allows its address alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from agentic.testing.ollama import ScriptedOllama
from agentic.testing.scripted_answers import calls, says
from agentic.testing.server import own_environment, run_agentic
from agentic.testing.tavily import Found, ScriptedTavily


class Handler(BaseHTTPRequestHandler):
    """One page, for all paths; the last one asked for is kept."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        data = b"Otters hold hands while they sleep."
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site() -> Iterator[tuple[str, list[str]]]:
    """The address of a page on this machine, and the paths that were asked for."""
    asked: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Kept", (Handler,), {"asked": asked}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/otters", asked
    server.shutdown()
    server.server_close()


def result_told(body: Any, call: Any) -> Any:
    """A model that calls a tool, and then says what it was given."""
    last = body["messages"][-1]
    return says(f"TOLD: {last['content']}") if last["role"] == "tool" else calls(call)


@pytest.mark.parametrize("allow", ["", "127.0.0.1"])
def test_page_is_read_where_the_operator_allows_its_address_alone(
    allow: str, site: tuple[str, list[str]], tmp_path: Path
) -> None:
    url, asked = site
    ollama = ScriptedOllama()
    ollama.answer = lambda body: result_told(body, ("read_page", {"url": url}))
    with ollama.running() as address:
        env = own_environment({"OLLAMA_HOST": address, "FETCH_ALLOW": allow}, data_dir=tmp_path / "data")
        done = run_agentic("ask", f"Summarise {url}", env=env, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ("Otters hold hands" in done.stdout) == bool(allow), done.stdout
    assert asked == (["/otters"] if allow else [])
    assert allow or "127.0.0.1 is not fetched: only public web addresses" in done.stdout


def test_search_is_answered_by_tavily_and_its_key_is_in_no_log(tmp_path: Path) -> None:
    ollama, tavily = ScriptedOllama(), ScriptedTavily([Found("https://a.example/", "Otters", "They hold hands.")])
    ollama.answer = lambda body: result_told(body, ("web_search", {"query": "otters at night"}))
    with ollama.running() as address, tavily.running() as searching:
        given = {
            "OLLAMA_HOST": address,
            "TAVILY_API_KEY": tavily.key,
            "TAVILY_BASE_URL": searching,
            "LOG_LEVEL": "DEBUG",
        }
        env = own_environment(given, data_dir=tmp_path / "data")
        done = run_agentic("ask", "Search the web for otters at night", env=env, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "They hold hands." in done.stdout
    logged = "".join(path.read_text() for path in (tmp_path / "data").rglob("*.log"))
    assert "[Tools] web_search: ok" in logged
    assert tavily.key not in logged + done.stderr + done.stdout
    assert "otters at night" not in logged
