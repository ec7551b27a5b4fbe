"""Documents on a real server: cut connections, a full disk, and kills in the middle of uploads and of indexing."""

from __future__ import annotations

import resource
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agentic.testing.server import Server, running_server
from tests.http_fixtures import Api, error_of, eventually, install

ROUNDS = 5
FEW_PLUGINS = ("--safe-mode", "documents,chat,storage_sqlite,blobs_files")
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


def test_refusal_reaches_a_client_that_still_sends(api: Api) -> None:
    for _ in range(3):
        refused = upload(api, b"\x00" * 20_000_000)
        assert refused.status_code == 415
        assert error_of(refused.json())["code"] == "unsupported_type"


@pytest.mark.timeout(400)
def test_killed_server_keeps_every_document_that_it_acknowledged(
    data: Path, path: list[Path], keys: dict[str, str]
) -> None:
    acknowledged: dict[str, str] = {}
    for number in range(ROUNDS):
        with (
            running_server(SETTINGS, path=path, data_dir=data, arguments=FEW_PLUGINS) as server,
            Api(server, keys["ann"]) as api,
        ):
            before = set(acknowledged)
            # One that is cut short three times has failed; here none is at more than two kills.
            assert eventually(lambda b=before: b <= ready(api), within_s=90)
            threads = [
                threading.Thread(target=keep_uploading, args=(server, keys["ann"], f"{number}-{n}", acknowledged))
                for n in range(2)
            ]
            for thread in threads:
                thread.start()
            assert eventually(lambda b=before: len(acknowledged) >= 3 + len(b), within_s=60)
            server.stop(signal.SIGKILL)
            for thread in threads:
                thread.join()
    with (
        running_server(SETTINGS, path=path, data_dir=data, arguments=FEW_PLUGINS) as server,
        Api(server, keys["ann"]) as api,
    ):
        assert eventually(lambda: total(api, "indexing") == 0, within_s=90)
        assert total(api, "failed") == 0
        # What was stored, and not acknowledged any more, is there as well; what was cut short is not.
        shown = all_documents(api)
        assert set(acknowledged) <= set(shown)
        for file_id, text in acknowledged.items():
            assert api.get(f"/api/files/documents/{file_id}/content").text == text
            assert shown[file_id]["chunks"] == 3
            found = api.post("/api/files/search", json={"query": text.splitlines()[0]}).json()["passages"]
            assert [one["file_id"] for one in found] == [file_id]
        stored = {one.name.partition("_")[2][:24] for one in files(server) if one.name.startswith("doc_")}
        assert len(stored) == len(shown)
        left = server.run("doctor", "--orphans")
        assert (left.returncode, "left over: nothing" in left.stdout) == (0, True), left.stdout
    assert [one for one in (data / "reading").rglob("*") if one.is_file()] == []


def keep_uploading(server: Server, key: str, name: str, acknowledged: dict[str, str]) -> None:
    """Upload one document after another until the server is gone."""
    with Api(server, key) as api:
        for number in range(1000):
            text = f"document {name}-{number}.\nSLOW\nend"
            try:
                response = upload(api, text.encode(), f"{name}-{number}.txt", wait=False)
            except httpx.TransportError:
                return
            if response.status_code == 200:
                acknowledged[response.json()["file_id"]] = text
            time.sleep(0.2)


def total(api: Api, status: str) -> int:
    count: int = api.get("/api/files/documents", params={"status": status}).json()["total"]
    return count


def ready(api: Api) -> set[str]:
    return {file_id for file_id, one in all_documents(api).items() if one["status"] == "ready"}


def all_documents(api: Api) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for page in range(1, 100):
        shown = api.get("/api/files/documents", params={"page": page, "page_size": 200}).json()["documents"]
        if not shown:
            break
        found |= {one["file_id"]: one for one in shown}
    return found
