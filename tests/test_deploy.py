"""What lies in ``deploy/``: a real server behind a real nginx, and files that name what there is."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from agentic.testing.ollama import says
from agentic.testing.server import PASSWORD, Server, free_port, running_server
from tests.http_fixtures import SharedOllama, chat_body, error_of, eventually

DEPLOY = Path(__file__).parents[1] / "deploy"
README = (Path(__file__).parents[1] / "README.md").read_text()
SLOW = says("word " * 40, delay_s=0.05)


@dataclass(frozen=True)
class Site:
    """A server behind nginx, and how to reach it through that."""

    server: Server
    url: str
    folder: Path
    trusted: ssl.SSLContext

    def client(self, key: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, verify=self.trusted, timeout=30)

    def log(self) -> str:
        return (self.folder / "agentic.log").read_text()


def configured(folder: Path, server: Server, port: int) -> Path:
    """The site of ``deploy/nginx.conf`` with addresses and folders of the test's own, in an nginx of its own."""
    site = (DEPLOY / "nginx.conf").read_text()
    for pattern, own in (
        (r"listen \[::\].*\n", "\n"),
        (r"listen 80;", f"listen 127.0.0.1:{free_port()};"),
        (r"listen 443 ", f"listen 127.0.0.1:{port} "),
        (r"127\.0\.0\.1:8000", server.url.removeprefix("http://")),
        (r"/etc/ssl/agentic|/var/log/nginx", str(folder)),
        # What is written to temporary files is told at this level alone.
        (r"crit;", "warn;"),
    ):
        site, count = re.subn(pattern, own, site)
        assert count, pattern
    (folder / "site.conf").write_text(site)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;\n"
        f"events {{}}\nhttp {{ {temporary} include {folder}/site.conf; }}\n"
    )
    return folder / "nginx.conf"


def certified(folder: Path) -> ssl.SSLContext:
    """Make a certificate for 127.0.0.1; whoever trusts it."""
    made = ["-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"]
    named = ["-subj", "/CN=agentic", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *named, *made]
    subprocess.run(command, check=True, capture_output=True)
    return ssl.create_default_context(cafile=str(folder / "fullchain.pem"))


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def site(
    shared_ollama: tuple[SharedOllama, str],
    prepared: tuple[Path, dict[str, str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("deployed")
    settings = {
        "OLLAMA_HOST": shared_ollama[1],
        "OLLAMA_MODEL": "qwen3:8b",
        "TRUSTED_PROXIES": "127.0.0.1",
        "MAX_UPLOAD_MB": "2",
    }
    data = Path(shutil.copytree(prepared[0], folder / "data"))
    trusted, port = certified(folder), free_port()
    with running_server(settings, data_dir=data) as server:
        nginx = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
        assert nginx, "Debian has it in nginx-light"
        with subprocess.Popen([nginx, "-c", configured(folder, server, port)]) as process:
            try:
                assert eventually(lambda: listens(port), within_s=10), (folder / "error.log").read_text()
                yield Site(server, f"https://127.0.0.1:{port}", folder, trusted)
            finally:
                process.terminate()


def test_words_come_through_nginx_one_by_one(site: Site, keys: dict[str, str], ollama: SharedOllama) -> None:
    ollama.script(SLOW)
    came = []
    with (
        site.client(keys["ann"]) as client,
        client.stream("POST", "/v1/chat/completions", json=chat_body("hello", {"stream": True})) as response,
    ):
        for piece in response.iter_raw():
            came.append((time.monotonic(), piece.count(b'"content":"')))
    assert sum(words for _, words in came) >= 40
    assert len([words for _, words in came if words]) >= 10, "not one block at the end"
    assert came[-1][0] - came[0][0] > 0.5


async def test_leaving_nginx_stops_the_model(site: Site, keys: dict[str, str], ollama: SharedOllama) -> None:
    ollama.script(says("word " * 200, delay_s=0.1))
    async with httpx.AsyncClient(
        base_url=site.url, headers={"Authorization": f"Bearer {keys['ann']}"}, verify=site.trusted
    ) as client:
        body = chat_body("hello", {"stream": True})
        async with client.stream("POST", "/v1/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                if '"content":"word ' in line:
                    break
    assert await ollama.disconnected(timeout=3)


def test_limits_of_uploads_are_the_servers_and_nothing_is_buffered_on_disk(site: Site, keys: dict[str, str]) -> None:
    with site.client(keys["ann"]) as client:
        fits = client.post("/api/files/upload", files={"file": ("a.txt", b"a marked line\n" * 130_000)})
        assert fits.status_code == 200, fits.text
        document = f"/api/files/documents/{fits.json()['file_id']}"
        assert len(client.get(f"{document}/content").content) == 14 * 130_000
        assert client.delete(document).status_code == 200
        beyond = client.post("/api/files/upload", files={"file": ("b.txt", b"a marked line\n" * 200_000)})
        assert beyond.status_code == 413
        assert "MAX_UPLOAD_MB" in error_of(beyond.json())["message"]
    assert "temporary file" not in (site.folder / "agentic.error.log").read_text()


def test_nobody_chooses_the_address_that_logins_are_counted_by(site: Site) -> None:
    with site.client() as client:
        answers = [
            client.post(
                "/api/auth/login",
                json={"username": "bob", "password": "a wrong one"},
                headers={"X-Forwarded-For": f"203.0.113.{number}"},
            ).status_code
            for number in range(6)
        ]
        assert answers == [401] * 5 + [429]
        right = client.post("/api/auth/login", json={"username": "ann", "password": PASSWORD})
        assert right.status_code == 200


def test_log_of_nginx_holds_no_query(site: Site, keys: dict[str, str]) -> None:
    with site.client(keys["ann"]) as client:
        assert client.get("/api/conversations/search", params={"q": "aneurysm"}).status_code == 200
    assert eventually(lambda: "/api/conversations/search" in site.log())
    assert "aneurysm" not in "".join(path.read_text() for path in site.folder.glob("*.log"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_unit_is_one_that_systemd_takes(tmp_path: Path) -> None:
    unit = tmp_path / "agentic.service"
    unit.write_text((DEPLOY / unit.name).read_text().replace("/opt/agentic/.venv/bin/agentic", "/bin/true"))
    told = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert not [line for line in told.stderr.splitlines() if "agentic.service" in line]
    assert told.returncode == 0


@pytest.mark.parametrize("name", ["README.md", "Dockerfile", "compose.yaml", "nginx.conf"])
def test_settings_that_are_named_are_there(name: str) -> None:
    text = (DEPLOY / name).read_text()
    named = set(re.findall(r"\b((?:OLLAMA|SERVER|TRUSTED|PUBLIC|MAX|RUN)_[A-Z_]+)\b", text))
    assert named, "each of them names some"
    assert named <= set(re.findall(r"^\| `([A-Z_]+)` \|", README, flags=re.MULTILINE))


def test_image_is_made_of_what_is_here() -> None:
    ignored = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    needed = ["agentic", "plugins", "pyproject.toml", "uv.lock", "README.md", "LICENSE"]
    assert all((DEPLOY.parent / name).exists() for name in needed)
    assert not set(needed) & set(ignored)
