"""Documents on a real server: cut connections, a full disk, and kills in the middle of uploads and of indexing."""

from __future__ import annotations

import http.client
import json
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from agentic.testing.server import Server, running_server
from tests.http_fixtures import Api, SharedOllama, error_of, eventually, install
from tests.killed_servers import LEAST, Killing

ROUNDS = 5
FEW_PLUGINS = ("--safe-mode", "documents,chat,ollama,storage_sqlite,blobs_files")
SETTINGS = {"SERVER_LEASE_SECONDS": "1", "DOCUMENTS_AT_ONCE": "4", "MAX_BODY_MB": "1"}


@pytest.fixture
def path(tmp_path: Path) -> list[Path]:
    return [install(tmp_path, "documents", "from tests.document_plugins import *\n")]


@pytest.fixture
def served(data: Path, path: list[Path]) -> Iterator[Server]:
    with running_server(SETTINGS, path=path, data_dir=data, arguments=FEW_PLUGINS) as server:
        yield server


@pytest.fixture
def api(served: Server, keys: dict[str, str]) -> Iterator[Api]:
    with Api(served, keys["ann"]) as api:
        yield api


def files(server: Server) -> list[Path]:
    root = server.data_dir / "files"
    return [one for one in root.rglob("*") if one.is_file()]


def upload(api: Api, data: bytes, name: str = "a.txt", wait: bool = True) -> httpx.Response:
    return api.post("/api/files/upload", params={"wait": wait}, files={"file": (name, data)}, timeout=60)


def head_of(api: Api, length: int) -> bytes:
    host = api.base_url.host
    return (
        f"POST /api/files/upload HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {api.key}\r\n"
        f"Content-Type: multipart/form-data; boundary=frame\r\nContent-Length: {length}\r\n\r\n"
        '--frame\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
    ).encode()


def test_upload_that_is_cut_off_or_finds_the_disk_full_leaves_nothing(served: Server, api: Api) -> None:
    with socket.create_connection((api.base_url.host, api.base_url.port)) as connection:
        connection.sendall(head_of(api, 5_000_000) + b"x" * 3_000_000)
        assert eventually(lambda: bool(files(served)), within_s=30)
    assert eventually(lambda: not files(served), within_s=30)
    assert api.get("/api/files/documents").json()["total"] == 0

    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    refused = upload(api, b"x" * 3_000_000)
    assert refused.status_code == 503, refused.text
    assert error_of(refused.json())["type"] == "storage_error"
    resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert eventually(lambda: not files(served), within_s=30)
    assert api.get("/api/files/documents").json()["total"] == 0

    large = upload(api, b"x" * 5_000_000)
    assert (large.status_code, large.json()["status"]) == (200, "ready")
    assert "Traceback" not in served.stderr


def test_slow_upload_of_a_user_who_is_disabled_meanwhile_is_refused_at_its_end(
    served: Server, api: Api, keys: dict[str, str]
) -> None:
    with Api(served, keys["bob"]) as bob, socket.create_connection((bob.base_url.host, bob.base_url.port)) as slow:
        slow.settimeout(60)
        head, end = head_of(bob, 0), b"x" * 1_000_000 + b"\r\n--frame--\r\n"
        length = len(head.partition(b"\r\n\r\n")[2]) + 2_000_000 + len(end)
        slow.sendall(head_of(bob, length) + b"x" * 2_000_000)
        assert eventually(lambda: bool(files(served)), within_s=30)
        assert api.patch("/api/admin/users/bob", json={"disabled": True}).json()["disabled"]
        slow.sendall(end)
        answer = http.client.HTTPResponse(slow)
        answer.begin()
        assert answer.status == 401
        assert error_of(json.loads(answer.read()))["type"] == "authentication_error"
        assert files(served) == []
        assert not api.patch("/api/admin/users/bob", json={"disabled": False}).json()["disabled"]
        assert bob.get("/api/files/documents").json()["total"] == 0


def test_refusal_reaches_a_client_that_still_sends(api: Api) -> None:
    for _ in range(3):
        refused = upload(api, b"\x00" * 20_000_000)
        assert refused.status_code == 415
        assert error_of(refused.json())["code"] == "unsupported_type"


@pytest.mark.timeout(400)
def test_killed_server_keeps_all_that_it_acknowledged_and_leaves_nothing_half_done(
    data: Path, path: list[Path], keys: dict[str, str], shared_ollama: tuple[SharedOllama, str], ollama: SharedOllama
) -> None:
    """Documents and answers, under load; `python -m bench.kills` does the same fifty times with all plugins."""
    killing = Killing(
        {**SETTINGS, "OLLAMA_HOST": shared_ollama[1]}, data, keys["ann"], path=path, arguments=FEW_PLUGINS
    )
    for _ in range(ROUNDS):
        killing.round()
    verdict = killing.check()
    assert (verdict.lost, verdict.corrupt) == ([], [])
    assert min(verdict.documents, verdict.runs) >= ROUNDS * LEAST
