"""Acknowledged means stored: after a kill, a stop, and on a disk that takes no more."""

from __future__ import annotations

import resource
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from agentic.testing.ollama import says
from agentic.testing.server import Server, own_environment, running_server
from tests.http_fixtures import Api, SharedOllama, error_of, eventually

ROUNDS = 5


@pytest.fixture
def own(shared_ollama: tuple[SharedOllama, str], ollama: SharedOllama, data: Path) -> dict[str, str]:
    """The environment of a server of this test's own."""
    return own_environment({"OLLAMA_HOST": shared_ollama[1]}, data_dir=data)


@pytest.fixture
def key(keys: dict[str, str]) -> str:
    return keys["ann"]


def test_killed_server_has_kept_what_it_acknowledged(own: dict[str, str], key: str, tmp_path: Path) -> None:
    acknowledged: list[tuple[str, str]] = []
    for number in range(ROUNDS):
        with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as api:
            for session_id, run_id in acknowledged[-2:]:
                assert [m.get("incomplete") for m in api.conversation(session_id)] == [None, None]
                assert api.get(f"/api/runs/{run_id}").json()["events"][-1]["type"] == "run_finished"
            response = api.chat(f"round {number}", stream=number % 2 == 1)
            assert response.status_code == 200
            server.stop(signal.SIGKILL)
            acknowledged.append((response.headers["x-session-id"], response.headers["x-run-id"]))
    with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as api:
        listed = api.get("/api/conversations").json()["conversations"]
        assert [c["session_id"] for c in listed] == [session_id for session_id, _ in reversed(acknowledged)]


def test_server_killed_in_mid_answer_has_kept_the_question(
    own: dict[str, str], key: str, ollama: SharedOllama, tmp_path: Path
) -> None:
    ollama.script(says("word " * 100, delay_s=0.1))
    with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as api:
        session_id = read_some(api, lambda _: server.stop(signal.SIGKILL))
    with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as api:
        assert api.conversation(session_id)[0]["content"] == "hello"
        assert api.chat("again", session_id=session_id).status_code == 200


def test_terminated_server_waits_for_answers_on_their_way(
    own: dict[str, str], key: str, ollama: SharedOllama, tmp_path: Path
) -> None:
    ollama.script(says("word " * 8, delay_s=0.1))
    with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as api:
        rest: list[str] = []
        session_id = read_some(api, lambda _: server.process.terminate(), rest=rest)
        assert rest[-1] == "data: [DONE]"
        assert server.process.wait(5) == 0
        assert "Traceback" not in server.stderr
    with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as api:
        assert api.conversation(session_id)[1]["content"] == "word " * 8


def test_second_interrupt_stops_at_once_and_keeps_partial_answers(
    own: dict[str, str], key: str, ollama: SharedOllama, tmp_path: Path
) -> None:
    ollama.script(says("word " * 1000, delay_s=0.1))
    with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as api:
        session_id = read_some(api, lambda _: interrupt_twice(server))
        assert server.process.wait(5) == 0
    assert_partial_answer_is_kept(own, key, tmp_path, session_id)


def test_idle_server_stops_at_once(own: dict[str, str], key: str, tmp_path: Path) -> None:
    with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as api:
        assert api.chat().status_code == 200
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 3
        assert "Traceback" not in server.stderr


def test_full_disk_is_told_and_nothing_is_acknowledged(own: dict[str, str], key: str, tmp_path: Path) -> None:
    with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as api:
        before = api.chat("before")
        limit_files(server, 0)
        whole = api.chat("during")
        assert whole.status_code == 503
        assert error_of(whole.json())["type"] == "storage_error"
        streamed = api.chat("during", stream=True)
        assert streamed.status_code == 503
        assert error_of(streamed.json())["type"] == "storage_error"
        ready = api.get("/ready")
        assert ready.status_code == 503
        assert ready.json()["storage"]["state"] == "failed"
        assert "disk" in ready.json()["storage"]["cause"]
        assert httpx.get(f"{server.url}/health").status_code == 200

        limit_files(server, resource.RLIM_INFINITY)
        assert eventually(lambda: api.get("/ready").status_code == 200)
        after = api.chat("after")
        assert after.status_code == 200
        listed = [c["session_id"] for c in api.get("/api/conversations").json()["conversations"]]
        assert listed == [after.headers["x-session-id"], before.headers["x-session-id"]]


def test_disk_that_fills_in_mid_answer_ends_the_stream_with_an_error(
    own: dict[str, str], key: str, ollama: SharedOllama, tmp_path: Path
) -> None:
    ollama.script(says("word " * 5, delay_s=0.1))
    with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as api:
        lines: list[str] = []
        read_some(api, lambda line: (limit_files(server, 0), lines.append(line)), rest=lines)
        assert lines[-1] == "data: [DONE]"
        assert '"type":"storage_error"' in lines[-2]
        assert not any('"finish_reason":"stop"' in line for line in lines)


def interrupt_twice(server: Server) -> None:
    server.process.send_signal(signal.SIGINT)
    assert eventually(lambda: "Shutting down" in server.stderr)
    server.process.send_signal(signal.SIGINT)


def assert_partial_answer_is_kept(own: dict[str, str], key: str, folder: Path, session_id: str) -> None:
    with running_server(own, data_dir=folder / "data") as server, Api(server, key) as api:
        question, answer = api.conversation(session_id)
        assert question["content"] == "hello"
        assert answer["content"].startswith("word word")
        assert answer["incomplete"] is True


def limit_files(server: Server, size: int) -> None:
    """Let the server write no file beyond this size, as on a full disk."""
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def read_some(api: Api, then: Callable[[str], object], *, rest: list[str] | None = None) -> str:
    """Begin a stream, do ``then`` at its third word, read on as far as it goes; returns the session's id."""
    body = {"model": "agentic/chat", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    words = 0
    with api.stream("POST", "/v1/chat/completions", json=body) as response:
        try:
            for line in response.iter_lines():
                words += '"content":"word ' in line
                if words == 3:
                    words += 1
                    then(line)
                elif words > 3 and rest is not None and line:
                    rest.append(line)
        except httpx.RemoteProtocolError:
            assert rest is None
    return response.headers["x-session-id"]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_answer_under_way_at_a_shutdown_ends_with_an_error_and_is_kept(
    own: dict[str, str], key: str, ollama: SharedOllama, tmp_path: Path, how: signal.Signals
) -> None:
    """Of an answer that takes longer than the server waits, the client is told in the one shape.

    SIGHUP is what a server gets whose terminal is closed.
    """
    ollama.script(says("word " * 400, delay_s=0.05))
    with running_server(own, data_dir=tmp_path / "data") as server, Api(server, key) as ann:
        ending = threading.Timer(1.0, server.process.send_signal, [how])
        ending.start()
        if how == signal.SIGTERM:
            answer = ann.chat_stream()
            assert answer.error is not None
            assert answer.error["code"] == "cancelled"
            assert answer.text.startswith("word")
        else:
            whole = ann.chat()
            assert whole.status_code == 503
            assert error_of(whole.json())["code"] == "cancelled"
        assert server.process.wait(20) == 0
